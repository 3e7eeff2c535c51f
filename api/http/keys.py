"""API keys: 256 random bits each, kept only as their SHA-256, belonging to a person and a role.

A plain hash is right here, where it would be wrong for a password: nobody can try 2^256 keys.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable

import msgspec

from api.http.ports import Holder
from api.http.roles import Role

KEY_PREFIX = "blst_"
KEY_BYTES = 32
KEYS_MAX = 1_000

_PERSON = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
# The core's own actors: a person of that name would get what only the process may do.
RESERVED = frozenset(
    {"ballast", "system", "public", "core", "execution", "settlement", "projections", "watch", "market", "api"}
)

_DIGEST = re.compile(r"[0-9a-f]{64}")


class KeyEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Hold a key as it rests in settings: lower-case hex SHA-256 of its text, the person, the role."""

    digest: str
    person: str
    role: Role


def new_key() -> str:
    """Make a key; it is shown once and only its digest is kept."""
    return KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)


def key_digest(key: str) -> str:
    """Return the digest under which a key rests."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


class KeyRing:
    """Know every key's holder. Raise ValueError when an entry cannot be trusted."""

    def __init__(self, entries: Iterable[KeyEntry]) -> None:
        self._holders: dict[str, Holder] = {}
        for entry in entries:
            if not _PERSON.fullmatch(entry.person) or entry.person in RESERVED:
                raise ValueError(f"a person's name is 1 to 64 of [a-z0-9._@-] and no actor's: {entry.person!r}")
            if not _DIGEST.fullmatch(entry.digest) or entry.digest in self._holders:
                raise ValueError(f"a key of {entry.person} has a digest that is malformed or stands there twice")
            self._holders[entry.digest] = Holder(person=entry.person, role=Role(entry.role).value)
        if len(self._holders) > KEYS_MAX:
            raise ValueError(f"more than {KEYS_MAX} keys")

    def holder(self, key: str) -> Holder | None:
        """Return whose key this is. Every entry is compared in full, so that time tells nothing."""
        digest = key_digest(key)
        found: Holder | None = None
        for known, holder in self._holders.items():
            if hmac.compare_digest(known, digest):
                found = holder
        return found
