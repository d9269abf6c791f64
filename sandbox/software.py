"""Which software computed a result: pinned in each receipt, so that the result can be computed again (P10)."""

from __future__ import annotations

import functools
import hashlib
import platform
from importlib import metadata
from pathlib import Path

_ROOT = Path(__file__).resolve().parent
_PARTS = ("guard", "engines", "kept", "disclosure", "isolation")
_PACKAGES = ("duckdb", "sqlglot", "pyarrow", "numpy")


@functools.cache
def software() -> dict[str, str]:
    """Versions of what computes, and one digest over our own code that decides the result's bytes."""
    return {
        "dataspace": metadata.version("dataspace"),
        "code": f"sha256:{_code_digest()}",
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in _PACKAGES},
    }


def _code_digest() -> str:
    digest = hashlib.sha256()
    for part in _PARTS:
        for path in sorted((_ROOT / part).rglob("*.py")):
            body = path.read_bytes()
            digest.update(f"{path.relative_to(_ROOT)}\0{len(body)}\0".encode() + body)
    return digest.hexdigest()
