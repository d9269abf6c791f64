"""The same attacker over HTTP: tokens, JSON, a worker between; nothing else of the product is touched."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from catalog.schema import Column, ColumnKind, ColumnType, Grade, Schema
from sandbox.worker import Worker
from tests import factories
from tests.api_calls import Caller
from tests.attacks.attacker.questions import Told
from tests.attacks.attacker.space import RELEASED
from tests.attacks.attacker.worlds import DATASET, UNIT, VALUE, Frame

# What differs between any two answers: random names, digests (of keyed bytes), times.
_VARIES = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}|[0-9a-f]{64}|\d{4}-\d\d-\d\dT[\d:.]+Z?|\b\d{16}\b"
)


class OverApi:
    """`users`: the account each contract belongs to, under the names the strategies use."""

    def __init__(self, city: factories.City, worker: Worker, frame: Frame, lane: str = "table") -> None:
        self.city, self.worker, self.frame = city, worker, frame
        self.dataset = factories.published_dataset(
            city.power, DATASET, schema=schema_of(frame), rows=rows_of(frame)
        )
        self.callers = {"one": Caller(city.enterprise), "two": Caller(city.rival)}
        self.contracts = {name: self._sign(name, lane) for name in self.callers}
        self.seen: list[Any] = []  # every answer's status, headers and body, without what always varies

    def publish(self, frame: Frame) -> None:
        factories.publish_version(self.dataset, self.city.power, schema=schema_of(frame), rows=rows_of(frame))

    def ask(self, text: str, account: str = "one") -> Told:
        caller = self.callers[account]
        asked = self._kept(caller.post(f"contracts/{self.contracts[account]}/runs", {"sql": text}))
        if asked.status_code != 201:
            return Told(asked.json()["title"])
        uid = asked.json()["uid"]
        self.worker.work(uid)
        run = self._kept(caller.get(f"runs/{uid}")).json()
        if run["state"] != "released":
            return Told(run["failure"])
        release = self._kept(caller.get(f"releases/{run['release']}")).json()
        return Told(
            RELEASED, tuple(dict(zip(release["columns"], row, strict=True)) for row in release["rows"])
        )

    def _kept(self, response: Any) -> Any:
        """Released numbers are left out: what is compared is all the rest."""
        body = json.loads(response.content)
        if "rows" in body and "columns" in body:
            body["rows"], body["summary"]["not_shown"] = len(body["rows"]), 0
        timed = {"Content-Length", "Expires"}
        headers = {name: value for name, value in response.headers.items() if name not in timed}
        self.seen.append((response.status_code, _plain(headers), _plain(body)))
        return response

    def _sign(self, account: str, lane: str) -> str:
        enterprise = self.callers[account]
        wish = {"dataset": DATASET, "columns": [*self.frame.dims, VALUE]}
        asked = {
            "datasets": [wish],
            "purpose": "industry",
            "scenario": "x",
            "wanted": "x",
            "term_days": 9,
            "max_runs": 99,
        }
        request = enterprise.post("requests", asked).json()["uid"]
        lanes = {f"{DATASET}.": {"lane": lane}, f"{DATASET}.{VALUE}": {"lane": lane}}
        for user, more in ((self.city.power, {"lanes": lanes}), (self.city.bureau, {})):
            granted = {"outcome": "grant", "reason": "x", **more}
            assert Caller(user).post(f"requests/{request}/decision", granted).status_code == 200
        contract = str(enterprise.get(f"requests/{request}").json()["contract"])
        for caller in (Caller(self.city.power), Caller(self.city.bureau), enterprise):
            digest = caller.get(f"contracts/{contract}").json()["digest"]
            caller.post(f"contracts/{contract}/signature", {"digest": digest})
        return contract


def _plain(value: Mapping[str, Any]) -> str:
    return _VARIES.sub("…", json.dumps(value, sort_keys=True, ensure_ascii=False))


def schema_of(frame: Frame) -> Schema:
    dims = [
        Column(name, name, ColumnType.TEXT, ColumnKind.DIMENSION, Grade.GENERAL_1, domain=domain)
        for name, domain in frame.dims.items()
    ]
    unit = Column(
        UNIT,
        UNIT,
        ColumnType.TEXT,
        ColumnKind.PRIVACY_UNIT,
        Grade.GENERAL_2,
        nullable=False,
        unit_space="person",
    )
    return Schema(
        (unit, *dims, Column(VALUE, VALUE, ColumnType.INTEGER, ColumnKind.MEASURE, Grade.GENERAL_2))
    )


def rows_of(frame: Frame) -> list[dict[str, str]]:
    columns = {UNIT: [f"u{unit}" for unit in frame.unit], VALUE: [str(value) for value in frame.value]}
    columns |= {name: [text or "" for text in frame.texts(name)] for name in frame.dims}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
