"""The demonstration as it is seeded, in small: its script waits for two reviewers, runs, and can be asked."""

from __future__ import annotations

import pytest
from django.test import override_settings

from contracts.models import Contract
from contracts.states import ContractState
from dataspace.demo.seed import actor, seed
from sandbox.models import Run, Script
from sandbox.scripts.states import ScriptState
from sandbox.selectors import scripts_waiting_for
from sandbox.services.reviews import review_run, review_script
from sandbox.services.submit import Question, submit
from sandbox.states import RunState
from sandbox.worker import Worker

pytestmark = pytest.mark.django_db

SQL = "SELECT district, COUNT(DISTINCT credit_code) AS n, SUM(kwh) AS kwh FROM electricity GROUP BY district"


def test_the_script_waits_for_two_reviewers_and_its_records_can_be_asked(tmp_path):
    with override_settings(DATA_DIR=tmp_path):
        seed(say=lambda _words: None, scale=0.02)
    script = Script.objects.get()
    worker = Worker()
    near_to_many_numbers(worker)
    for name in ("reviewer", "reviewer2"):
        assert scripts_waiting_for(actor(name)).get() == script
        review_script(actor=actor(name), script=script, verdict="approve", note="只取季度平均,不删记录。")
    worker.prepare(str(script.uid))
    script.refresh_from_db()
    assert script.state == ScriptState.READY, script.cause
    question = Question(text=SQL, script=str(script.uid))
    run = submit(actor=actor("enterprise"), contract=script.contract, question=question)
    worker.work(str(run.uid))
    worker.close()
    assert Run.objects.get(pk=run.pk).state == RunState.IN_REVIEW, Run.objects.get(pk=run.pk).cause
    for name in ("reviewer", "reviewer2"):
        review_run(actor=actor(name), run=run, verdict="approve", note="各区县企业数足够。")
    assert Run.objects.get(pk=run.pk).state == RunState.RELEASED


def near_to_many_numbers(worker: Worker) -> None:
    """Small data bring hundreds of pairs to look at, which are too many for one question to the engine."""
    contract = Contract.objects.filter(state=ContractState.ACTIVE).order_by("pk").first()
    text = "SELECT industry, COUNT(DISTINCT credit_code) AS n FROM electricity GROUP BY industry"
    run = submit(actor=actor("enterprise"), contract=contract, question=Question(text=text))
    worker.work(str(run.uid))
    run.refresh_from_db()
    assert run.state == RunState.RELEASED, run.cause
    assert len(run.answer.compared) > 0
