"""What comes out, in the browser: downloads on record, evidence for reviewers alone."""

from __future__ import annotations

import hashlib
import io
import json

import pyarrow.parquet as pq
import pytest
from django.urls import reverse

from audit.events import Event
from audit.models import Entry
from audit.sealer import seal_all
from contracts.services.signing import suspend_contract, terminate_contract
from parties.roles import OrganizationKind, Role
from sandbox.models import Release
from tests import factories
from tests.computed import released

pytestmark = pytest.mark.django_db

FORMATS = ("csv", "xlsx", "parquet", "receipt")


@pytest.fixture
def contract(city):
    return factories.signed_contract(
        city.enterprise, [factories.published_dataset(city.power)], city.deciders
    )


@pytest.fixture
def release(published_log, city, contract, worker) -> Release:
    return released(worker, city.enterprise, contract).release


@pytest.fixture
def client(client, city):
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    client.force_login(city.enterprise)
    return client


@pytest.fixture
def reviewer(city):
    return factories.account("reviewer", city.bureau.organization, Role.REVIEWER, Role.MEMBER)


def file(release: Release, name: str) -> str:
    return reverse("portal:release_download", args=[release.uid, name])


def evidence(release: Release) -> str:
    return reverse("portal:release_evidence", args=[release.uid])


def downloads_on_record() -> list[str]:
    seal_all()
    return [
        e.fields["x"]["format"] for e in Entry.objects.filter(act=Event.RELEASE_DOWNLOADED).order_by("seq")
    ]


# --- Downloads --------------------------------------------------------------------------------------------
def test_every_format_is_a_file_and_an_entry_of_the_log(client, release, published_log):
    published_log.publish()
    bodies = {}
    for name in FORMATS:
        response = client.get(file(release, name))
        assert response.status_code == 200
        assert response["Content-Disposition"].startswith("attachment; filename=")
        assert "no-store" in response["Cache-Control"]
        bodies[name] = response.content
    assert "历下区,20" in bodies["csv"].decode("utf-8-sig")
    assert pq.read_table(io.BytesIO(bodies["parquet"])).num_rows == 4
    assert bodies["xlsx"][:2] == b"PK"
    assert json.loads(bodies["receipt"])["receipt"].encode() == bytes(release.receipt)
    assert downloads_on_record() == list(FORMATS)


def test_the_receipts_digest_on_the_page_is_that_of_the_file_and_of_the_log(client, release, published_log):
    published_log.publish()
    page = client.get(reverse("portal:run", args=[release.run.uid])).context["release"]
    held = json.loads(client.get(file(release, "receipt")).content)["receipt"]
    assert page.receipt_digest == f"sha256:{hashlib.sha256(held.encode()).hexdigest()}"
    assert page.entry.fields["x"]["receipt"] == page.receipt_digest
    assert (
        f"python -m audit.verifier {page.receipt_file}"
        in client.get(reverse("portal:run", args=[release.run.uid])).content.decode()
    )


def test_until_a_checkpoint_covers_the_release_the_receipt_says_that_it_will_come(
    client, release, published_log
):
    def receipt():
        page = client.get(reverse("portal:run", args=[release.run.uid])).context["release"]
        return page.downloads[-1].refused, client.get(file(release, "receipt"))

    seal_all()
    for _ in range(2):  # before any checkpoint, and with one that does not cover it
        why, response = receipt()
        assert "in a few seconds" in why
        assert response.status_code == 409
        assert why in response.content.decode()
        published_log.checkpointer.round()
    assert client.get(file(release, "csv")).status_code == 200
    published_log.publish()
    why, response = receipt()
    assert (why, response.status_code) == ("", 200)


def test_nobody_else_downloads(client, city, release, reviewer):
    for who, status in ((city.rival, 404), (city.power, 404), (city.auditor, 404), (reviewer, 403)):
        client.force_login(who)
        for name in FORMATS:
            assert client.get(file(release, name)).status_code == status
    client.logout()
    assert client.get(file(release, "csv")).status_code == 302
    assert downloads_on_record() == []


def test_a_format_that_does_not_exist_is_refused(client, release):
    assert client.get(file(release, "exe")).status_code == 400
    assert downloads_on_record() == []


@pytest.mark.parametrize("stop", [suspend_contract, terminate_contract])
def test_a_contract_that_is_stopped_closes_downloads_and_page_and_says_so(
    client, city, contract, release, stop
):
    stop(actor=factories.actor(city.power), contract=contract, reason="inspection")
    for name in FORMATS:
        assert client.get(file(release, name)).status_code == 409
    shown = client.get(reverse("portal:run", args=[release.run.uid]))
    assert shown.context["release"] is None
    assert shown.context["page"].closed
    assert release.digest.removeprefix("sha256:") not in shown.content.decode()
    assert downloads_on_record() == []


# --- Evidence ---------------------------------------------------------------------------------------------
def test_a_reviewer_sees_contributors_and_reasons_per_cell(client, release, reviewer):
    client.force_login(reviewer)
    assert evidence(release).encode() in client.get(reverse("portal:run", args=[release.run.uid])).content
    shown = client.get(evidence(release)).context["page"]
    rows = shown.table.rows
    assert [str(c.label) for c in shown.table.columns][:4] == [
        "district",
        "Measure",
        "Contributors",
        "Records",
    ]
    assert rows[0][:4] == ["历下区", "count_units", 20, 40]
    assert shown.counts == {"published": 6, "withheld": 0, "empty": 0}
    assert not list(client.get(f"{evidence(release)}?outcome=withheld").context["page"].page)


def test_an_operators_reviewer_sees_it_too(client, release):
    operator = factories.organization(OrganizationKind.OPERATOR, "运营公司")
    client.force_login(factories.account("operator", operator, Role.REVIEWER))
    assert client.get(evidence(release)).status_code == 200


def test_evidence_is_for_reviewers_alone(client, city, release):
    approver = factories.account("approver", city.bureau.organization, Role.APPROVER)
    for who, status in (
        (city.enterprise, 403),
        (city.rival, 404),
        (city.power, 404),
        (city.auditor, 404),
        (approver, 404),
    ):
        client.force_login(who)
        assert client.get(evidence(release)).status_code == status
        assert (
            evidence(release).encode()
            not in client.get(reverse("portal:run", args=[release.run.uid])).content
        )


# --- Worked out from the result ------------------------------------------------------------------------------
def statistics(release: Release) -> str:
    return reverse("portal:release_statistics", args=[release.uid])


def test_a_regression_is_worked_out_from_the_released_table(client, release):
    page = client.get(statistics(release))
    assert page.status_code == 200
    asked = {"statistic": "linear", "dimensions": "district", "count": "n", "total": "used", "share": "0.5"}
    shown = client.get(statistics(release), asked)
    rows = {row[0]: row[1].value for row in shown.context["table"].rows}
    assert set(rows) == {"1", "district = 市中区", "district = 槐荫区"}
    assert shown.context["references"] == ("district = 历下区",)


def test_what_the_table_cannot_tell_is_said_in_words(client, release):
    shown = client.get(statistics(release), {"statistic": "quantile", "dimensions": "district", "count": "n"})
    assert shown.status_code == 200
    assert shown.context["refused"].code == "models.bands"
    assert "is not a band of numbers" in shown.content.decode()


def test_statistics_are_for_those_who_may_open_the_result(client, city, contract, release):
    client.force_login(city.rival)
    assert client.get(statistics(release)).status_code == 404
    client.force_login(city.enterprise)
    terminate_contract(actor=factories.actor(city.power), contract=contract, reason="x")
    assert client.get(statistics(release)).status_code == 409


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"statistic": "linear", "dimensions": ["district"], "count": "n", "total": "used"}, 200),
        ({"statistic": "quantile", "dimensions": ["district"], "count": "n"}, 409),
        ({"statistic": "linear", "dimensions": ["street"], "count": "n", "total": "used"}, 400),
        ({"statistic": "linear", "dimensions": ["district"], "count": "kwh"}, 400),
        ({"statistic": "mode", "dimensions": ["district"], "count": "n"}, 400),
        ({"statistic": "linear", "dimensions": ["district"], "count": "n"}, 409),
        ({"statistic": "logistic", "dimensions": ["district"], "count": "n"}, 409),
    ],
)
def test_the_api_works_out_what_the_page_does(client, release, asked, status):
    path = reverse("api:release-statistics", args=[release.uid])
    answer = client.post(path, json.dumps(asked), content_type="application/json")
    assert answer.status_code == status, answer.content
    if status == 200:
        page = client.get(statistics(release), {**asked, "share": "0.5"})
        shown = {row[0]: row[1].value for row in page.context["table"].rows}
        assert {row["of"]: f"{row['value']:,.6g}" for row in answer.json()["rows"]} == shown
        assert answer.json()["references"] == ["district = 历下区"]


def test_the_api_works_nothing_out_for_others(client, city, release):
    client.force_login(city.rival)
    path = reverse("api:release-statistics", args=[release.uid])
    assert client.post(path, "{}", content_type="application/json").status_code == 404


# --- The private lane ----------------------------------------------------------------------------------------
@pytest.fixture
def noisy(published_log, city, worker) -> Release:
    lanes = {
        "electricity.": {"lane": "private"},
        "electricity.kwh": {"lane": "private", "low": 0, "high": 5000},
    }
    dataset = factories.published_dataset(city.power)
    contract = factories.signed_contract(city.enterprise, [dataset], city.deciders, lanes=lanes)
    return released(worker, city.enterprise, contract).release


def test_a_private_result_shows_intervals_beside_its_values_and_its_contract_a_gauge(client, noisy):
    shown = client.get(reverse("portal:run", args=[noisy.run.uid])).context["table"]
    assert [str(column.label) for column in shown.columns] == ["district", "n", "used"]
    assert all("–" in str(row[1].note) for row in shown.rows)
    page = client.get(reverse("portal:contract", args=[noisy.run.contract.uid]))
    assert [gauge.spent for gauge in page.context["page"].gauges] == [noisy.run.answer.charge // 1000] * 2
    assert "Enough for about" in page.content.decode()


def test_private_evidence_tells_the_noise_and_no_data(client, noisy, reviewer):
    client.force_login(reviewer)
    page = client.get(evidence(noisy))
    assert [str(row[0]) for row in page.context["page"].table.rows] == ["sum", "contributors"]
