"""What this package raises.

ShortlistError
  DataRefused   a file, a schema or a data set cannot be used; the message is one line for the person who brought it
"""

from shortlist_domain.errors import ShortlistError


class DataRefused(ShortlistError):
    """The data cannot be used as it stands. Says what is wrong, where, and what would be accepted."""
