"""The pages of reviewed scripts are fit for their readers: wide and narrow, light and dark, by keyboard alone."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from contracts.names import names_in
from dataspace.portal.starter import starter
from parties.roles import Role
from sandbox.models import Script
from sandbox.services.reviews import review_run, review_script
from sandbox.services.scripts import submit_script
from sandbox.services.submit import Question, submit
from sandbox.worker import Worker
from tests import factories
from tests.e2e.examination import examine, tab_to

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SQL = 'SELECT {by}, COUNT(DISTINCT credit_code) AS "企业数", SUM(kwh) AS "用电量" FROM electricity GROUP BY {by}'


@dataclass(frozen=True, slots=True)
class World:
    """Addresses: a contract that allows scripts; scripts waiting, refused and ready; results waiting and released."""

    contract: str
    waiting: str
    refused: str
    ready: str
    held: str
    released: str
    request: str


@pytest.fixture
def world(space) -> World:
    city = factories.city()
    second = factories.account("second", city.bureau.organization, Role.REVIEWER)
    power = factories.published_dataset(city.power)
    contract = factories.signed_contract(city.enterprise, [power], city.deciders, limits={"allow_scripts": 1})
    reviewers = [factories.actor(user) for user in (city.bureau, second)]
    source = starter(contract.terms.datasets[0], names_in(contract))

    def submitted(title: str) -> Script:
        acting = factories.actor(city.enterprise)
        return submit_script(
            actor=acting, contract=contract, dataset="electricity", source=source, title=title
        )

    ready, refused, waiting = (submitted(title) for title in ("剔除缺失值", "按行业平滑", "统一计量口径"))
    for actor in reviewers:
        review_script(actor=actor, script=ready, verdict="approve", note="逐行看过,只剔除缺失值。")
    review_script(
        actor=reviewers[0], script=refused, verdict="refuse", note="第 12 行依据单个企业的数值改动记录。"
    )
    worker = Worker()
    worker.prepare(str(ready.uid))
    runs = []
    for by in ("district", "month"):
        question = Question(text=SQL.format(by=by), script=str(ready.uid), title=f"{by}: 整理后用电")
        runs.append(submit(actor=factories.actor(city.enterprise), contract=contract, question=question))
        worker.work(str(runs[-1].uid))
    worker.close()
    for actor in reviewers:
        review_run(actor=actor, run=runs[0], verdict="approve", note="各区企业数足够。")
    request = factories.filed_request(city.enterprise, [power])
    return World(
        contract=f"/contracts/{contract.uid}/", waiting=f"/scripts/{waiting.uid}/", refused=f"/scripts/{refused.uid}/",
        ready=f"/scripts/{ready.uid}/", held=f"/runs/{runs[1].uid}/", released=f"/runs/{runs[0].uid}/",
        request=f"/requests/{request.uid}/",
    )  # fmt: skip


def test_the_pages_of_scripts_are_fit_for_every_reader(visit, world: World) -> None:
    pages = {
        "enterprise": [world.contract, f"{world.contract}scripts/new/", world.waiting, world.refused, world.ready,
                       f"{world.contract}compute/?script={world.ready.split('/')[2]}", world.held, world.released],
        "power": [world.waiting, world.held, world.request],
        "bureau": ["/", world.waiting, f"{world.held}review/", world.released],
    }  # fmt: skip
    wanted = {
        "enterprise": [
            (f"{world.contract}scripts/new/", "input[name=title]"),
            (world.contract, "a[href$='/new/']"),
        ],
        "bureau": [
            (world.waiting, "form[action$='/review/'] button"),
            (f"{world.held}review/", "form[action$='/review/'] button"),
        ],
    }
    wrong: list[str] = []
    for name, paths in pages.items():
        visitor = visit(name)
        visitor.log_in()
        for path in paths:
            wrong += examine(visitor, path)
        visitor.page.set_viewport_size({"width": 1280, "height": 900})
        for path, control in wanted.get(name, ()):
            visitor.open(path)
            wrong += tab_to(visitor, control)
    assert not wrong, "\n".join(wrong)
