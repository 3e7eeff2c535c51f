"""Reading of a settings file what the kill needs, and nothing else: what is wrong elsewhere in it stops no kill."""

import tomllib
from pathlib import Path

import msgspec

from api.killing.settings import KillDocument
from api.settings import SettingsError


def read_document(path: Path, data_dir: str = "") -> KillDocument:
    """Read a settings file, TOML or JSON; another `data_dir` than the file's may be given. Raise `SettingsError`."""
    try:
        content = path.read_bytes()
        document = msgspec.json.decode(content) if path.suffix == ".json" else tomllib.loads(content.decode())
        found = msgspec.convert(document, KillDocument)
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from error
    if not data_dir:
        return found
    services = msgspec.structs.replace(found.services, data_dir=data_dir)
    return msgspec.structs.replace(found, services=services)
