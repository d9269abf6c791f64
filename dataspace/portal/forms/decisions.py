"""What is decided: grant or decline, stricter limits, and in which lane the numbers of a provider's datasets leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from contracts.limits import BOUNDS, LIMIT_NAMES, PRIVATE_LIMITS
from contracts.policy.terms import Lane, Terms
from contracts.policy.validate import MAX_BOUND
from contracts.states import Outcome

LIMITS: dict[str, StrOrPromise] = {
    "min_contributors": _("Contributors per cell, at least"),
    "dominance_n": _("Dominance rule: the largest n contributors"),
    "dominance_percent": _("… hold at most this share (%)"),
    "p_percent": _("Largest contributor estimable to no better than (%)"),
    "round_counts": _("Counts rounded to multiples of"),
    "sum_digits": _("Digits kept of sums (0 = all)"),
    "max_dimensions": _("Dimensions per result, at most"),
    "max_cells": _("Cells per result, at most"),
    "complement_contributors": _("Contributors in what is left of a total, at least"),
    "show_zeros": _("Empty cells shown as 0 (1 = yes, 0 = no)"),
    "max_releases": _("Different tables, at most"),
    "max_refusals": _("Refusals that depend on data before exact tables close"),
    "allow_scripts": _("Reviewed scripts may prepare the records"),
    "contract_budget": _("Privacy budget of the contract (millionths of rho)"),
    "query_budget": _("… of it for one question, at most"),
    "delta_exponent": _("Delta of the guarantee: 10 to the minus"),
    "max_groups": _("Cells one contributor counts in, at most"),
    "max_rows": _("Records of one contributor counted in a cell, at most"),
    "max_runs": _("Computations, at most"),
    "retention_days": _("Days a result can be downloaded, at most"),
}
SCRIPTS = "allow_scripts"  # a yes or no; the other limits are numbers
NUMBERS = tuple(name for name in LIMIT_NAMES if name != SCRIPTS)
LANES: dict[Lane, StrOrPromise] = {
    Lane.TABLE: _("exact tables"),
    Lane.PERTURBED: _("small changes (cell key)"),
    Lane.PRIVATE: _("differential privacy"),
}


@dataclass(frozen=True, slots=True)
class Measurable:
    """One thing a provider's dataset can be asked for. `what`: "electricity.kwh", "electricity." for its counts.

    `used`: the lane its numbers have left in already; it cannot be left again.
    """

    what: str
    label: str
    bounded: bool
    used: Lane | None = None


@dataclass(frozen=True, slots=True)
class LaneRow:
    label: str
    lane: forms.BoundField
    bounds: list[forms.BoundField]


class DecisionForm(forms.Form):
    """Grant or decline with a reason; limits stricter than what the terms would be without them are optional."""

    outcome = forms.ChoiceField(label=_("Decision"), choices=Outcome.choices, widget=forms.RadioSelect)
    reason = forms.CharField(
        label=_("Reason"), max_length=2000, strip=True, widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("The enterprise reads it."),
    )  # fmt: skip

    def __init__(
        self,
        *args: Any,
        terms: Terms | None,
        measurables: Sequence[Measurable] = (),
        trying: bool = False,
        **kwargs: Any,
    ) -> None:
        """`terms`: those that would be drawn up if nobody asked for stricter limits from here on; None if unknown.

        `measurables`: those of the decider's own datasets. `trying`: nothing is decided yet, so no reason is needed.
        """
        super().__init__(*args, **kwargs)
        self.measurables = measurables
        if trying:
            self.fields["outcome"].required = self.fields["reason"].required = False
        standing = standing_limits(terms) if terms else {}
        self.fields[SCRIPTS] = forms.BooleanField(
            label=LIMITS[SCRIPTS], required=False,
            help_text=_("Only where every decider ticks this. Two reviewers read each script, and each result asked of "
                        "its records, before it leaves."),
        )  # fmt: skip
        for name in NUMBERS:
            low, high = BOUNDS[name]
            default = standing.get(name)
            shown = _("Without an entry: %(value)d") % {"value": default} if default is not None else ""
            self.fields[name] = forms.IntegerField(
                label=LIMITS[name], required=False, min_value=low, max_value=high, help_text=shown,
                widget=forms.NumberInput(attrs={"placeholder": default if default is not None else ""}),
            )  # fmt: skip

        for i, measurable in enumerate(measurables):
            self._add_lane(i, measurable)

    def _add_lane(self, i: int, measurable: Measurable) -> None:
        used = _("Its numbers have left in this lane already; another would be refused.")
        self.fields[f"lane_{i}"] = forms.ChoiceField(
            label=measurable.label, choices=list(LANES.items()), required=False,
            initial=measurable.used or Lane.TABLE, help_text=used if measurable.used else "",
        )  # fmt: skip
        if measurable.bounded:
            self.fields[f"low_{i}"] = forms.IntegerField(
                label=_("One contributor adds to a cell, at least"),
                required=False,
                min_value=-MAX_BOUND,
                max_value=0,
            )
            self.fields[f"high_{i}"] = forms.IntegerField(
                label=_("… and at most"), required=False, min_value=0, max_value=MAX_BOUND
            )

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        for i, measurable in enumerate(self.measurables):
            private = cleaned.get(f"lane_{i}") == Lane.PRIVATE
            if private and measurable.bounded and not (cleaned.get(f"low_{i}") or cleaned.get(f"high_{i}")):
                message = _("Differential privacy needs to know how much one contributor may add to a cell.")
                self.add_error(f"high_{i}", message)
        return cleaned

    @property
    def lanes(self) -> dict[str, dict[str, Any]]:
        """What was chosen other than exact tables, as `contracts.lanes` stores it."""
        chosen: dict[str, dict[str, Any]] = {}
        for i, measurable in enumerate(self.measurables):
            lane = self.cleaned_data.get(f"lane_{i}") or Lane.TABLE
            if lane == Lane.TABLE:
                continue
            chosen[measurable.what] = {"lane": str(lane)}
            if lane == Lane.PRIVATE and measurable.bounded:
                for bound in ("low", "high"):
                    chosen[measurable.what][bound] = self.cleaned_data.get(f"{bound}_{i}") or 0
        return chosen

    @property
    def lane_rows(self) -> list[LaneRow]:
        return [
            LaneRow(m.label, self[f"lane_{i}"], [self[f"low_{i}"], self[f"high_{i}"]] if m.bounded else [])
            for i, m in enumerate(self.measurables)
        ]

    @property
    def lanes_touched(self) -> bool:
        """As `limits_touched`; a decider who has lanes to choose finds the private limits beside them."""
        chosen = any(
            row.lane.value() not in (None, "", Lane.TABLE) or any(field.errors for field in row.bounds)
            for row in self.lane_rows
        )
        return chosen or _touched(self.private_fields)

    @property
    def limits(self) -> dict[str, int]:
        numbers = {name: value for name in NUMBERS if (value := self.cleaned_data.get(name)) is not None}
        return {**numbers, SCRIPTS: 1} if self.cleaned_data.get(SCRIPTS) else numbers

    @property
    def limit_fields(self) -> list[forms.BoundField]:
        """Those that count in every contract."""
        return [self[name] for name in NUMBERS if name not in PRIVATE_LIMITS]

    @property
    def private_fields(self) -> list[forms.BoundField]:
        """Those that count only where something leaves under differential privacy."""
        return [self[name] for name in PRIVATE_LIMITS]

    @property
    def limits_touched(self) -> bool:
        """Whether the folded part has something in it that must be seen."""
        return _touched(self.limit_fields if self.lane_rows else [*self.limit_fields, *self.private_fields])


def _touched(fields: Sequence[forms.BoundField]) -> bool:
    return any(field.errors or field.value() not in (None, "") for field in fields)


def standing_limits(terms: Terms) -> dict[str, int]:
    """Name of a limit → its value in these terms."""
    privacy = {} if terms.privacy is None else asdict(terms.privacy)
    return {
        **asdict(terms.disclosure),
        **privacy,
        "max_runs": terms.max_runs,
        "retention_days": terms.retention_days,
    }
