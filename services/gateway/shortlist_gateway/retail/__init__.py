"""The facade for callers of Google Retail, version 2: their messages in, our RPCs, their messages out."""
