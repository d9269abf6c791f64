"""The schema as an editable table: one row per source column, one per derived column."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from audit.refusals import Refused
from catalog.dictionary import KIND_NAMES, RULE_NAMES, TYPE_NAMES
from catalog.models import GRADE_NAMES
from catalog.schema import MAX_SCALE, Column, ColumnKind, ColumnType, Derivation, DeriveRule, Grade, Schema

GRADES = [(int(grade), name) for grade, name in GRADE_NAMES.items()]
BINS = [(kind.value, KIND_NAMES[kind]) for kind in (ColumnKind.DIMENSION, ColumnKind.QUASI_IDENTIFIER)]


class LinesField(forms.CharField):
    """Several values, one a line, as a tuple."""

    widget = forms.Textarea(attrs={"rows": 1, "cols": 16})

    def clean(self, value: Any) -> tuple[str, ...]:
        return _lines(super().clean(value))

    def has_changed(self, initial: Any, data: Any) -> bool:
        """By its lines: browsers end each with carriage return and line feed."""
        return _lines(initial or "") != _lines(data or "")


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())


class DescribedForm(forms.Form):
    """What source columns and derived columns have in common."""

    name = forms.CharField(label=_("name"), max_length=48, widget=forms.TextInput(attrs={"size": 16}))
    meaning = forms.CharField(
        label=_("meaning"), max_length=200, required=False, widget=forms.TextInput(attrs={"size": 20})
    )
    grade = forms.TypedChoiceField(label=_("grade"), choices=GRADES, coerce=int, initial=int(Grade.GENERAL_1))
    domain = LinesField(label=_("list of values"), required=False)


class ColumnForm(DescribedForm):
    field_order = ("name", "type", "kind", "grade", "meaning", "domain", "unit_space", "nullable", "scale")
    kind = forms.ChoiceField(label=_("kind"), choices=[(k.value, n) for k, n in KIND_NAMES.items()])
    type = forms.ChoiceField(label=_("type"), choices=[(t.value, n) for t, n in TYPE_NAMES.items()])
    scale = forms.IntegerField(
        label=_("digits after the point"), min_value=0, max_value=MAX_SCALE, required=False,
        widget=forms.NumberInput(attrs={"size": 2}),
    )  # fmt: skip
    rounded = forms.BooleanField(label=_("round further digits"), required=False)
    nullable = forms.BooleanField(label=_("may be empty"), required=False)
    format = forms.CharField(
        label=_("pattern"), max_length=120, required=False, widget=forms.TextInput(attrs={"size": 10})
    )
    missing = LinesField(label=_("words for no value"), required=False)
    unit_space = forms.CharField(
        label=_("unit"), max_length=48, required=False, widget=forms.TextInput(attrs={"size": 10})
    )

    def column(self, header: str) -> Column:
        entered = self.cleaned_data
        return Column(
            name=entered["name"], header=header, type=ColumnType(entered["type"]), kind=ColumnKind(entered["kind"]),
            grade=Grade(entered["grade"]), meaning=entered["meaning"], scale=entered["scale"] or 0,
            nullable=entered["nullable"], domain=entered["domain"] or None, unit_space=entered["unit_space"],
            format=entered["format"], missing=entered["missing"], rounded=entered["rounded"],
        )  # fmt: skip


class DerivedForm(DescribedForm):
    """`source` is the place of a source column, so that renaming that column does not lose it."""

    field_order = ("name", "source", "rule", "edges", "length", "kind", "grade", "meaning", "domain")

    # Initial values make a row that nobody touched count as empty.
    kind = forms.ChoiceField(label=_("kind"), choices=BINS, initial=ColumnKind.DIMENSION.value)
    source = forms.TypedChoiceField(label=_("made from"), coerce=int)
    rule = forms.ChoiceField(
        label=_("by"), choices=[(r.value, n) for r, n in RULE_NAMES.items()], initial=DeriveRule.YEAR.value
    )
    edges = LinesField(label=_("limits of the bands"), required=False)
    length = forms.IntegerField(label=_("characters kept"), min_value=0, max_value=200, required=False)

    def __init__(self, *args: Any, headers: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        source = self.fields["source"]
        assert isinstance(source, forms.TypedChoiceField)
        source.choices = [("", "–"), *enumerate(headers)]

    def column(self, sources: list[Column]) -> Column:
        entered = self.cleaned_data
        source = sources[entered["source"]]
        how = Derivation(
            source=source.name, rule=DeriveRule(entered["rule"]), edges=entered["edges"],
            length=entered["length"] or 0,
        )  # fmt: skip
        return Column(
            name=entered["name"], header="", type=ColumnType.TEXT, kind=ColumnKind(entered["kind"]),
            grade=Grade(entered["grade"]), meaning=entered["meaning"], domain=entered["domain"] or how.labels() or None,
            derived=how, nullable=source.nullable,
        )  # fmt: skip


class SchemaForm:
    """Both tables together. `schema()` is what was entered; `show` puts a refusal beside the columns it is about."""

    def __init__(self, schema: Schema, data: Any = None) -> None:
        self.sources = [column for column in schema.columns if column.derived is None]
        derived = [column for column in schema.columns if column.derived is not None]
        count = len(self.sources)
        self.headers = [column.header for column in self.sources]
        self.columns = forms.formset_factory(
            ColumnForm, extra=0, min_num=0, max_num=count, absolute_max=count, validate_max=True
        )(data, prefix="columns", initial=[_initial(column) for column in self.sources])
        places = {column.name: place for place, column in enumerate(self.sources)}
        self.derived = forms.formset_factory(DerivedForm, extra=2, max_num=100, can_delete=True)(
            data, prefix="derived", form_kwargs={"headers": self.headers},
            initial=[_initial_derived(column, places) for column in derived],
        )  # fmt: skip

    @staticmethod
    def came_with(data: Any) -> bool:
        """Whether a POST carries the schema form."""
        return "columns-TOTAL_FORMS" in data

    def has_changed(self) -> bool:
        return self.columns.has_changed() or self.derived.has_changed()

    def is_valid(self) -> bool:
        return all([self.columns.is_valid(), self.derived.is_valid()]) and len(self.columns.forms) == len(
            self.headers
        )

    def schema(self) -> Schema:
        sources = [form.column(header) for form, header in zip(self.columns.forms, self.headers, strict=True)]
        used = [
            *self.derived.initial_forms,
            *(form for form in self.derived.extra_forms if form.has_changed()),
        ]
        bins = [form.column(sources) for form in used if form not in self.derived.deleted_forms]
        return Schema((*sources, *bins))

    def rows(self) -> list[tuple[str, forms.Form]]:
        """The source columns: header and form."""
        return list(zip(self.headers, self.columns.forms, strict=False))

    def show(self, refused: Refused) -> list[str]:
        """Mark the columns named in `refused`; return what concerns the whole schema."""
        whole: list[str] = []
        by_name = {
            form.cleaned_data["name"]: form
            for form in [*self.columns.forms, *self.derived.forms]
            if form.is_bound and form.is_valid() and form.cleaned_data.get("name")
        }
        for fault in refused.details.get("faults", []):
            form = by_name.get(fault["column"])
            if form is None:
                whole.append(fault["reason"])
            else:
                form.add_error(None, fault["reason"])
        return whole


def _initial(column: Column) -> dict[str, Any]:
    return {
        "name": column.name, "meaning": column.meaning, "grade": int(column.grade), "kind": column.kind.value,
        "type": column.type.value, "scale": column.scale, "rounded": column.rounded, "nullable": column.nullable,
        "format": column.format, "domain": "\n".join(column.domain or ()), "missing": "\n".join(column.missing),
        "unit_space": column.unit_space,
    }  # fmt: skip


def _initial_derived(column: Column, places: dict[str, int]) -> dict[str, Any]:
    how = column.derived
    assert how is not None
    return {
        "name": column.name, "meaning": column.meaning, "grade": int(column.grade), "kind": column.kind.value,
        "domain": "\n".join(column.domain or ()), "source": places.get(how.source), "rule": how.rule.value,
        "edges": "\n".join(how.edges), "length": how.length,
    }  # fmt: skip
