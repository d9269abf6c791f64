"""Which files of this machine the jail's Python is made of, and where they appear inside.

Whatever the interpreter is (Debian's, pyenv's, one that uv installed, any of them under a virtual environment),
inside it looks the same: /python, the packages of `PACKAGES` in /site, the runner in /code. No other
package, no other code of the project, no home and no /etc is there.
"""

from __future__ import annotations

import platform
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

PYTHON, SITE, CODE = Path("/python"), Path("/site"), Path("/code")
EXECUTABLE = PYTHON / "bin" / "python3"
LIBRARIES = PYTHON / "lib"
STDLIB = LIBRARIES / f"python{sys.version_info.major}.{sys.version_info.minor}"
PACKAGE = "sandbox.isolation.runner"
# Import names: engine, columnar tables, data frames and what they need.
PACKAGES = ("duckdb", "_duckdb", "pyarrow", "numpy", "pandas", "dateutil", "six", "pytz", "tzdata")
REQUIRED = frozenset({"duckdb", "_duckdb", "pyarrow", "numpy"})
LOADERS = {"x86_64": "/lib64/ld-linux-x86-64.so.2", "aarch64": "/lib/ld-linux-aarch64.so.1"}
BOOT = f"import sys; sys.path[:0] = ['{CODE}', '{SITE}']; from {PACKAGE}.main import main; main(sys.argv[1:])"
# -I: no environment, no user folder; -S: no site folder; -B: writes no bytecode; -X utf8: whatever the locale
COMMAND = (str(EXECUTABLE), "-I", "-S", "-B", "-X", "utf8", "-c", BOOT)


class MissingPackage(Exception):
    """A package that computations need is not installed where the worker runs."""


@dataclass(frozen=True, slots=True)
class Binding:
    """`source` on this machine appears read-only as `target` in the jail."""

    source: Path
    target: Path


@cache  # the same for the life of the worker; the next jail is started beside a run
def bindings() -> tuple[Binding, ...]:
    """All that is visible in the jail. Raise MissingPackage where the engine is not installed."""
    return (*_system(), *_python(), *_packages(), Binding(Path(__file__).parent / "runner", _runner()))


def hidden() -> tuple[Path, ...]:
    """Folders inside the bindings that must appear empty: packages that lie within the standard library."""
    stdlib = Path(sysconfig.get_path("stdlib", vars=_base()))
    return tuple(STDLIB / name for name in ("site-packages", "dist-packages") if (stdlib / name).is_dir())


def _runner() -> Path:
    return CODE.joinpath(*PACKAGE.split("."))


def _system() -> Iterator[Binding]:
    """The C library and its companions. No /etc: the loader finds these folders without its cache."""
    multiarch = getattr(sys.implementation, "_multiarch", "")
    names = (
        [f"/lib/{multiarch}", f"/usr/lib/{multiarch}"]
        if Path(f"/usr/lib/{multiarch}/libc.so.6").exists()
        else []
    )
    for name in (*names, "/lib64", "/usr/lib64"):
        if Path(name).is_dir():
            yield Binding(Path(name), Path(name))
    loader = LOADERS.get(platform.machine(), "")
    if loader and not loader.startswith("/lib64/") and Path(loader).exists():
        yield Binding(Path(loader).resolve(), Path(loader))


def _base() -> dict[str, str]:
    return {"base": sys.base_prefix, "platbase": sys.base_exec_prefix, "installed_base": sys.base_prefix}


def _python() -> Iterator[Binding]:
    executable = Path(getattr(sys, "_base_executable", "") or sys.executable)
    yield Binding(executable.resolve(), EXECUTABLE)
    yield Binding(Path(sysconfig.get_path("stdlib", vars=_base())), STDLIB)
    folder, name = sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("INSTSONAME")
    library = Path(folder or "/") / (name or "")
    if library.is_file() and ".so" in library.name:  # a Python that keeps itself in a shared library
        yield Binding(library.resolve(), LIBRARIES / library.name)


def _packages() -> Iterator[Binding]:
    for name in PACKAGES:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            if name in REQUIRED:
                raise MissingPackage(name)
            continue
        origin = Path(spec.origin)
        place = origin.parent if spec.submodule_search_locations else origin
        yield Binding(place, SITE / place.name)
        # Beside a package: libraries a wheel brought along, and the metadata by which it knows its version.
        for beside in (*place.parent.glob(f"{name}.libs"), *place.parent.glob(f"{name}-*.dist-info")):
            yield Binding(beside, SITE / beside.name)
