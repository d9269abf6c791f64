"""Ask under a contract: by form or in SQL, checked before it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST
from django_stubs_ext import StrOrPromise

from audit.refusals import Refused
from contracts.decisions import Action as Act
from contracts.decisions import Facts, decide
from contracts.models import Contract
from contracts.names import names_in
from contracts.permissions import check_can_compute
from contracts.policy.terms import Lane
from contracts.selectors import get_contract
from dataspace.portal.advice import Place, places
from dataspace.portal.budgets import price_in_words
from dataspace.portal.doors import actor_of, address, door, reason_against, status_of
from dataspace.portal.forms.compute import Builder, Chosen, text_question
from dataspace.portal.parts import Crumb, Fact, Tab
from dataspace.portal.questions import Names, example, in_words
from dataspace.portal.reference import tables
from dataspace.portal.rules import limits_in_words
from dataspace.portal.script_page import ready_scripts
from dataspace.portal.sqltext import sql_of
from parties.actors import Actor
from sandbox.guard import AggregateQuery
from sandbox.selectors import get_run
from sandbox.services.preview import preview as look_ahead
from sandbox.services.submit import Question, submit

FORM, SQL = "form", "sql"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the page holds: one of the two ways, filled in."""

    way: str
    chosen: Chosen
    sql: str = ""
    title: str = ""
    script: str = ""  # uid of the one whose records are asked; "" for those published

    @classmethod
    def of_post(cls, request: HttpRequest) -> Asked:
        script = request.POST.get("script", "")
        if request.POST.get("way") == FORM:
            chosen = Chosen.of_post(request.POST)
            return cls(FORM, chosen, title=chosen.title, script=script)
        typed = text_question(request.POST)
        return cls(SQL, Chosen(), sql=typed.text, title=typed.title, script=script)

    def question(self, contract: Contract, names: Names) -> Question:
        if self.way == FORM:
            return replace(self.chosen.question(contract.terms, names), script=self.script)
        return Question(text=self.sql, title=self.title, script=self.script)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a check found: `problems`, or the question in words with what it will read and cost."""

    problems: list[Place]
    facts: list[Fact]
    sql: str = ""
    rows: int = 0
    cells: int = 0
    runs_left: int = 0
    warnings: Sequence[str] = ()
    price: Sequence[str] = ()  # what a question of the private lane costs and how exact its answer will be
    repeated: bool = False


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@door
def compute(request: HttpRequest, uid: UUID) -> HttpResponse:
    """GET shows the page, filled in from `?from=` (a run) or with an example. POST does `step`: check, edit or run."""
    actor = actor_of(request)
    contract = get_contract(actor, uid)
    check_can_compute(actor, contract)
    names = names_in(contract)
    if request.method != "POST":
        return _page(request, contract, names, _opening(request, actor, contract, names))
    asked = Asked.of_post(request)
    step = request.POST.get("step", "check")
    if step == "run":
        return _run(request, actor, contract, names, asked)
    answer = _answer(actor, contract, names, asked)
    if step == "edit" and answer.sql:
        asked = Asked(SQL, Chosen(), sql=answer.sql, title=asked.title, script=asked.script)
    return _page(request, contract, names, asked, answer)


@require_POST
@login_required
@door
def preview(request: HttpRequest, uid: UUID) -> HttpResponse:
    """The answer to a check alone, put below the question while it stays as it is."""
    actor = actor_of(request)
    contract = get_contract(actor, uid)
    check_can_compute(actor, contract)
    answer = _answer(actor, contract, names_in(contract), Asked.of_post(request))
    return render(request, "portal/compute_answer.html", {"answer": answer, "contract": contract})


def _run(request: HttpRequest, actor: Actor, contract: Contract, names: Names, asked: Asked) -> HttpResponse:
    """Submit; a refused question stays on the page to be mended."""
    try:
        run = submit(actor=actor, contract=contract, question=asked.question(contract, names))
    except Refused as refused:
        problems = refused.details.get("problems") or [{"code": refused.code, "reason": refused.reason}]
        answer = Answer(places(problems), [])
        return _page(request, contract, names, asked, answer, status=status_of(refused))
    messages.success(request, _("Submitted. The result appears here by itself."))
    return HttpResponseRedirect(address("portal:run", run.uid))


def _answer(actor: Actor, contract: Contract, names: Names, asked: Asked) -> Answer:
    found = look_ahead(actor=actor, contract=contract, question=asked.question(contract, names))
    if found.query is None:
        return Answer(places(found.problems), [], runs_left=found.runs_left)
    terms = contract.terms
    return Answer(
        [], in_words(found.query, terms, names), sql=sql_of(found.query, terms), rows=found.rows,
        cells=found.cells, runs_left=found.runs_left, warnings=[str(w["reason"]) for w in found.warnings],
        price=price_in_words(found, terms), repeated=found.repeated,
    )  # fmt: skip


def _opening(request: HttpRequest, actor: Actor, contract: Contract, names: Names) -> Asked:
    """The question to begin with: that of an earlier run of this contract, or an example its terms answer."""
    before = get_run(actor, request.GET["from"]).computation if request.GET.get("from") else None
    script = _uuid(request.GET.get("script", ""))
    if before is not None and before.contract_id == contract.pk:
        query, text, title = AggregateQuery.from_json(before.query), before.text, before.title
        script = str(before.script.uid) if before.script else ""
    else:
        prepared = contract.scripts.filter(uid=script).first() if script else None
        query, text, title = example(contract.terms, names, prepared.dataset if prepared else ""), "", ""
    way = request.GET.get("way") or (SQL if text else FORM)
    chosen = Chosen.of_query(query, title)
    sql = text or sql_of(query, contract.terms)
    return Asked(SQL if way == SQL else FORM, chosen, sql=sql, title=title, script=script)


def _page(
    request: HttpRequest,
    contract: Contract,
    names: Names,
    asked: Asked,
    answer: Answer | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    terms = contract.terms
    context = {
        "contract": contract,
        "asked": asked,
        "answer": answer,
        "closed": _closed(contract),
        "tabs": _tabs(request, asked),
        "trail": [
            Crumb(_("Contracts"), address("portal:contracts")),
            Crumb(str(contract.request.scenario)[:40], address("portal:contract", contract.uid)),
        ],
        "limits": limits_in_words(terms.disclosure),
        "runs_left": max(terms.max_runs - contract.runs_used, 0),
        "builder": Builder.of(terms, names, asked.chosen) if asked.way == FORM else None,
        "tables": tables(terms, names) if asked.way == SQL else None,
        "scripts": ready_scripts(contract),
        "scripts_allowed": bool(terms.disclosure.allow_scripts),
    }
    return render(request, "portal/compute.html", context, status=status)


def _tabs(request: HttpRequest, asked: Asked) -> list[Tab]:
    labels = ((FORM, _("Form")), (SQL, _("SQL")))
    source = f"&from={run}" if (run := _uuid(request.GET.get("from", ""))) else ""
    source = source or (f"&script={script}" if (script := _uuid(asked.script)) else "")
    return [
        Tab(label, f"{request.path}?way={name}{source}", current=name == asked.way) for name, label in labels
    ]


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        return ""


def _closed(contract: Contract) -> StrOrPromise:
    """Why nothing can be run under this contract now; "" where something can."""
    facts = Facts(
        action=Act.SUBMIT, now=timezone.now(), runs_used=contract.runs_used, used=(), joined=(),
        lane=Lane.TABLE, answers=0, refusals=0, scripted=False,  # what a lane has used up is told with the question
    )  # fmt: skip
    return reason_against(decide, contract, facts)
