"""A space with something on every page, for tests that only look."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.models import Version
from contracts.services.signing import suspend_contract
from sandbox.worker import Worker
from tests import computed, factories


@dataclass(frozen=True, slots=True)
class World:
    """Addresses: a contract in force with a result, another in suspension, one to sign, a request to decide."""

    dataset: str
    version: str
    contract: str
    suspended: str
    unsigned: str
    request: str
    run: str
    release: str


def furnished() -> World:
    city = factories.city()
    power, water = factories.published_dataset(city.power), factories.water_dataset(city.water)
    contract = factories.signed_contract(city.enterprise, [power, water], city.deciders)
    suspended = factories.signed_contract(city.enterprise, [water], city.deciders, scenario="供水安全研究")
    suspend_contract(actor=factories.actor(city.bureau), contract=suspended, reason="例行核查")
    unsigned = factories.drafted_contract(
        city.enterprise, [power], city.deciders, scenario="重点企业用电分析"
    )
    request = factories.filed_request(city.enterprise, [power, water], scenario="水电联合研究")
    worker = Worker()
    run = computed.released(worker, city.enterprise, contract, title="各区用电")
    worker.close()
    return World(
        dataset=f"/catalog/{power.name}/",
        version=f"/admin/catalog/version/{Version.objects.get(dataset=power).pk}/change/",
        contract=f"/contracts/{contract.uid}/", suspended=f"/contracts/{suspended.uid}/",
        unsigned=f"/contracts/{unsigned.uid}/", request=f"/requests/{request.uid}/", run=f"/runs/{run.uid}/",
        release=f"/releases/{run.release.uid}/",
    )  # fmt: skip
