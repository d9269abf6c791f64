"""Populations of real people, loans and buildings; where each file is from stands in the README beside them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path

import numpy as np

from tests.attacks.attacker.contracts import HIGHEST
from tests.attacks.attacker.worlds import Population, frame_of

Row = Mapping[str, str]


def adults(folder: Path) -> Population:
    """Hours worked in a week, by sex and marital status."""
    return _read(
        folder / "adult_income.csv",
        "person_id",
        ("sex", "marital-status"),
        lambda row: float(row["hours-per-week"]),
    )


def loans(folder: Path) -> Population:
    """Months of loans, by kind of area and age of the enterprise; some enterprises have several."""
    return _read(
        folder / "sme_loans.csv", "enterprise_id", ("UrbanRural", "NewExist"), lambda row: float(row["Term"])
    )


def buildings(folder: Path) -> Population:
    """Electricity of buildings in both years, in units of 100,000 kWh, by district and kind."""
    return _read(
        folder / "building_energy_2015_2016.csv", "OSEBuildingID", ("CouncilDistrictCode", "BuildingType"),
        lambda row: max(0.0, float(row["Electricity(kWh)"] or 0) / 1e5),
    )  # fmt: skip


def _read(
    path: Path, unit: str, dims: tuple[str, str], value: Callable[[Row], float], rows: int = 700
) -> Population:
    """The first rows; a dimension's declared values are those that are there, "?" and "" are undeclared."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        found = list(islice(csv.DictReader(file), rows))
    names = [name.lower().replace("-", "_") for name in dims]
    domains = [sorted({row[name] for row in found} - {"?", ""}) for name in dims]
    places = {
        name: np.array([domain.index(row[dim]) if row[dim] in domain else -1 for row in found])
        for name, dim, domain in zip(names, dims, domains, strict=True)
    }
    units = np.unique([row[unit] for row in found], return_inverse=True)[1].astype(np.int64)
    values = np.array([round(min(value(row), HIGHEST)) for row in found], np.int64)
    named = {name: tuple(domain) for name, domain in zip(names, domains, strict=True)}
    return Population(path.stem, frame_of(named, units, places, values))
