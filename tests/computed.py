"""Runs for tests: submitted by the service, computed in the real sandbox."""

from __future__ import annotations

from contracts.models import Contract
from parties.models import User
from sandbox.formats import from_ipc
from sandbox.models import Run
from sandbox.services.submit import Question, submit
from sandbox.worker import Worker
from tests import factories

SQL = (
    "SELECT district, COUNT(DISTINCT credit_code) AS n, SUM(kwh) AS used\n"
    "FROM electricity -- ours alone\nGROUP BY district WITH TOTALS"
)


def submitted(user: User, contract: Contract, text: str = SQL, title: str = "") -> Run:
    return submit(actor=factories.actor(user), contract=contract, question=Question(text=text, title=title))


def done(worker: Worker, user: User, contract: Contract, text: str = SQL, title: str = "") -> Run:
    """Run to its end, whatever that is."""
    run = submitted(user, contract, text, title)
    worker.work(str(run.uid))
    return Run.objects.get(pk=run.pk)


def released(worker: Worker, user: User, contract: Contract, text: str = SQL, title: str = "") -> Run:
    run = done(worker, user, contract, text, title)
    assert run.state == "released", run.failure
    return run


def table(run: Run) -> list[dict[str, object]]:
    """The released rows."""
    rows: list[dict[str, object]] = from_ipc(bytes(run.release.table)).to_pylist()
    return rows
