"""Terms tried on the data before they are signed: shares for the decider, nothing for anybody else, nothing kept."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from audit import sealer
from audit.models import Entry
from audit.refusals import Refused
from contracts.draft import draft_terms
from contracts.models import AccessRequest, Contract
from contracts.policy.terms import Lane
from contracts.services.requests import decide_request, withdraw_request
from contracts.states import Outcome
from parties.roles import Role
from sandbox import queue
from sandbox.disclosure import protect
from sandbox.engines import generate
from sandbox.extracts import ExtractChanged
from sandbox.isolation.jail import NoSandbox
from sandbox.isolation.outcome import Outcome as Ended
from sandbox.isolation.outcome import Status
from sandbox.kept import store
from sandbox.models import Answer, Release, Run, Trial
from sandbox.reads import extract_for
from sandbox.selectors import get_trial, visible_trials
from sandbox.services import trials
from sandbox.services.trials import try_terms
from sandbox.source import plain
from sandbox.states import TrialFailure, TrialState
from sandbox.trials import leases, work
from sandbox.trials.result import Share, share_of
from sandbox.trials.tables import measures_in, question, tables_of
from tests import factories
from tests.api_calls import Caller

pytestmark = pytest.mark.django_db(transaction=True)

PRIVATE = {
    "electricity.": {"lane": "private"},
    "electricity.kwh": {"lane": "private", "low": 0, "high": 5000},
}
PERTURBED = {"electricity.": {"lane": "perturbed"}, "electricity.kwh": {"lane": "perturbed"}}


@pytest.fixture
def dataset(city):
    """Uneven, so that some cells are small: the second month has few of one district."""
    rows = [
        row
        for n, row in enumerate(factories.electricity_rows(70))
        if row["month"] == "2025-01" or row["district"] != "槐荫区" or n < 30
    ]
    return factories.published_dataset(city.power, rows=rows)


@pytest.fixture
def asked(city, dataset):
    return factories.filed_request(city.enterprise, [dataset])


def tried(user, request, **wish) -> Trial:
    return try_terms(actor=factories.actor(user), request=request, **wish)


def done(worker, user, request, **wish) -> Trial:
    trial = tried(user, request, **wish)
    worker.work_on_trial(str(trial.uid))
    trial.refresh_from_db()
    return trial


def tables(trial, dataset="electricity") -> dict[tuple, dict]:
    (one,) = [d for d in trial.result["datasets"] if d["dataset"] == dataset]
    return {(table["lane"], *table["by"]): table for table in one["tables"]}


def told(table, measure) -> dict | None:
    (share,) = [w["share"] for w in table["withheld"] if w["measure"] == measure]
    return share


def truly(worker, terms, by, lane, measure) -> Share | None:
    """What `protect` withholds, counted anew here."""
    dataset = terms.dataset("electricity")
    query = question(dataset, by, measures_in(dataset, lane), terms)
    with plain([extract_for(dataset)], generate(query, terms)) as source:
        raw = worker._in_jail(source, lambda: True).table
    (label,) = [m.label for m in query.measures if (m.column.column if m.column else "") == measure]
    rows = [r for r in protect(raw, query, terms).evidence.to_pylist() if r["measure"] == label]
    filled = [r for r in rows if r["contributors"]]
    return share_of(sum(r["outcome"] == "withheld" for r in filled), len(filled))


# --- What it tells --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("withheld", "filled", "share"), [
    (0, 0, None), (0, 24, Share(0)), (24, 24, Share(100)), (2, 24, Share(8)), (1, 8, Share(13)), (1, 2, Share(50)),
    (1, 101, Share(1, "under")), (1, 100, Share(1)), (100, 101, Share(99, "over")), (99, 100, Share(99)),
    (999, 1000, Share(99, "over")),
])  # fmt: skip
def test_shares_are_whole_percent_and_never_none_or_all_by_rounding(withheld, filled, share):
    assert share_of(withheld, filled) == share


@pytest.mark.parametrize(
    "limits", [{}, {"min_contributors": 12}, {"min_contributors": 25}, {"p_percent": 50}]
)
def test_the_share_is_what_protection_withholds_under_the_same_terms(city, dataset, asked, worker, limits):
    trial = done(worker, city.power, asked, limits=limits)
    assert trial.state == TrialState.DONE, trial.failure
    found = tables(trial)
    assert list(found) == [("table", "month"), ("table", "district"), ("table", "district", "month")]
    assert [found[name]["cells"] for name in found] == [2, 3, 6]
    decide_request(
        actor=factories.actor(city.power), request=asked, outcome=Outcome.GRANT, reason="x", limits=limits
    )
    terms = draft_terms(AccessRequest.objects.get(pk=asked.pk), now=timezone.now())
    for (_lane, *by), table in found.items():
        for measure in ("", "kwh"):
            share = told(table, measure)
            expected = truly(worker, terms, tuple(by), Lane.TABLE, measure)
            assert expected is not None
            assert share == {"percent": expected.percent, "bound": expected.bound}


def test_stricter_limits_withhold_more(city, asked, worker):
    mild = tables(done(worker, city.power, asked))["table", "district", "month"]
    strict = tables(done(worker, city.power, asked, limits={"min_contributors": 40}))
    assert 0 < told(mild, "")["percent"] < 100
    assert told(strict["table", "district", "month"], "") == {"percent": 100, "bound": ""}


def test_the_perturbed_lane_is_tried_as_well(city, asked, worker):
    trial = done(worker, city.power, asked, lanes=PERTURBED)
    share = told(tables(trial)["perturbed", "district", "month"], "kwh")
    expected = truly(worker, trial.terms, ("district", "month"), Lane.PERTURBED, "kwh")
    assert share == {"percent": expected.percent, "bound": expected.bound}


def test_the_private_lane_tells_noise_and_questions_and_reads_nothing(city, asked, worker, monkeypatch):
    monkeypatch.setattr(worker.pool, "run", lambda *_a, **_k: pytest.fail("no data is needed"))
    trial = done(
        worker, city.power, asked, lanes=PRIVATE, limits={"contract_budget": 100_000, "query_budget": 10_000}
    )
    (one,) = trial.result["datasets"]
    assert one["tables"] == []
    assert one["questions_left"] == 10
    assert [(n["measure"], n["by"]) for n in one["noise"]] == [
        ("", ["district", "month"]), ("kwh", ["district", "month"]),
    ]  # fmt: skip
    counts, sums = (n["half_width"] for n in one["noise"])
    assert 1 < counts < 100 < sums


def test_lanes_are_tried_each_with_its_own_measures(city, asked, worker):
    trial = done(worker, city.power, asked, lanes={"electricity.kwh": PRIVATE["electricity.kwh"]})
    (one,) = trial.result["datasets"]
    assert {w["measure"] for t in one["tables"] for w in t["withheld"]} == {""}
    assert [n["measure"] for n in one["noise"]] == ["kwh"]


def test_a_table_that_cannot_be_computed_is_said_and_the_others_are_told(city, asked, worker, monkeypatch):
    real = worker.pool.run
    ended = iter([Ended(Status.MEMORY_LIMIT)])
    monkeypatch.setattr(worker.pool, "run", lambda *a, **k: next(ended, None) or real(*a, **k))
    found = list(tables(done(worker, city.power, asked)).values())
    assert [table["problem"] for table in found] == ["limit", "", ""]
    assert found[0]["withheld"] == []


def test_a_slow_trial_begins_no_further_table(city, asked, worker, monkeypatch):
    monkeypatch.setattr(work, "BEGIN_SECONDS", -1.0)
    monkeypatch.setattr(worker.pool, "run", lambda *_a, **_k: pytest.fail("nothing is begun"))
    found = tables(done(worker, city.power, asked))
    assert {table["problem"] for table in found.values()} == {"limit"}


def test_which_tables_are_tried(city, dataset, asked):
    terms = draft_terms(asked, now=timezone.now(), decisions=[])
    one = terms.dataset("electricity")
    assert tables_of(one, terms) == [("month",), ("district",), ("district", "month")]
    from dataclasses import replace

    few = replace(terms, disclosure=replace(terms.disclosure, max_cells=2))
    assert tables_of(one, few) == [("month",)]
    flat = replace(terms, disclosure=replace(terms.disclosure, max_dimensions=1))
    assert tables_of(one, flat) == [("month",), ("district",)]
    month = one.column("month")
    many = replace(one, columns=(*one.columns, *(replace(month, name=f"m{i}") for i in range(8))))
    chosen = tables_of(many, terms)
    assert [len(by) for by in chosen] == [1, 1, 1, 2, 2, 2]


# --- To whom --------------------------------------------------------------------------------------------------
def test_only_who_can_decide_asks(city, asked):
    member = factories.account("member", city.power.organization, Role.MEMBER)
    for user in (city.enterprise, city.rival, city.water, city.auditor, member):
        with pytest.raises(Refused):
            tried(user, asked)
    assert not Trial.objects.exists()


def test_only_the_decider_who_asked_is_told(city, asked, worker):
    trial = done(worker, city.power, asked)
    other = factories.account("second", city.power.organization, Role.APPROVER)
    for user in (city.power, other):
        assert get_trial(factories.actor(user), trial.uid) == trial
    member = factories.account("member", city.power.organization, Role.MEMBER)
    for user in (city.enterprise, city.rival, city.water, city.bureau, city.auditor, member):
        assert not visible_trials(factories.actor(user)).exists()
        with pytest.raises(Refused, match="not_found"):
            get_trial(factories.actor(user), trial.uid)


def test_a_provider_is_told_of_its_own_datasets_and_the_bureau_of_all(city, dataset, worker):
    water = factories.water_dataset(city.water)
    both = factories.filed_request(city.enterprise, [dataset, water])
    told_to = {
        user: [d["dataset"] for d in done(worker, user, both).result["datasets"]]
        for user in (city.power, city.water, city.bureau)
    }
    assert told_to == {
        city.power: ["electricity"], city.water: ["water"], city.bureau: ["electricity", "water"],
    }  # fmt: skip


def test_a_closed_request_is_tried_no_more(city, asked, worker):
    trial = tried(city.power, asked)
    withdraw_request(actor=factories.actor(city.enterprise), request=asked)
    worker.work_on_trial(str(trial.uid))
    trial.refresh_from_db()
    assert (trial.state, trial.failure, trial.result) == (TrialState.FAILED, TrialFailure.CLOSED, None)
    with pytest.raises(Refused, match=r"request\.closed"):
        tried(city.power, asked)


def test_who_has_decided_asks_no_more(city, asked):
    decide_request(actor=factories.actor(city.power), request=asked, outcome=Outcome.GRANT, reason="x")
    with pytest.raises(Refused, match="nothing_to_decide"):
        tried(city.power, asked, limits={"min_contributors": 12})


# --- How often, and what stays --------------------------------------------------------------------------------
def test_trials_are_limited_in_number_and_a_repeat_is_the_same_one(city, asked, worker, monkeypatch):
    monkeypatch.setattr(trials, "MOST", 2)
    first = done(worker, city.power, asked)
    assert tried(city.power, asked) == first
    done(worker, city.power, asked, limits={"min_contributors": 11})
    with pytest.raises(Refused, match=r"trial\.too_many"):
        tried(city.power, asked, limits={"min_contributors": 12})
    assert tried(city.power, asked) == first, "what was told is told again"
    assert tried(city.bureau, asked).organization == city.bureau.organization, "each decider has its own"


def test_a_new_version_is_another_trial(city, dataset, asked, worker):
    first = done(worker, city.power, asked)
    factories.publish_version(
        dataset, city.power, schema=factories.ELECTRICITY, rows=factories.electricity_rows(66)
    )
    assert tried(city.power, asked) != first


def test_few_wait_at_once(city, asked):
    for k in range(11, 11 + trials.MOST_WAITING):
        tried(city.power, asked, limits={"min_contributors": k})
    with pytest.raises(Refused, match=r"trial\.waiting"):
        tried(city.power, asked, limits={"min_contributors": 30})


def test_nothing_is_answered_charged_or_kept(city, asked, worker, monkeypatch):
    monkeypatch.setattr(store, "keep", lambda *_a, **_k: pytest.fail("a table would be kept"))
    trial = done(worker, city.power, asked)
    done(worker, city.power, asked, lanes=PRIVATE)
    assert trial.state == TrialState.DONE
    assert not any(model.objects.exists() for model in (Answer, Run, Release, Contract))
    assert not asked.decisions.exclude(limits={}).exists(), "no decision was changed"


def test_it_is_on_record_and_concerns_the_decider_and_the_provider_alone(city, asked, worker):
    done(worker, city.bureau, asked, limits={"min_contributors": 12})
    sealer.seal_all()
    entries = {e.act: e for e in Entry.objects.filter(act__startswith="trial.")}
    assert set(entries) == {"trial.asked", "trial.done"}
    trial = Trial.objects.get()
    assert entries["trial.asked"].fields["x"]["terms"] == trial.digest
    ours = {str(user.organization.uid) for user in (city.bureau, city.power)}
    assert all({e.org, *e.parties} - {""} == ours for e in entries.values())
    assert not any("share" in str(e.fields) or "percent" in str(e.fields) for e in entries.values())


def test_wishes_that_no_contract_can_hold_are_refused_as_in_a_decision(city, asked):
    for wish in ({"limits": {"min_contributors": 1}}, {"lanes": {"water.": {"lane": "private"}}}):
        with pytest.raises(Refused, match=r"request\."):
            tried(city.power, asked, **wish)
    assert not Trial.objects.exists()


# --- Whatever happens to the worker ---------------------------------------------------------------------------
def stale(trial, **fields) -> None:
    past = timezone.now() - timedelta(minutes=1)
    Trial.objects.filter(pk=trial.pk).update(**{"asked": past, **fields})


def test_a_killed_worker_leaves_it_to_the_sweep(city, asked, worker, monkeypatch):
    sent = []
    trial = tried(city.power, asked)
    lost = leases.claim(str(trial.uid))
    assert leases.claim(str(trial.uid)) is None, "somebody is at it"
    monkeypatch.setattr(queue, "_send", lambda uid, *_a: sent.append(uid))
    stale(trial, lease=timezone.now() - timedelta(seconds=1))
    assert leases.sweep() == 1
    assert sent == [str(trial.uid)]
    worker.work_on_trial(sent[0])
    trial.refresh_from_db()
    assert (trial.state, trial.attempts) == (TrialState.DONE, 2)
    leases.finish(lost, {"datasets": []})  # the dead one comes back
    assert not leases.keep(lost)
    before, trial = trial.result, Trial.objects.get()
    assert trial.result == before


def test_a_lost_message_is_sent_again_and_patience_ends(city, asked, monkeypatch):
    sent = []
    monkeypatch.setattr(queue, "_send", lambda uid, *_a: sent.append(uid))
    trial = tried(city.power, asked)
    assert leases.sweep() == 0, "it has a moment to be taken"
    stale(trial)
    leases.sweep()
    assert sent == [str(trial.uid)] * 2
    stale(trial, asked=timezone.now() - leases.PATIENCE - timedelta(seconds=1))
    leases.sweep()
    assert Trial.objects.get().failure == TrialFailure.INTERRUPTED
    assert tried(city.power, asked) != trial, "what failed can be asked for again"


def test_after_some_attempts_it_ends(city, asked, worker, monkeypatch):
    monkeypatch.setattr(worker.pool, "run", lambda *_a, **_k: Ended(Status.SANDBOX_LOST))
    trial = tried(city.power, asked)
    for _ in range(leases.ATTEMPTS + 1):
        worker.work_on_trial(str(trial.uid))
    trial.refresh_from_db()
    assert (trial.state, trial.failure) == (TrialState.FAILED, TrialFailure.INTERRUPTED)


@pytest.mark.parametrize(("error", "failure"), [
    (NoSandbox("x"), TrialFailure.NO_SANDBOX),
    (ExtractChanged("x"), TrialFailure.EXTRACT_CHANGED),
    (ValueError("历下区 60"), TrialFailure.NOT_COMPUTED),
])  # fmt: skip
def test_a_failure_is_one_clear_word(city, asked, worker, monkeypatch, caplog, error, failure):
    def fails(*_a, **_k):
        raise error

    monkeypatch.setattr(worker.pool, "run", fails)
    trial = done(worker, city.power, asked)
    assert (trial.state, trial.failure, trial.result) == (TrialState.FAILED, failure, None)
    assert "历下区" not in caplog.text


# --- On the page ----------------------------------------------------------------------------------------------
WISH = {"outcome": "grant", "reason": "还在想", "min_contributors": "12", "preview": "1"}


def decide(client, user, asked, data):
    client.force_login(user)
    return client.post(reverse("portal:request_decide", args=[asked.uid]), data)


def text_of(response) -> str:
    return response.content.decode()


def test_the_page_keeps_the_entries_and_shows_the_trial(client, city, asked, worker):
    page = decide(client, city.power, asked, WISH)
    assert page.status_code == 200
    form = page.context["page"].form
    assert (form["reason"].value(), form["min_contributors"].value()) == ("还在想", "12")
    assert form.limits_touched
    assert not asked.decisions.exclude(outcome="").exists(), "nothing was decided"
    trial = Trial.objects.get()
    assert trial.terms.disclosure.min_contributors == 12
    address = reverse("portal:trial", args=[trial.uid])
    assert f'hx-get="{address}"' in text_of(page)
    assert client.get(address).status_code == 200
    worker.work_on_trial(str(trial.uid))
    polled = client.get(address)
    assert polled.status_code == 286, "the page asks no more"
    assert "所属区县" in text_of(polled)
    again = decide(client, city.power, asked, WISH)
    assert Trial.objects.count() == 1
    assert "hx-get" not in text_of(again)
    (part,) = again.context["page"].trial.parts
    (table,) = part.tables
    share = told(tables(Trial.objects.get())["table", "district", "month"], "kwh")
    assert table.rows[-1][-1] == f"{share['percent']} %"


def test_a_preview_needs_neither_outcome_nor_reason_but_sound_limits(client, city, asked):
    assert decide(client, city.power, asked, {"preview": "1"}).status_code == 200
    assert decide(client, city.power, asked, {"preview": "1", "min_contributors": "1"}).status_code == 422
    assert Trial.objects.count() == 1


def test_the_page_says_why_no_more_are_computed(client, city, asked, monkeypatch):
    monkeypatch.setattr(trials, "MOST", 0)
    page = decide(client, city.power, asked, WISH)
    assert page.status_code == 429
    assert page.context["refused"].code == "trial.too_many"
    assert page.context["page"].form["min_contributors"].value() == "12"


@pytest.mark.parametrize("who", ["enterprise", "rival", "water", "auditor"])
def test_no_one_else_asks_or_looks_on_a_page(client, city, asked, worker, who):
    trial = done(worker, city.power, asked)
    refused = decide(client, getattr(city, who), asked, WISH)
    assert refused.status_code in (403, 404)
    assert client.get(reverse("portal:trial", args=[trial.uid])).status_code == 404
    seen = client.get(reverse("portal:request", args=[asked.uid]))
    assert 'id="trial"' not in text_of(seen)
    assert Trial.objects.count() == 1


def test_the_private_lane_in_words(client, city, asked, worker):
    lanes = {"lane_0": "private", "lane_1": "private", "low_1": "0", "high_1": "5000"}
    decide(client, city.power, asked, {"preview": "1", **lanes})
    worker.work_on_trial(str(Trial.objects.get().uid))
    words = text_of(decide(client, city.power, asked, {"preview": "1", **lanes}))
    assert "noise of about ±" in words
    assert "enough for about 25 questions" in words
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "zh-hans"
    words = text_of(decide(client, city.power, asked, {"preview": "1", **lanes}))
    assert "每个单元格的噪声约 ±" in words
    assert "预算约够提 25 个问题" in words


def test_a_failed_trial_says_its_word(client, city, asked, worker, monkeypatch):
    monkeypatch.setattr(worker.pool, "run", lambda *_a, **_k: Ended(Status.ENGINE_ERROR))
    done(worker, city.power, asked)
    client.force_login(city.power)
    assert "not_computed" in text_of(client.get(reverse("portal:request", args=[asked.uid])))


def test_limits_of_the_private_lane_stand_where_they_count(client, city, asked):
    for user, lanes in ((city.power, True), (city.bureau, False)):
        client.force_login(user)
        page = client.get(reverse("portal:request", args=[asked.uid]))
        form = page.context["page"].form
        names = {field.name for field in form.private_fields}
        assert names == {"contract_budget", "query_budget", "delta_exponent", "max_groups", "max_rows"}
        assert not names & {field.name for field in form.limit_fields}
        assert bool(form.lane_rows) == lanes
        assert text_of(page).count("They count only where a measure leaves under differential privacy") == 1
        assert text_of(page).count('name="contract_budget"') == 1


# --- By the API -----------------------------------------------------------------------------------------------
def test_the_api_asks_and_tells(city, asked, worker):
    power, address = Caller(city.power), f"requests/{asked.uid}/trials"
    made = power.post(address, {"limits": {"min_contributors": 12}})
    assert made.status_code == 201
    body = made.json()
    assert (body["state"], body["datasets"], body["request"]) == ("waiting", [], str(asked.uid))
    worker.work_on_trial(body["uid"])
    body = power.get(f"trials/{body['uid']}").json()
    assert body["state"] == "done"
    assert body["datasets"] == Trial.objects.get().result["datasets"]
    assert [one["uid"] for one in power.get(address).json()["results"]] == [body["uid"]]
    for user in (city.enterprise, city.bureau):
        assert Caller(user).get(address).json()["results"] == []
        assert Caller(user).get(f"trials/{body['uid']}").status_code == 404
    assert Caller(city.enterprise).post(address, {}).status_code == 403
    assert Caller(city.rival).post(address, {}).status_code == 404
    assert power.post(address, {"limits": {"min_contributors": 1}}).status_code == 400
    private = {
        "electricity.": {"lane": "private"},
        "electricity.kwh": {"lane": "private", "low": 0, "high": 50},
    }
    worker.work_on_trial(power.post(address, {"lanes": private}).json()["uid"])
    assert power.get(address).json()["results"][0]["datasets"][0]["questions_left"] == 25
