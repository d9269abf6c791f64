"""What a decider sees of a trial: how far it is, and which share of the cells the terms would withhold, in words."""

from __future__ import annotations

from dataclasses import asdict
from functools import cached_property
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from catalog.models import Dataset
from catalog.names import title_of
from catalog.schema import Schema
from contracts.policy.terms import Lane
from dataspace.portal.budgets import figure
from dataspace.portal.doors import address
from dataspace.portal.forms.decisions import LANES, LIMITS
from dataspace.portal.parts import Col, Fact, Table
from dataspace.portal.rules import limits_in_words
from sandbox.models import Trial
from sandbox.states import TrialState
from sandbox.trials.result import OVER, UNDER
from sandbox.trials.tables import COUNTS

_PROBLEMS = {
    "not_releasable": lambda: _("No such table could be released: it cannot be protected."),
    "limit": lambda: _("Not computed: it needs more than the sandbox allows."),
}


class TrialPanel:
    """Everything is worked out on first use by the template."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial

    @property
    def url(self) -> str:
        return address("portal:trial", self.trial.uid)

    @property
    def status(self) -> str:
        return _("The terms are being tried on the data")

    @property
    def failure(self) -> str:
        return self.trial.get_failure_display() if self.trial.state == TrialState.FAILED else ""

    @cached_property
    def limits(self) -> list[str]:
        """The limits it was computed with: the form may say something else by now."""
        return limits_in_words(self.trial.terms.disclosure)

    @cached_property
    def lanes(self) -> list[Fact]:
        """What leaves in another lane than that of exact tables, and the private lane's limits, in these terms."""
        told = {ref.table for ref in self.trial.refs}
        found = []
        for dataset in self.trial.terms.datasets:
            if dataset.name in told:
                lanes = {COUNTS: dataset.lane} | {c.name: c.lane for c in dataset.columns}
                names = _Names(dataset.name, self._datasets)
                found += [
                    Fact(f"{names.title}: {names.measure(name)}", LANES[lane])
                    for name, lane in lanes.items()
                    if lane is not Lane.TABLE
                ]
        privacy = self.trial.terms.privacy
        limits = [] if privacy is None else asdict(privacy).items()
        return found + [Fact(LIMITS[name], value, kind="number") for name, value in limits]

    @cached_property
    def parts(self) -> list[Part]:
        return [
            Part(tried, _Names(tried["dataset"], self._datasets))
            for tried in (self.trial.result or {}).get("datasets", ())
        ]

    @property
    def has_shares(self) -> bool:
        return any(part.tables for part in self.parts)

    @cached_property
    def _datasets(self) -> dict[str, Dataset]:
        uids = [ref.dataset_uid for ref in self.trial.refs]
        return {dataset.name: dataset for dataset in Dataset.objects.filter(uid__in=uids)}


class _Names:
    """What a dataset, its columns and its counts are called on the page."""

    def __init__(self, name: str, datasets: dict[str, Dataset]) -> None:
        dataset = datasets.get(name)
        self.title = title_of(dataset) if dataset else name
        self._schema: Schema | None = dataset.current.schema if dataset and dataset.current else None

    def column(self, name: str) -> str:
        column = self._schema.column(name) if self._schema else None
        return (column.meaning if column else "") or name

    def measure(self, name: str) -> str:
        return _("counts") if name == COUNTS else self.column(name)


class Part:
    """One dataset of a finished trial. `tried` is an element of `datasets` in the result."""

    def __init__(self, tried: dict[str, Any], names: _Names) -> None:
        self._tried, self._names = tried, names
        self.title = names.title

    @cached_property
    def tables(self) -> list[Table]:
        """One for each lane with shares."""
        lanes = list(dict.fromkeys(table["lane"] for table in self._tried["tables"]))
        return [self._of_lane(lane) for lane in lanes]

    @cached_property
    def problems(self) -> list[str]:
        return [
            f"{self._by(table)}: {_PROBLEMS[table['problem']]()}"
            for table in self._tried["tables"]
            if table["problem"]
        ]

    @cached_property
    def noise(self) -> list[str]:
        """The private lane in sentences."""
        said = [
            _(
                "%(measure)s: noise of about ±%(width)s per cell (95 of 100 cells; %(table)s, asked for alone)."
            )
            % {
                "measure": self._names.measure(noise["measure"]),
                "width": figure(noise["half_width"]),
                "table": self._by(noise),
            }
            for noise in self._tried["noise"]
        ]
        left = self._tried["questions_left"]
        if left is not None:
            said.append(
                ngettext(
                    "The budget would be enough for about %(count)d question.",
                    "The budget would be enough for about %(count)d questions.",
                    left,
                )
                % {"count": left}
            )
        return said

    def _of_lane(self, lane: str) -> Table:
        shown = [t for t in self._tried["tables"] if t["lane"] == lane and not t["problem"]]
        measures = list(dict.fromkeys(w["measure"] for t in shown for w in t["withheld"]))
        rows = []
        for table in shown:
            shares = {w["measure"]: w["share"] for w in table["withheld"]}
            rows.append([self._by(table), table["cells"], *(share_words(shares[m]) for m in measures)])
        withheld = [Col(self._names.measure(m), numeric=True) for m in measures]
        caption = _("Share of the cells that would be withheld: %(lane)s") % {"lane": LANES[Lane(lane)]}
        columns = [Col(_("Table")), Col(_("Possible cells"), numeric=True), *withheld]
        return Table(caption, columns, rows, narrow="cards")

    def _by(self, table: dict[str, Any]) -> str:
        by = " × ".join(self._names.column(name) for name in table["by"])
        return _("by %(dimensions)s") % {"dimensions": by} if by else _("everybody together")


def share_words(share: dict[str, Any] | None) -> str:
    """A share of the cells that hold units."""
    if share is None:
        return _("all cells empty")
    words = {UNDER: _("under %(percent)d %%"), OVER: _("over %(percent)d %%")}.get(
        share["bound"], "%(percent)d %%"
    )
    return words % {"percent": share["percent"]}
