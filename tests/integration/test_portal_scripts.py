"""Scripts in the browser: handed in, read, reviewed, asked; their results reviewed and released."""

from __future__ import annotations

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from contracts.names import names_in
from dataspace.portal.starter import starter
from parties.roles import Role
from sandbox.models import Run, Script
from sandbox.scripts.states import ScriptState
from sandbox.services.reviews import review_run, review_script
from sandbox.services.scripts import submit_script
from sandbox.services.submit import Question, submit
from sandbox.states import RunState
from tests import factories

pytestmark = pytest.mark.django_db

SQL = "SELECT district, COUNT(DISTINCT credit_code) AS n, SUM(kwh) AS kwh FROM electricity GROUP BY district"
SAME = 'emit(extracts["electricity"].to_table())\n'
WORDS = {"verdict": "approve", "note": "看过,只整理记录。"}


@pytest.fixture
def second(city):
    return factories.account("second", city.bureau.organization, Role.REVIEWER)


@pytest.fixture
def contract(city):
    return factories.signed_contract(
        city.enterprise, [factories.published_dataset(city.power)], city.deciders, limits={"allow_scripts": 1}
    )


@pytest.fixture
def client(client, city):
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    client.force_login(city.enterprise)
    return client


@pytest.fixture
def script(city, contract) -> Script:
    return submitted(city, contract)


def submitted(city, contract, source: str = SAME) -> Script:
    return submit_script(
        actor=factories.actor(city.enterprise), contract=contract, dataset="electricity", source=source,
        title="剔除缺失",
    )  # fmt: skip


def prepared(worker, script, *reviewers) -> Script:
    for user in reviewers:
        review_script(actor=factories.actor(user), script=script, **WORDS)
    worker.prepare(str(script.uid))
    script = Script.objects.get(pk=script.pk)
    assert script.state == ScriptState.READY, script.cause
    return script


def held(worker, city, script) -> Run:
    question = Question(text=SQL, title="各区用电", script=str(script.uid))
    run = submit(actor=factories.actor(city.enterprise), contract=script.contract, question=question)
    worker.work(str(run.uid))
    run = Run.objects.get(pk=run.pk)
    assert run.state == RunState.IN_REVIEW, run.cause
    return run


def at(thing, name: str) -> str:
    return reverse(f"portal:{name}", args=[thing.uid])


def text_of(response) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


# --- Handing in ---------------------------------------------------------------------------------------------
def test_a_contract_that_permits_none_shows_nothing_of_scripts(client, city):
    plain = factories.signed_contract(
        city.enterprise, [factories.published_dataset(city.power)], city.deciders
    )
    assert "/scripts/" not in client.get(at(plain, "contract")).content.decode()
    assert 'name="script"' not in client.get(at(plain, "compute")).content.decode()
    said = text_of(client.get(at(plain, "script_new")))
    assert "The contract permits no scripts." in said
    refused = client.post(at(plain, "script_new"), {"title": "x", "dataset": "electricity", "source": SAME})
    assert refused.status_code == 409
    assert SAME.strip() in text_of(refused).replace("&quot;", '"')


def test_what_the_form_begins_with_runs_as_it_stands(client, city, contract, second, worker):
    page = client.get(at(contract, "script_new"))
    begun = page.context["form"].shown
    assert begun == starter(contract.terms.datasets[0], names_in(contract))
    assert all(column.name in begun for column in contract.terms.datasets[0].columns)
    answer = client.post(
        at(contract, "script_new"), {"title": "剔除缺失", "dataset": "electricity", "source": begun}
    )
    script = Script.objects.get()
    assert answer.url == at(script, "script")
    prepared(worker, script, city.bureau, second)
    said = text_of(client.get(at(contract, "contract")))
    assert "剔除缺失" in said
    assert "records prepared" in said


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"title": ""}, 422, "This field is required."),
        ({"source": ""}, 400, "Write the script, or choose a file."),
        ({"source": "x = 1\ny = )\nemit(x)"}, 422, "Line 2, column 5"),
        ({"source": "print(1)"}, 422, "call emit(table) exactly once"),
        ({"source": "emit(1)" + " " * 40_000 + "#"}, 400, "at most 32 KiB"),
        ({"dataset": "nothing"}, 422, "Select a valid choice"),
    ],
)
def test_a_mistake_is_said_and_nothing_is_lost(client, contract, fields, status, words):
    filled = {"title": "整理", "dataset": "electricity", "source": SAME, **fields}
    answer = client.post(at(contract, "script_new"), filled)
    assert answer.status_code == status
    assert words in text_of(answer)
    assert answer.context["form"].shown == filled["source"]
    assert answer.context["form"]["title"].value() == filled["title"]
    assert not Script.objects.exists()


def test_a_file_takes_the_place_of_what_is_written(client, contract):
    filled = {"title": "整理", "dataset": "electricity", "source": "nothing"}
    no_text = client.post(
        at(contract, "script_new"), {**filled, "file": SimpleUploadedFile("a.py", b"\xff\xfe\xfd")}
    )
    assert "not text in UTF-8" in text_of(no_text)
    assert no_text.context["form"].shown == "nothing"
    wrong = client.post(at(contract, "script_new"), {**filled, "file": SimpleUploadedFile("a.py", b"emit(")})
    assert wrong.context["form"].shown == "emit("
    client.post(at(contract, "script_new"), {**filled, "file": SimpleUploadedFile("a.py", SAME.encode())})
    assert Script.objects.get().source == SAME


# --- Who sees what ------------------------------------------------------------------------------------------
def test_each_sees_the_scripts_that_concern_them_and_the_text_is_for_few(client, city, script, second):
    sees = {"enterprise": "text", "power": "it", "bureau": "text", "auditor": "it", "water": "", "rival": ""}
    for who, what in sees.items():
        client.force_login(getattr(city, who))
        page = client.get(at(script, "script"))
        assert page.status_code == (200 if what else 404), who
        assert ("to_table()" in page.content.decode()) == (what == "text"), who
        assert client.get(at(script, "script_status")).status_code == (200 if what else 404), who
    client.force_login(city.rival)
    nothing = client.get(reverse("portal:script", args=["5f0f6d0e-3a55-4a0e-9d2b-6c0f5e9f0b11"]))
    assert text_of(client.get(at(script, "script"))) == text_of(nothing)
    assert client.post(at(script, "script_withdraw")).status_code == 404
    assert client.post(at(script, "script_review"), WORDS).status_code == 404
    assert client.get(at(script.contract, "script_new")).status_code == 404


def test_the_source_is_escaped_and_numbered(client, city, contract):
    script = submitted(city, contract, '# <b>bold</b>\nemit(extracts["electricity"].to_table())')
    page = client.get(at(script, "script")).content.decode()
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    assert page.split('<ol class="source"')[1].split("</ol>")[0].count("<li>") == 2


# --- Reviewing ----------------------------------------------------------------------------------------------
def test_two_reviewers_read_it_and_each_finds_it_in_the_queue_once(client, city, script, second):
    def waits() -> bool:
        return "Review the script" in text_of(client.get("/"))

    client.force_login(city.bureau)
    assert waits()
    answer = client.post(at(script, "script_review"), {"verdict": "approve", "note": ""})
    assert answer.status_code == 422
    assert client.post(at(script, "script_review"), WORDS).status_code == 302
    assert not waits()
    twice = client.post(at(script, "script_review"), WORDS)
    assert twice.status_code == 409
    assert "another reviewer is needed" in text_of(twice)
    assert "another reviewer is needed" in text_of(client.get(at(script, "script")))
    client.force_login(second)
    assert waits()
    client.post(at(script, "script_review"), WORDS)
    assert Script.objects.get().state == ScriptState.APPROVED
    page = client.get(at(script, "script"))
    assert "hx-get" in page.content.decode()
    assert client.post(at(script, "script_review"), WORDS).status_code == 409


@pytest.mark.parametrize("who", ["enterprise", "power", "auditor"])
def test_nobody_but_a_reviewer_reviews(client, city, script, who):
    client.force_login(getattr(city, who))
    assert "script_review" not in client.get(at(script, "script")).content.decode()
    assert client.post(at(script, "script_review"), WORDS).status_code == 403
    assert script.reviews.count() == 0


def test_a_refused_script_says_so_with_the_note_to_the_enterprise_alone(client, city, script):
    client.force_login(city.bureau)
    client.post(at(script, "script_review"), {"verdict": "refuse", "note": "看不懂第一行"})
    said = {}
    for who in ("enterprise", "power", "bureau"):
        client.force_login(getattr(city, who))
        said[who] = text_of(client.get(at(script, "script")))
        assert "refused" in said[who]
    assert [who for who, words in said.items() if "看不懂第一行" in words] == ["enterprise", "bureau"]
    assert [who for who, words in said.items() if str(city.bureau) in words.replace("大数据局", "")] == [
        "bureau"
    ]


def test_the_enterprise_withdraws_before_the_run(client, city, script):
    client.force_login(city.power)
    assert client.post(at(script, "script_withdraw")).status_code == 403
    client.force_login(city.enterprise)
    assert "Withdraw this script?" in text_of(client.get(at(script, "script")))
    assert client.post(at(script, "script_withdraw")).url == at(script, "script")
    assert Script.objects.get().state == ScriptState.WITHDRAWN
    assert client.post(at(script, "script_withdraw")).status_code == 409


def test_a_script_that_failed_says_the_one_word(client, city, contract, second, worker):
    script = submitted(city, contract, 'raise ValueError("secret")\nemit(1)')
    for user in (city.bureau, second):
        review_script(actor=factories.actor(user), script=script, **WORDS)
    worker.prepare(str(script.uid))
    page = text_of(client.get(at(script, "script")))
    assert "No records were prepared" in page
    assert "not_releasable" in page
    assert client.get(at(script, "script_status")).headers["HX-Refresh"] == "true"


# --- Asking -------------------------------------------------------------------------------------------------
def test_the_choice_of_records_travels(client, city, contract, second, worker):
    script = prepared(worker, submitted(city, contract), city.bureau, second)
    shown = client.get(at(script, "script"))
    assert f"{at(contract, 'compute')}?script={script.uid}" in shown.content.decode()
    selected = f'<option value="{script.uid}" selected>'
    assert selected in client.get(f"{at(contract, 'compute')}?script={script.uid}").content.decode()
    assert selected not in client.get(at(contract, "compute")).content.decode()
    asked = {"way": "sql", "sql": SQL, "script": str(script.uid), "title": ""}
    assert "this can run" in text_of(client.post(at(contract, "preview"), asked))
    assert selected in client.post(at(contract, "compute"), {**asked, "step": "check"}).content.decode()
    nothing = {**asked, "script": "5f0f6d0e-3a55-4a0e-9d2b-6c0f5e9f0b11"}
    assert "script.unknown" in text_of(client.post(at(contract, "preview"), nothing))
    client.post(at(contract, "compute"), {**asked, "step": "run"})
    run = Run.objects.get()
    assert run.computation.script == script
    again = client.get(f"{at(contract, 'compute')}?from={run.uid}").content.decode()
    assert selected in again


def test_how_many_records_were_prepared_is_not_told(client, city, contract, second, worker):
    """An exact count of a set that the script chose would pass by all rules."""
    source = (
        "import pyarrow.compute as pc\n"
        't = extracts["electricity"].to_table()\n'
        'emit(t.filter(pc.equal(t["month"], "2025-01")))\n'
    )
    script = prepared(worker, submitted(city, contract, source), city.bureau, second)
    for chosen in ("", str(script.uid)):
        answer = client.post(at(contract, "preview"), {"way": "sql", "sql": SQL, "script": chosen})
        assert answer.context["answer"].rows == 120, chosen


# --- Results ------------------------------------------------------------------------------------------------
def test_a_result_waits_for_two_reviewers_and_then_leaves(client, city, contract, second, worker):
    script = prepared(worker, submitted(city, contract), city.bureau, second)
    run = held(worker, city, script)
    page = client.get(at(run, "run"))
    assert "Being reviewed by two people" in text_of(page)
    assert 'hx-trigger="every 15s"' in page.content.decode()
    assert at(run, "run_cancel") in page.content.decode()
    assert script.records.sha256 not in page.content.decode()
    assert "HX-Refresh" in client.get(at(run, "run_status")).headers  # from the fast pace to the slow one
    assert "HX-Refresh" not in client.get(at(run, "run_status") + "?review=1").headers
    assert run in client.get("/runs/?state=in_review").context["page"]
    for user, left in ((city.bureau, 1), (second, 0)):
        client.force_login(user)
        assert at(run, "run_review") in client.get("/").content.decode()
        review = client.get(at(run, "run_review"))
        said = text_of(review)
        assert "What would leave" in said
        assert "历下区" in said
        assert "Evidence" in said
        assert "Compared with" in said or "no earlier answer" in said
        assert client.post(at(run, "run_review"), WORDS).url == at(run, "run")
        assert (Run.objects.get(pk=run.pk).state == RunState.IN_REVIEW) == bool(left)
    assert client.get(at(run, "run_review")).url == at(run, "run")
    client.force_login(city.enterprise)
    final = client.get(at(run, "run"))
    said = text_of(final)
    assert "Records prepared by a script" in said
    assert said.count("2 reviewers of 大数据局") == 2  # two read the script, two looked at the result
    assert script.digest.removeprefix("sha256:") in final.content.decode()
    assert WORDS["note"] not in said


def test_reviewing_a_result_is_for_reviewers_once_each(client, city, contract, second, worker):
    script = prepared(worker, submitted(city, contract), city.bureau, second)
    run = held(worker, city, script)
    for who, status in {"enterprise": 403, "power": 403, "auditor": 403, "rival": 404, "water": 404}.items():
        client.force_login(getattr(city, who))
        assert client.get(at(run, "run_review")).status_code == status, who
        assert client.post(at(run, "run_review"), WORDS).status_code == status, who
    client.force_login(city.bureau)
    client.post(at(run, "run_review"), WORDS)
    assert "another reviewer is needed" in text_of(client.get(at(run, "run_review")))
    assert client.post(at(run, "run_review"), WORDS).status_code == 409
    assert client.post(at(run, "run_review"), {"verdict": "x", "note": "x"}).status_code == 422
    client.force_login(second)
    client.post(at(run, "run_review"), {"verdict": "refuse", "note": "一格太小"})
    assert Run.objects.get(pk=run.pk).failure == "not_releasable"
    client.force_login(city.enterprise)
    said = text_of(client.get(at(run, "run")))
    assert "Nothing was released" in said
    assert "一格太小" not in said
    client.force_login(city.bureau)
    assert "一格太小" in text_of(client.get(at(run, "run")))


def test_a_result_in_review_can_be_cancelled(client, city, contract, second, worker):
    script = prepared(worker, submitted(city, contract), city.bureau, second)
    run = held(worker, city, script)
    client.post(at(run, "run_cancel"))
    assert Run.objects.get(pk=run.pk).state == RunState.CANCELLED
    with pytest.raises(Exception, match=r"review\.closed|does not wait"):
        review_run(actor=factories.actor(city.bureau), run=run, **WORDS)


def test_reviewers_are_told_that_the_same_text_was_refused_before(client, city, contract, script):
    client.force_login(city.bureau)
    assert "Refused before" not in text_of(client.get(at(script, "script")))
    client.post(at(script, "script_review"), {**WORDS, "verdict": "refuse"})
    again = submitted(city, contract, script.source)
    assert "Refused before" in text_of(client.get(at(again, "script")))
    client.force_login(city.enterprise)
    assert "Refused before" not in text_of(client.get(at(again, "script")))
