"""What the page of one request shows: the facts, the columns with their meanings, who holds it, what can be done."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from audit.refusals import Refused
from catalog.models import Dataset
from catalog.names import title_of
from catalog.schema import Column
from catalog.selectors import with_current
from contracts import permissions
from contracts.draft import draft_terms, offered_columns, offered_role
from contracts.models import AccessRequest, Contract, Decision
from contracts.policy.terms import ColumnRole, Lane, Terms
from contracts.services.requests import contract_of
from contracts.states import Outcome, RequestState
from dataspace.portal.doors import address, reason_against
from dataspace.portal.forms.decisions import LANES, LIMITS, SCRIPTS, DecisionForm, Measurable
from dataspace.portal.parts import Crumb, Fact, Step
from dataspace.portal.trial_panel import TrialPanel
from parties.actors import Actor
from parties.names import name_of
from sandbox.models import Trial
from sandbox.selectors import lanes_of, visible_trials


@dataclass(frozen=True, slots=True)
class Asked:
    """One dataset of a request. A column that the current version no longer has keeps its name and has no meaning."""

    title: str
    url: str
    name: str
    provider: str
    columns: list[tuple[str, Column | None]]


@dataclass(frozen=True, slots=True)
class Said:
    """One decision that was made."""

    decision: Decision
    organization: str
    limits: list[Fact]


@dataclass(frozen=True, slots=True)
class RequestRow:
    """A request in a list. `holders` have yet to decide it."""

    asked: AccessRequest
    enterprise: str
    datasets: list[str]
    holders: list[str]


class RequestPage:
    """Everything is worked out on first use by the template."""

    def __init__(
        self,
        actor: Actor,
        asked: AccessRequest,
        form: DecisionForm | None = None,
        trial: Trial | None = None,
    ) -> None:
        self._actor, self._asked, self._form, self._trial = actor, asked, form, trial
        self.trail = [Crumb(_("Requests"), address("portal:requests"))]

    @cached_property
    def title(self) -> StrOrPromise:
        return name_of(self._asked.organization)

    @cached_property
    def facts(self) -> list[Fact]:
        asked = self._asked
        return [
            Fact(_("Purpose"), asked.get_purpose_display()),
            Fact(_("Scenario"), asked.scenario),
            Fact(_("Wanted measures"), asked.wanted),
            Fact(_("Term in days"), asked.term_days, kind="number"),
            Fact(_("Number of runs"), asked.max_runs, kind="number"),
            Fact(_("Filed by"), str(asked.filed_by)),
            Fact(_("Filed"), asked.filed, kind="moment"),
        ]

    @cached_property
    def datasets(self) -> list[Asked]:
        items = list(self._asked.items.all())
        uids = [item.dataset_id for item in items]
        # Whoever may see the request may see what it names; the schema is that of the current version.
        current = {d.pk: d for d in with_current(Dataset.objects.filter(pk__in=uids))}
        return [_asked(current[item.dataset_id], item.columns) for item in items]

    @cached_property
    def steps(self) -> list[Step]:
        """Filed, one decision after the other, then the contract."""
        asked = self._asked
        filed = Step(_("Filed"), "done", holder=name_of(asked.organization), since=asked.filed)
        decisions = [_decision_step(asked, decision) for decision in self._decisions]
        return [filed, *decisions, self._last_step]

    @cached_property
    def said(self) -> list[Said]:
        made = [decision for decision in self._decisions if decision.outcome]
        return [Said(d, name_of(d.organization), _limit_facts(d)) for d in made]

    @cached_property
    def contract(self) -> Contract | None:
        return contract_of(self._asked) if self._asked.state == RequestState.GRANTED else None

    @cached_property
    def why_not_decide(self) -> StrOrPromise:
        return reason_against(permissions.open_decision, self._actor, self._asked)

    @cached_property
    def decides(self) -> bool:
        """Whether deciding is anything to do with this reader at all: then a closed door says why."""
        decides = any(self._actor.acts_for(decision.organization) for decision in self._decisions)
        return decides and self._asked.state == RequestState.FILED

    @cached_property
    def form(self) -> DecisionForm:
        return self._form or decision_form(self._actor, self._asked)

    @cached_property
    def trial(self) -> TrialPanel | None:
        """The one just asked for, or else the latest that the reader's organization has asked for."""
        latest = self._trial or visible_trials(self._actor).filter(request=self._asked).first()
        return TrialPanel(latest) if latest else None

    @cached_property
    def decide_url(self) -> str:
        return address("portal:request_decide", self._asked.uid)

    @cached_property
    def is_ours(self) -> bool:
        return self._actor.acts_for(self._asked.organization) and self._asked.state == RequestState.FILED

    @cached_property
    def why_not_withdraw(self) -> StrOrPromise:
        return reason_against(permissions.check_can_withdraw, self._actor, self._asked)

    @cached_property
    def withdraw_url(self) -> str:
        return address("portal:request_withdraw", self._asked.uid)

    @cached_property
    def _decisions(self) -> list[Decision]:
        """Those made first, in the order of time; then those that are still open."""
        decisions = list(self._asked.decisions.all())
        return sorted(decisions, key=lambda d: (d.decided is None, d.decided or timezone.now(), d.pk))

    @property
    def _last_step(self) -> Step:
        asked = self._asked
        if asked.state == RequestState.WITHDRAWN:
            return Step(
                _("Withdrawn"), "stopped", holder=name_of(asked.organization), since=asked.state_since
            )
        if asked.state == RequestState.DECLINED:
            return Step(_("Declined"), "stopped", since=asked.state_since)
        if asked.state == RequestState.GRANTED:
            return Step(_("Contract drawn up"), "done", since=asked.state_since)
        return Step(_("Contract drawn up"), "next")


def request_row(asked: AccessRequest) -> RequestRow:
    """Takes what `visible_requests` fetched along."""
    open_decisions = asked.decisions.all() if asked.state == RequestState.FILED else ()
    return RequestRow(
        asked,
        name_of(asked.organization),
        [title_of(item.dataset) for item in asked.items.all()],
        [name_of(decision.organization) for decision in open_decisions if not decision.outcome],
    )


def standing_terms(asked: AccessRequest) -> Terms | None:
    """The terms as they would be drawn up now; None where a dataset is no longer offered as asked for."""
    try:
        return draft_terms(asked, now=timezone.now())
    except Refused:
        return None


def decision_form(
    actor: Actor, asked: AccessRequest, data: QueryDict | None = None, *, trying: bool = False
) -> DecisionForm:
    terms, measurables = standing_terms(asked), _measurables(actor, asked)
    return DecisionForm(data, terms=terms, measurables=measurables, trying=trying)


def _measurables(actor: Actor, asked: AccessRequest) -> list[Measurable]:
    """What is asked of the reader's own datasets: the counts, and each measure."""
    found = []
    for item in asked.items.select_related("dataset").order_by("dataset__name"):
        dataset = item.dataset
        if (
            actor.organization is None
            or dataset.provider_id != actor.organization.pk
            or dataset.current is None
        ):
            continue
        title, used = title_of(dataset), lanes_of(dataset.uid)
        counts = _("%(dataset)s: counts of records and units") % {"dataset": title}
        found.append(Measurable(f"{dataset.name}.", counts, bounded=False, used=used.get("")))
        for column in offered_columns(dataset.current.schema):
            if column.name in item.columns and offered_role(column) is ColumnRole.MEASURE:
                label = f"{title}: {column.meaning or column.name}"
                used_lane = used.get(column.name)
                found.append(Measurable(f"{dataset.name}.{column.name}", label, bounded=True, used=used_lane))
    return found


def _asked(dataset: Dataset, columns: list[str]) -> Asked:
    schema = dataset.current.schema if dataset.current else None
    meant = [(name, schema.column(name) if schema else None) for name in columns]
    url = address("portal:dataset", dataset.name)
    return Asked(title_of(dataset), url, dataset.name, name_of(dataset.provider), meant)


def _decision_step(asked: AccessRequest, decision: Decision) -> Step:
    label = decision.get_part_display()
    holder = name_of(decision.organization)
    if decision.outcome == Outcome.GRANT:
        return Step(label, "done", holder, decision.decided, note=_("granted"))
    if decision.outcome == Outcome.DECLINE:
        return Step(label, "stopped", holder, decision.decided, note=_("declined"))
    if asked.state == RequestState.FILED:
        return Step(label, "now", holder, asked.filed, note=_("has it in hand"))
    return Step(label, "next", holder, note=_("was not asked any more"))


def _limit_facts(decision: Decision) -> list[Fact]:
    limits = [
        Fact(LIMITS[name], bool(value) if name == SCRIPTS else value, kind="number")
        for name, value in decision.limits.items()
        if name in LIMITS
    ]
    lanes = decision.limits.get("lanes", {})
    return limits + [
        Fact(what.removesuffix("."), LANES[Lane(choice["lane"])]) for what, choice in lanes.items()
    ]
