"""Names of the keys. All keys of one transaction share a hash tag, so that they lie in one slot of a cluster."""

from urllib.parse import quote

from shortlist_domain.stages import ActorKey


def events_key(key: ActorKey, name: str = "events") -> str:
    """HASH, event id to packed event; ``impressions`` is kept beside ``events``."""
    return f"{_actor_tag(key)}:{name}"


def state_key(key: ActorKey) -> str:
    """HASH: ``version``; ``floor`` and ``impressions_floor`` (newest event cut); ``a:<name>`` for each attribute."""
    return f"{_actor_tag(key)}:state"


def sessions_key(key: ActorKey) -> str:
    """ZSET of ids of sessions that the actor wrote in, scored by the time at which they end at the earliest."""
    return f"{_actor_tag(key)}:sessions"


def counts_key(tenant: str) -> str:
    """HASH, item id to number of events."""
    return f"{_items_tag(tenant)}:counts"


def sums_key(tenant: str) -> str:
    """HASH, item id to sum of the events' values."""
    return f"{_items_tag(tenant)}:sums"


def changes_key(tenant: str) -> str:
    """STREAM of changed item ids, newline between them."""
    return f"{_items_tag(tenant)}:changes"


def freshness_key(tenant: str) -> str:
    """ZSET: ``newest_event`` and ``last_write``, scored by their time; a zset can take a maximum atomically."""
    return f"{_items_tag(tenant)}:freshness"


def slates_key() -> str:
    """STREAM of serialized ``SlateRecord`` in the field ``record``, of all tenants: its readers read everything."""
    return "sl:slates"


def documents_key(collection: str) -> str:
    """HASH, document name to packed document, the current ones."""
    return f"sl:{{d:{collection}}}:current"


def document_counter_key(collection: str) -> str:
    """Number: the highest version that was given to a document of the collection."""
    return f"sl:{{d:{collection}}}:version"


def document_history_key(collection: str, name: str) -> str:
    """LIST of packed versions of a document, newest first."""
    return f"sl:{{d:{collection}}}:history:{quote(name, safe='')}"


def _actor_tag(key: ActorKey) -> str:
    # Percent-encoding takes braces, colons and spaces out of foreign text: no id can name another id's key.
    return f"sl:{{a:{quote(key.tenant, safe='')}:{quote(key.actor_id, safe='')}}}"


def _items_tag(tenant: str) -> str:
    return f"sl:{{i:{quote(tenant, safe='')}}}"
