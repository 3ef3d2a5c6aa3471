"""Users that a bundle has vectors of, by row and by external id. No numpy: the gateway reads them."""

from __future__ import annotations

import json
from dataclasses import dataclass

from shortlist_bundle import layout
from shortlist_bundle.blob_table import BlobTable
from shortlist_bundle.bundle import Bundle
from shortlist_domain.errors import BundleInvalid

_VERSION = 1


@dataclass(frozen=True, slots=True)
class UserIds:
    """Users of one tenant."""

    tenant: str
    """Whose users they are; empty is the default tenant."""

    ids: BlobTable
    """External id of each row, ascending."""

    def __len__(self) -> int:
        return len(self.ids)

    def row(self, user_id: str) -> int | None:
        """Return the row of ``user_id``, or ``None`` where the bundle has no vector of it."""
        return self.ids.find(user_id.encode("utf-8", "surrogatepass"))

    def user_id(self, row: int) -> str:
        """Return the external id of ``row``."""
        return self.ids[row].decode()


def users_file(tenant: str) -> bytes:
    """Return the content of ``users.json``."""
    return json.dumps({"version": _VERSION, "tenant": tenant}, ensure_ascii=False).encode()


def load_user_ids(bundle: Bundle) -> UserIds | None:
    """Return the users of ``bundle``, ``None`` where it has none.

    Raises:
        BundleInvalid: Some of the files of users are absent or damaged, or the ids are not ascending UTF-8.
    """
    held = [name for name in layout.USER_FILES if name in bundle.manifest.files]
    if not held:
        return None
    if missing := sorted(set(layout.USER_FILES) - set(held)):
        raise BundleInvalid(f"{bundle.bundle_id} has {', '.join(held)} without {', '.join(missing)}")
    try:
        raw = json.loads(bundle.read(layout.USERS))
        version, tenant = raw["version"], raw["tenant"]
        if version != _VERSION or not isinstance(tenant, str):
            raise BundleInvalid(f"{layout.USERS} of version {version} for the tenant {tenant!r}")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BundleInvalid(f"{layout.USERS} cannot be read: {error!r}") from error
    ids = BlobTable(bundle.map(layout.USER_IDS))
    before = b""
    for row in range(len(ids)):
        one = ids[row]
        if one <= before:
            raise BundleInvalid(f"the user ids of rows {row - 1} and {row} are not ascending")
        try:
            one.decode()
        except UnicodeDecodeError as error:
            raise BundleInvalid(f"the user id of row {row} is not UTF-8") from error
        before = one
    if not len(ids):
        raise BundleInvalid(f"{layout.USER_IDS} is empty")
    return UserIds(tenant, ids)
