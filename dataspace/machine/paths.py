"""Where things live on this machine: all that is not code is below one folder, `var/` beside the project."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent.parent
DATA_DIR_VARIABLE = "DATASPACE_DATA_DIR"


@dataclass(frozen=True)
class Paths:
    """The folders and files below one data folder. Two data folders never share anything."""

    data: Path

    @property
    def pg(self) -> Path:
        """PostgreSQL's data, or a link to where it had to go (see `postgres.home`)."""
        return self.data / "pg"

    @property
    def valkey(self) -> Path:
        return self.data / "valkey"

    @property
    def extracts(self) -> Path:
        return self.data / "extracts"

    @property
    def uploads(self) -> Path:
        return self.data / "uploads"

    @property
    def static(self) -> Path:
        return self.data / "static"

    @property
    def tlog(self) -> Path:
        """The published audit log: checkpoint and tiles."""
        return self.data / "tlog"

    @property
    def checkpointer(self) -> Path:
        """The audit log's private keys and what was last signed: for the checkpointer alone."""
        return self.data / "checkpointer"

    @property
    def witness(self) -> Path:
        """The memory of the demo's own witness."""
        return self.data / "witness"

    @property
    def log(self) -> Path:
        return self.data / "log"

    @property
    def state(self) -> Path:
        """Small notes of the start-up: schedule file, fingerprints, demo marker."""
        return self.data / "state"

    @property
    def keys(self) -> Path:
        return self.data / "keys.env"

    @property
    def lock(self) -> Path:
        """Held while services run on this folder; its presence also says that the folder is ours."""
        return self.data / "supervisor.lock"

    def create(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        for folder in (
            self.valkey, self.extracts, self.uploads, self.tlog, self.checkpointer, self.log, self.state,
        ):  # fmt: skip
            folder.mkdir(exist_ok=True, mode=0o700)


def from_environment() -> Paths:
    """`DATASPACE_DATA_DIR` if set, else `var/` in the project folder."""
    chosen = os.environ.get(DATA_DIR_VARIABLE)
    return Paths(Path(chosen).expanduser().resolve() if chosen else PROJECT / "var")
