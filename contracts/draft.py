"""From what was asked and decided to the terms of a contract: columns by their kind, limits by grade and decision."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta
from itertools import combinations
from typing import Any

from django.utils.translation import gettext_lazy as _

from audit.refusals import Refused
from catalog.models import Dataset
from catalog.schema import Column, ColumnKind, ColumnType, Grade, Schema
from contracts.lanes import Choices, in_lanes, privacy_terms
from contracts.models import AccessRequest, Decision
from contracts.policy.strictest import check_grade, defaults_for, strictest
from contracts.policy.terms import (
    Aggregate,
    ColumnRole,
    ColumnTerm,
    DatasetTerm,
    DisclosureTerms,
    JoinTerm,
    Level,
    Terms,
)
from contracts.states import Part

RETENTION_DAYS = 365
_NUMBERS = (ColumnType.INTEGER, ColumnType.DECIMAL)
_GROUPABLE = (ColumnKind.DIMENSION, ColumnKind.QUASI_IDENTIFIER)


def offered_role(column: Column) -> ColumnRole | None:
    """In which role a contract can offer a column; None if it cannot (identifiers, dimensions without a domain)."""
    if column.kind is ColumnKind.PRIVACY_UNIT:
        return ColumnRole.UNIT
    if column.kind in _GROUPABLE and column.domain:
        return ColumnRole.DIMENSION
    if column.kind in (ColumnKind.MEASURE, ColumnKind.SENSITIVE) and column.type in _NUMBERS:
        return ColumnRole.MEASURE
    return None


def offered_columns(schema: Schema) -> list[Column]:
    """The columns an enterprise can ask for. The privacy unit comes with the dataset and is not asked for."""
    return [c for c in schema.columns if offered_role(c) in (ColumnRole.DIMENSION, ColumnRole.MEASURE)]


def draft_terms(
    request: AccessRequest, *, now: datetime, decisions: Sequence[Decision] | None = None
) -> Terms:
    """The terms both sides will sign. Raises Refused if a dataset is no longer offered as it was asked for.

    `decisions`: to be taken for those of the request.
    """
    now = now.replace(microsecond=0)
    items = [
        (item.dataset, item.columns)
        for item in request.items.select_related("dataset__provider").order_by("dataset__name")
    ]
    decisions = list(request.decisions.all() if decisions is None else decisions)
    grades = [_grade(_schema_of(dataset), columns) for dataset, columns in items]
    datasets = tuple(
        in_lanes(_dataset_term(dataset, columns), _lanes(dataset, decisions), grade)
        for (dataset, columns), grade in zip(items, grades, strict=True)
    )
    return Terms(
        assigners=tuple(sorted({dataset.provider.iri for dataset, _columns in items})),
        assignee=request.organization.iri,
        purpose=request.purpose,
        scenario=request.scenario,
        datasets=datasets,
        joins=_joins([(dataset.name, _schema_of(dataset)) for dataset, _columns in items]),
        disclosure=_disclosure(grades, [d.limits for d in decisions]),
        privacy=privacy_terms(datasets, grades, [d.limits for d in decisions]),
        max_runs=min(
            [request.max_runs, *(d.limits["max_runs"] for d in decisions if "max_runs" in d.limits)]
        ),
        valid_from=now,
        valid_until=now + timedelta(days=request.term_days),
        retention_days=min(
            [RETENTION_DAYS, *(d.limits["retention_days"] for d in decisions if "retention_days" in d.limits)]
        ),
    )


def check_columns(dataset: Dataset, names: Iterable[str]) -> None:
    """Raise Refused unless each named column is offered by the dataset's current version."""
    offered = {c.name for c in offered_columns(_schema_of(dataset))}
    wrong = sorted(set(names) - offered)
    if wrong:
        raise Refused(
            "request.columns",
            _("These columns are not offered: %(columns)s. Choose from the dataset's data dictionary.")
            % {"columns": ", ".join(wrong)},
            columns=wrong,
        )


def _schema_of(dataset: Dataset) -> Schema:
    version = dataset.current
    if version is None:
        raise Refused(
            "dataset.no_version",
            _("This dataset has no published version at the moment."),
            dataset=dataset.name,
        )
    return version.schema


def _dataset_term(dataset: Dataset, names: list[str]) -> DatasetTerm:
    check_columns(dataset, names)
    schema = _schema_of(dataset)
    wanted = [c for c in schema.columns if c.kind is ColumnKind.PRIVACY_UNIT or c.name in names]
    constant = dataset.current.constant_columns if dataset.current else frozenset[str]()
    columns = tuple(_column_term(c, constant=c.name in constant) for c in wanted)
    return DatasetTerm(uid=dataset.iri, name=dataset.name, columns=columns)


def _column_term(column: Column, *, constant: bool) -> ColumnTerm:
    role = offered_role(column)
    assert role is not None  # check_columns
    measure = role is ColumnRole.MEASURE
    return ColumnTerm(
        name=column.name,
        type=column.type,
        role=role,
        domain=tuple(column.domain or ()) if role is ColumnRole.DIMENSION else (),
        aggregates=(Aggregate.COUNT, Aggregate.SUM, Aggregate.AVG) if measure else (),
        scale=column.scale,
        level=Level.UNIT if role is ColumnRole.DIMENSION and constant else Level.EVENT,
    )


def _joins(schemas: list[tuple[str, Schema]]) -> tuple[JoinTerm, ...]:
    """Datasets about the same kind of unit may be joined on it: pseudonyms are equal within a unit space."""
    units = [(name, schema.unit) for name, schema in schemas if schema.unit is not None]
    return tuple(
        JoinTerm((left, a.name), (right, b.name))
        for (left, a), (right, b) in combinations(units, 2)
        if a.unit_space == b.unit_space
    )


def _grade(schema: Schema, names: list[str]) -> Grade:
    """The highest of what the contract reaches. Direct identifiers were dropped at ingest and weigh nothing here."""
    return max(c.grade for c in schema.columns if c.kind is ColumnKind.PRIVACY_UNIT or c.name in names)


def _lanes(dataset: Dataset, decisions: list[Decision]) -> Choices:
    """What its own provider chose; nobody else decides in which lane its numbers leave."""
    own = (d for d in decisions if d.part == Part.PROVIDER and d.organization_id == dataset.provider_id)
    return next((d.limits.get("lanes", {}) for d in own), {})


def _disclosure(grades: list[Grade], limits: list[dict[str, Any]]) -> DisclosureTerms:
    terms = strictest(*(defaults_for(grade) for grade in grades))
    if limits and all(limit.get("allow_scripts") for limit in limits):
        # The one limit that deciders loosen, and only all of them together.
        terms = replace(terms, allow_scripts=1)
    known = {field.name for field in fields(DisclosureTerms)}
    for limit in limits:
        asked = {name: value for name, value in limit.items() if name in known}
        if asked:
            terms = strictest(terms, replace(terms, **asked))
    for grade in grades:
        check_grade(grade, terms)
    return terms
