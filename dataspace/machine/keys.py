"""An installation's secrets: made once, kept in `keys.env` (mode 0600), handed on in the environment."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Callable, Mapping

from dataspace.machine.errors import MachineError
from dataspace.machine.paths import Paths

MAKERS: Mapping[str, Callable[[], str]] = {
    # Signs sessions.
    "DATASPACE_SECRET_KEY": lambda: secrets.token_urlsafe(50),
    # A Fernet key (32 bytes, URL-safe base64): encrypts the organizations' private keys at rest.
    "DATASPACE_KEY_ENCRYPTION_KEY": lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    # 32 bytes as hexadecimal digits: keys the pseudonyms in extracts.
    "DATASPACE_SPACE_KEY": lambda: secrets.token_hex(32),
}


def ensured(paths: Paths, given: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The secrets by name: what `given` holds wins, then the file; what neither has is made and kept.

    Raises `MachineError` if there are data but the file is gone: new keys could not read what the old ones
    locked.
    """
    kept = _read(paths)
    missing = [name for name in MAKERS if not given.get(name) and name not in kept]
    if missing:
        if os.path.lexists(paths.pg) and not paths.keys.exists():
            raise MachineError(
                f"{paths.keys} is missing, and without it the data in {paths.data} cannot be read.\n"
                f"Put the file back from your copy, or start over: dataspace demo-reset"
            )
        kept.update({name: MAKERS[name]() for name in missing})
        _write(paths, kept)
    return {name: given.get(name) or kept[name] for name in MAKERS}


def _read(paths: Paths) -> dict[str, str]:
    if not paths.keys.exists():
        return {}
    if paths.keys.stat().st_mode & 0o077:
        paths.keys.chmod(0o600)
    pairs = (line.split("=", 1) for line in paths.keys.read_text().splitlines() if "=" in line)
    return {name.strip(): value.strip() for name, value in pairs}


def _write(paths: Paths, values: Mapping[str, str]) -> None:
    """In one step: a half-written file of keys would be worse than none."""
    draft = paths.keys.with_suffix(".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.writelines(f"{name}={value}\n" for name, value in values.items())
        file.flush()
        os.fsync(file.fileno())
    draft.replace(paths.keys)
