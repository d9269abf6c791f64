"""From a file handed in to an immutable extract, with the provider deciding in between."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from django.conf import settings

from audit.refusals import Refused
from catalog import selectors, services
from catalog.checking import continued
from catalog.jobs import work_on
from catalog.models import Dataset, Version
from catalog.schema import Column, ColumnKind, ColumnType, Derivation, DeriveRule, Grade, Schema
from catalog.states import DatasetState, VersionState
from parties.actors import NOBODY, Actor
from tests.catalog_world import (
    CLEAN,
    DIRTY,
    checked,
    describe,
    entries,
    fresh,
    hand_in,
    listed,
    published,
    steward,
    stored,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def own() -> Actor:
    return steward()


@pytest.fixture
def draft(own) -> Dataset:
    return describe(own)


def test_a_file_that_fits_is_checked_decided_and_published(own, draft) -> None:
    version = hand_in(own, draft)
    assert (version.state, version.number, version.upload_size) == (
        VersionState.UPLOADED,
        1,
        len(CLEAN.encode()),
    )
    assert version.upload_sha256 == hashlib.sha256(CLEAN.encode()).hexdigest()
    work_on(version.uid)
    version = fresh(version)
    assert version.state == VersionState.CHECKED
    assert version.findings["rows"] == 300
    assert version.bad_rows == 0
    assert version.schema.unit.header == "企业代码"
    assert version.grade == int(version.schema.grade)
    services.decide_bad_rows(actor=own, version=version, on_bad_rows="publish")
    assert fresh(version).state == VersionState.BUILDING
    work_on(version.uid)
    version = fresh(version)
    assert version.state == VersionState.PUBLISHED
    assert (version.rows, version.dropped_rows, version.units) == (300, 0, 300)
    assert hashlib.sha256(version.extract_path.read_bytes()).hexdigest() == version.sha256
    assert "E001" not in str(pq.read_table(version.extract_path).to_pylist())
    assert fresh(draft).current == version
    acts = [entry["act"] for entry in entries() if entry["obj"] == version.audit_ref]
    assert acts == [
        "version.uploaded",
        "version.checking",
        "version.checked",
        "version.building",
        "version.published",
    ]
    [done] = entries("version.published")
    assert done["x"]["sha256"] == version.sha256
    assert done["actor"] == "system:worker"


def test_rows_that_do_not_fit_are_named_and_nothing_is_published_until_it_is_decided(own, draft) -> None:
    version = checked(own, draft, DIRTY)
    assert version.state == VersionState.CHECKED
    assert (version.findings["rows"], version.bad_rows) == (302, 2)
    named = {
        (fault["column"], sample["row"])
        for fault in version.findings["faults"]
        for sample in fault["samples"]
    }
    month = next(c.name for c in version.schema.columns if c.header == "日期")
    amount = next(c.name for c in version.schema.columns if c.header == "用电量")
    assert {(month, 301), (amount, 302)} <= named
    work_on(version.uid)
    assert fresh(version).state == VersionState.CHECKED
    with pytest.raises(Refused) as refused:
        services.decide_bad_rows(actor=own, version=version, on_bad_rows="publish")
    assert refused.value.code == "version.has_bad_rows"
    assert fresh(version).state == VersionState.CHECKED
    with pytest.raises(Refused) as refused:
        services.list_dataset(actor=own, dataset=draft)
    assert refused.value.code == "dataset.nothing_published"


def test_bad_rows_left_out_are_counted_on_record(own, draft) -> None:
    version = published(own, draft, DIRTY)
    assert (version.rows, version.dropped_rows, version.on_bad_rows) == (300, 2, "drop_rows")
    [done] = entries("version.published")
    assert (done["x"]["rows"], done["x"]["dropped_rows"]) == (300, 2)


def test_a_rejected_version_publishes_nothing_and_loses_its_file(
    own, draft, django_capture_on_commit_callbacks
) -> None:
    version = checked(own, draft, DIRTY)
    extracts = stored()[1]
    with django_capture_on_commit_callbacks(execute=True):
        services.decide_bad_rows(actor=own, version=version, on_bad_rows="reject")
    assert fresh(version).state == VersionState.REJECTED
    assert not version.upload_path.exists()
    work_on(version.uid)
    assert fresh(version).state == VersionState.REJECTED
    assert stored()[1] == extracts
    for decision in ("publish", "drop_rows", "reject"):
        with pytest.raises(Refused) as refused:
            services.decide_bad_rows(actor=own, version=version, on_bad_rows=decision)
        assert refused.value.code == "state.not_allowed"


def test_a_corrected_schema_is_checked_again(own, draft) -> None:
    version = checked(own, draft, DIRTY)
    amount = next(c for c in version.schema.columns if c.header == "用电量")
    corrected = Schema(
        tuple(
            replace(
                c,
                type=ColumnType.TEXT,
                kind=ColumnKind.SENSITIVE,
                scale=0,
                rounded=False,
                domain=None,
                grade=Grade.GENERAL_4,
            )
            if c == amount
            else c
            for c in version.schema.columns
        )
    )
    services.set_schema(actor=own, version=version, schema=corrected)
    version = fresh(version)
    assert (version.state, version.findings, version.grade) == (VersionState.UPLOADED, None, Grade.GENERAL_4)
    work_on(version.uid)
    version = fresh(version)
    assert version.state == VersionState.CHECKED
    assert version.schema == corrected
    assert version.bad_rows == 1


def test_a_faulty_schema_is_refused_with_each_fault(own, draft) -> None:
    version = checked(own, draft)
    columns = version.schema.columns
    faulty = Schema(
        (replace(columns[0], name="Not A Name"), replace(columns[1], name=columns[2].name), *columns[2:])
    )
    with pytest.raises(Refused) as refused:
        services.set_schema(actor=own, version=version, schema=faulty)
    assert refused.value.code == "schema.faults"
    assert {fault["code"] for fault in refused.value.details["faults"]} >= {
        "schema.name",
        "schema.duplicate_name",
    }
    assert fresh(version).schema == version.schema


def test_a_schema_over_other_columns_is_refused(own, draft) -> None:
    version = checked(own, draft)
    for columns in (
        version.schema.columns[1:],
        (*version.schema.columns, Column("x", "y", ColumnType.TEXT, ColumnKind.DIMENSION)),
    ):
        with pytest.raises(Refused) as refused:
            services.set_schema(actor=own, version=version, schema=Schema(tuple(columns)))
        assert refused.value.code in {"schema.other_columns", "schema.faults"}
    assert fresh(version).state == VersionState.CHECKED


def test_a_file_that_cannot_be_read_fails_with_a_reason(own, draft) -> None:
    version = hand_in(own, draft, "PAR1 this is no Parquet file", "x.parquet")
    work_on(version.uid)
    version = fresh(version)
    assert version.state == VersionState.FAILED
    assert version.failure.startswith("source.")
    assert version.failure_text
    assert entries("version.failed")[0]["x"] == {"code": version.failure}


@pytest.mark.parametrize(
    ("name", "content", "code"), [("x.exe", b"a", "upload.format"), ("x.csv", b"", "upload.empty")]
)
def test_what_cannot_be_taken_in_leaves_nothing_behind(own, draft, name, content, code) -> None:
    before = stored()
    with pytest.raises(Refused) as refused:
        services.hand_in_file(actor=own, dataset=draft, chunks=[content], file_name=name)
    assert refused.value.code == code
    assert stored() == before
    assert not draft.versions.exists()


def test_a_file_that_is_too_large_is_cut_off_while_reading(own, draft, monkeypatch) -> None:
    monkeypatch.setattr("catalog.uploads.LARGEST", 1000)
    seen = []

    def stream():
        while True:
            seen.append(1)
            yield b"x" * 100

    before = stored()
    with pytest.raises(Refused) as refused:
        services.hand_in_file(actor=own, dataset=draft, chunks=stream(), file_name="x.csv")
    assert refused.value.code == "upload.too_large"
    assert len(seen) == 11
    assert stored() == before


def test_core_data_are_never_listed(own, draft) -> None:
    version = checked(own, draft)
    core = Schema(
        tuple(replace(c, grade=Grade.CORE) if n == 0 else c for n, c in enumerate(version.schema.columns))
    )
    services.set_schema(actor=own, version=version, schema=core)
    work_on(version.uid)
    services.decide_bad_rows(actor=own, version=version, on_bad_rows="publish")
    work_on(version.uid)
    assert fresh(version).state == VersionState.PUBLISHED
    with pytest.raises(Refused) as refused:
        services.list_dataset(actor=own, dataset=draft)
    assert refused.value.code == "dataset.core_grade"
    assert fresh(draft).state == DatasetState.DRAFT


def test_core_data_do_not_slip_under_a_listed_dataset(own) -> None:
    dataset = listed(own)
    version = checked(own, dataset)
    core = Schema(tuple(replace(c, grade=Grade.CORE) for c in version.schema.columns))
    services.set_schema(actor=own, version=version, schema=core)
    work_on(version.uid)
    with pytest.raises(Refused) as refused:
        services.decide_bad_rows(actor=own, version=version, on_bad_rows="publish")
    assert refused.value.code == "dataset.core_grade"
    services.withdraw_dataset(actor=own, dataset=dataset)
    services.decide_bad_rows(actor=own, version=version, on_bad_rows="publish")
    Dataset.objects.filter(pk=dataset.pk).update(
        state=DatasetState.LISTED
    )  # as if listed between decision and build
    work_on(version.uid)
    version = fresh(version)
    assert (version.state, version.failure) == (VersionState.FAILED, "dataset.core_grade")


def test_a_further_edition_keeps_what_the_provider_said(own) -> None:
    dataset = describe(own)
    version = checked(own, dataset)
    told = Schema(
        tuple(
            replace(c, meaning=f"told {c.name}") if c.derived is None else c for c in version.schema.columns
        )
    )
    services.set_schema(actor=own, version=version, schema=told)
    work_on(version.uid)
    services.decide_bad_rows(actor=own, version=version, on_bad_rows="publish")
    work_on(version.uid)
    later = CLEAN.replace("2025-", "2026-")
    second = checked(own, dataset, later)
    assert second.number == 2
    assert second.bad_rows == 0, second.findings
    assert [c.meaning for c in second.schema.columns if c.derived is None] == [
        c.meaning for c in told.columns if c.derived is None
    ]


def test_a_further_edition_with_other_columns_is_inferred_anew_where_it_differs() -> None:
    unit = Column(
        "unit", "U", ColumnType.TEXT, ColumnKind.PRIVACY_UNIT, unit_space="enterprise", meaning="told"
    )
    day = Column("day", "D", ColumnType.DATE, ColumnKind.QUASI_IDENTIFIER, meaning="told")
    month = Column(
        "m",
        "",
        ColumnType.TEXT,
        ColumnKind.DIMENSION,
        domain=("2025-01",),
        derived=Derivation("day", DeriveRule.YEAR_MONTH),
    )
    inferred = Schema(
        (
            Column("u", "U", ColumnType.TEXT, ColumnKind.DIMENSION),
            Column("d", "D", ColumnType.DATE, ColumnKind.QUASI_IDENTIFIER),
            Column("new", "N", ColumnType.INTEGER, ColumnKind.MEASURE),
            replace(month, domain=("2025-02",), derived=Derivation("d", DeriveRule.YEAR_MONTH)),
        )
    )
    schema = continued(inferred, Schema((unit, day, month)))
    assert schema.columns == (unit, day, inferred.columns[2], replace(month, domain=("2025-01", "2025-02")))
    clash = replace(inferred.columns[2], name="unit")
    assert continued(Schema((inferred.columns[0], clash)), Schema((unit,))) == Schema(
        (inferred.columns[0], clash)
    )


def test_a_changed_description_records_which_fields_and_an_unchanged_one_nothing(own, draft) -> None:
    said = services.Description(title=draft.title, description="new words", theme="能源")
    services.change_dataset(actor=own, dataset=draft, description=said)
    assert entries("dataset.changed")[0]["x"] == {"fields": ["description", "theme"]}
    services.change_dataset(actor=own, dataset=draft, description=said)
    assert len(entries("dataset.changed")) == 1


@pytest.mark.parametrize("name", ["Big", "1st", "a-b", "", "x" * 49, "_row"])
def test_a_name_that_is_no_table_name_is_refused(own, name) -> None:
    with pytest.raises(Refused) as refused:
        services.create_dataset(
            actor=own, name=name, description=services.Description(title="t", description="d")
        )
    assert refused.value.code == "dataset.invalid"
    assert "name" in refused.value.details["fields"]
    assert not Dataset.objects.exists()


def test_a_name_is_given_once(own, draft) -> None:
    with pytest.raises(Refused) as refused:
        services.create_dataset(
            actor=steward(), name=draft.name, description=services.Description(title="t", description="d")
        )
    assert refused.value.code == "dataset.invalid"


def test_showing_and_hiding_are_recorded_once_each(own, draft) -> None:
    other = steward().organization
    for _ in range(2):
        services.show_to(actor=own, dataset=draft, organization=other)
    assert list(selectors.shown_to(draft)) == [other]
    for _ in range(2):
        services.hide_from(actor=own, dataset=draft, organization=other)
    assert not selectors.shown_to(draft)
    assert len(entries("dataset.shown_to")) == len(entries("dataset.hidden_from")) == 1


# --- Search ---------------------------------------------------------------------------------------------


def test_parts_of_chinese_words_are_found(own) -> None:
    dataset = listed(
        own, title="企业月度用电量", theme="能源电力", title_en="Monthly electricity of enterprises"
    )
    for text in (
        "用电",
        "电量",
        "度用",
        "月",
        "用电量",
        "企业 用电",
        "ELECTR",
        "能源",
        "日期",
        "行业",
        "ｍｏｎｔｈ",
    ):
        assert list(selectors.search(NOBODY, text)) == [dataset], text
    for text in ("水量", "电用", "用电 水", "lectricity", "！？"):
        assert not selectors.search(NOBODY, text).exists(), text


def test_a_title_ranks_before_a_description(own) -> None:
    second = listed(own, title="供水", description="与电力有关")
    first = listed(own, title="电力", description="月报")
    assert list(selectors.search(NOBODY, "电力")) == [first, second]


def test_new_words_are_found_as_soon_as_they_are_said(own) -> None:
    dataset = listed(own, title="before")
    services.change_dataset(
        actor=own, dataset=dataset, description=services.Description(title="供热", description="d")
    )
    assert list(selectors.search(NOBODY, "供热")) == [dataset]
    assert not selectors.search(NOBODY, "before").exists()


def test_filters_narrow_what_is_found(own) -> None:
    from catalog.selectors import Filters

    energy, water = listed(own, theme="能源", synthetic=True), listed(own, theme="水务")
    grade = energy.grade
    cases = [
        (Filters(theme="能源"), {energy}),
        (Filters(synthetic=False), {water}),
        (Filters(provider=own.organization.uid), {energy, water}),
        (Filters(provider=energy.uid), set()),
        (Filters(grade=int(grade)), {energy, water}),
        (Filters(grade=int(grade) - 1), set()),
        (Filters(cadence="每月"), set()),
    ]
    for chosen, expected in cases:
        assert set(selectors.search(NOBODY, "", chosen)) == expected, chosen
    describe(own, theme="能源")
    assert set(selectors.search(own, "", Filters(grade=6))) == {energy, water}


def test_the_extracts_folder_holds_published_extracts_only(own, draft) -> None:
    before = stored()[1]
    version = published(own, draft)
    new = {name for name in stored()[1] - before if name.endswith(".parquet")}
    assert new <= {f"{version.sha256}.parquet"}
    assert Path(settings.EXTRACTS_DIR, f"{version.sha256}.parquet").exists()
    assert Version.objects.filter(sha256=version.sha256).count() == 1
