"""Fill an empty data space: a city's datasets, and work waiting in each role's queue. Everything goes through the
same services as in the browser, so that the log of a demonstration is a real log.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from catalog import jobs
from catalog import services as catalog_services
from catalog.models import Dataset, Version
from catalog.schema import Schema
from catalog.states import BadRows
from contracts.draft import offered_columns
from contracts.models import AccessRequest, Contract
from contracts.services import requests as request_services
from contracts.services.requests import Wish
from contracts.services.signing import sign_contract
from contracts.states import Outcome, Purpose
from dataspace.demo.accounts import PROVIDER_ACCOUNT, create_accounts
from dataspace.demo.city import DemoFile, write_city
from parties.actors import Actor, actor_for
from parties.models import User
from sandbox.services.scripts import submit_script
from sandbox.services.submit import Question, submit
from sandbox.worker import Worker

Say = Callable[[str], None]

QUESTIONS = (
    (
        "各区县月度用电量",
        """SELECT district, month, COUNT(DISTINCT credit_code) AS "企业数", SUM(kwh) AS "用电量"
FROM electricity
GROUP BY district, month""",
    ),
    (
        "2025 年末分行业用电与参保(联合计算)",
        """SELECT e.industry, COUNT(DISTINCT e.credit_code) AS "企业数",
       SUM(e.kwh) AS "用电量", SUM(s.insured_count) AS "参保人数"
FROM electricity e JOIN social_insurance s ON e.credit_code = s.credit_code
WHERE e.month = '2025-12' AND s.quarter = '2025Q4'
GROUP BY e.industry""",
    ),
)


SCRIPT = (
    "按季度平滑用电量",
    """# 每家企业各月的用电量改为所在季度的月平均,消除抄表日期和节假日带来的起伏。不删除任何记录。
import pyarrow as pa

table = extracts["electricity"].to_table()
frame = table.to_pandas()
quarter = frame["month"].str[:4] + "Q" + ((frame["month"].str[5:].astype(int) + 2) // 3).astype(str)
for name in ("kwh", "off_peak_kwh"):
    mean = frame.groupby([frame["credit_code"], quarter])[name].transform("mean")
    frame[name] = mean.round().astype("int64")
emit(pa.Table.from_pandas(frame, schema=table.schema, preserve_index=False))
""",
)


def actor(username: str) -> Actor:
    return actor_for(User.objects.get(username=username))


def seed(*, say: Say, scale: float = 1.0) -> None:
    """Everything at once. `scale` 1.0 is about one million rows."""
    create_accounts()
    with tempfile.TemporaryDirectory() as folder:
        for file in write_city(Path(folder), scale=scale):
            say(f"  {file.title_zh} ({file.rows:,})")
            publish(file)
        _leave_a_version_undecided(Path(folder))
    contract = _sign(
        _grant(
            _ask("enterprise", ["electricity", "social_insurance"], "园区产业用能监测与信贷风险预警"),
            limits={"allow_scripts": 1},
        )
    )
    say("  计算 · computing")
    _compute(contract)
    title, source = SCRIPT  # waits for its reviewers
    submit_script(
        actor=actor("enterprise"), contract=contract, dataset="electricity", source=source, title=title
    )
    _grant(_ask("enterprise", ["credit_facts", "enterprises"], "中小微企业普惠信贷"))  # waits for signatures
    _ask("enterprise", ["hotline"], "12345 热线民生诉求热点分析")  # waits for decisions
    _ask("rival", ["water", "electricity"], "能耗对标研究")


def publish(file: DemoFile) -> Dataset:
    """From file to listed dataset, as its provider would."""
    provider = actor(PROVIDER_ACCOUNT[file.provider])
    dataset = catalog_services.create_dataset(
        actor=provider,
        name=file.identifier,
        description=catalog_services.Description(
            title=file.title_zh, title_en=file.title_en, description=file.description, theme=file.theme,
            cadence=file.cadence, legal_basis="合成数据,仅供演示 · synthetic data for demonstration", synthetic=True,
        ),
    )  # fmt: skip
    version = _hand_in(provider, dataset, file.path, file.schema)
    catalog_services.decide_bad_rows(actor=provider, version=version, on_bad_rows=BadRows.PUBLISH)
    jobs.work_on(version.uid)
    return catalog_services.list_dataset(actor=provider, dataset=dataset)


def _hand_in(provider: Actor, dataset: Dataset, path: Path, schema: Schema) -> Version:
    version = catalog_services.hand_in_file(
        actor=provider, dataset=dataset, chunks=_chunks(path), file_name=path.name
    )
    jobs.work_on(version.uid)  # reads it and proposes a schema
    version = catalog_services.set_schema(actor=provider, version=version, schema=schema)
    jobs.work_on(version.uid)  # checks every row against the schema the provider set
    version.refresh_from_db()
    return version


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            yield chunk


def _leave_a_version_undecided(folder: Path) -> None:
    """The hotline centre has handed in a second version, some rows of which do not fit: it has to decide."""
    dataset = Dataset.objects.get(name="hotline")
    current = dataset.current
    assert current is not None
    lines = (folder / "synthetic_hotline.csv").read_text(encoding="utf-8").splitlines(keepends=True)[:5001]
    for i in (17, len(lines) // 3, len(lines) - 5):
        lines[i] = lines[i].replace(lines[i].split(",")[2], "31/02/2025", 1)
    path = folder / "hotline-2026-01.csv"
    path.write_text("".join(lines), encoding="utf-8")
    _hand_in(actor("hotline"), dataset, path, current.schema)


def _ask(username: str, names: list[str], scenario: str) -> AccessRequest:
    wishes = []
    for name in names:
        dataset = Dataset.objects.get(name=name)
        assert dataset.current is not None
        wishes.append(Wish(dataset, [c.name for c in offered_columns(dataset.current.schema)]))
    return request_services.file_request(
        actor=actor(username), wishes=wishes, purpose=Purpose.INDUSTRY, scenario=scenario,
        wanted="分区县、分行业、分月份的汇总表", term_days=365, max_runs=100,
    )  # fmt: skip


def _grant(request: AccessRequest, limits: dict[str, int] | None = None) -> AccessRequest:
    accounts = {*(PROVIDER_ACCOUNT.values()), "bureau"}
    deciders = User.objects.filter(username__in=accounts, organization__decisions__request=request)
    for user in deciders:
        request_services.decide_request(
            actor=actor_for(user), request=request, outcome=Outcome.GRANT, reason="用途明确,期限合理,同意。",
            limits=limits,
        )  # fmt: skip
    return request


def _sign(request: AccessRequest) -> Contract:
    contract = Contract.objects.get(request=request)
    signers = User.objects.filter(memberships__role="signatory", organization__signatures__contract=contract)
    for user in signers.order_by("pk"):
        sign_contract(actor=actor_for(user), contract=contract, digest=contract.digest)
    contract.refresh_from_db()
    return contract


def _compute(contract: Contract) -> None:
    worker = Worker()
    try:
        for title, text in QUESTIONS:
            run = submit(
                actor=actor("enterprise"), contract=contract, question=Question(text=text, title=title)
            )
            worker.work(str(run.uid))
    finally:
        worker.close()
