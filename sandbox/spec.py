"""`RunSpec`: what a run is, frozen at submission. Plain values, versioned; fields are only ever added with defaults."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

VERSION = 1


@dataclass(frozen=True, slots=True)
class ExtractRef:
    """One extract the run may open: `table` is its name in SQL, the digests pin its bytes.

    `rows`: of the version, also where a script prepared its records.
    """

    table: str
    dataset_uid: str
    version_uid: str
    number: int
    rows: int
    sha256: str
    sm3: str
    script: str = (
        ""  # digest of the script that prepared these records; "" for an extract as it was published
    )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class RunSpec:
    contract: str  # digest of the signed document
    query: str  # digest of the canonical query
    extracts: tuple[ExtractRef, ...]
    version: int = VERSION

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> RunSpec:
        return cls(**{**data, "extracts": tuple(ExtractRef(**e) for e in data["extracts"])})
