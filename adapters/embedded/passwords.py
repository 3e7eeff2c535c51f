"""Make random passwords once and keep them in a file that only we may read."""

import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

PASSWORD_BYTES = 24


class PasswordsUnusable(Exception):
    """Say that the kept passwords cannot be read or lack a user."""


def new_passwords(users: Sequence[str]) -> dict[str, str]:
    """Return a random password per user, safe inside a URL."""
    return {user: secrets.token_urlsafe(PASSWORD_BYTES) for user in users}


def save_passwords(path: Path, passwords: Mapping[str, str]) -> None:
    """Write the passwords so that other users can never read them, and no reader sees half a file."""
    write_private(path, msgspec.json.encode(passwords, order="sorted"))


def load_passwords(path: Path, users: Sequence[str]) -> dict[str, str]:
    """Read the passwords of these users; raise `PasswordsUnusable` if one is missing."""
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except (OSError, msgspec.DecodeError) as error:
        raise PasswordsUnusable(f"{path}: {error}") from error
    missing = [user for user in users if user not in kept]
    if missing:
        raise PasswordsUnusable(f"{path} has no password for {', '.join(missing)}")
    return kept


def write_private(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 by renaming it into place, durably."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    draft.replace(path)
