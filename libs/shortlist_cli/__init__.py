"""The command line, ``shortlist ...``."""
