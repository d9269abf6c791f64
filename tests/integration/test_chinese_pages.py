"""No page leaves English behind for a reader of Chinese."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from django.core.cache import cache
from django.urls import reverse
from django.utils import translation
from django.utils.translation import trans_real

from audit.models import Entry
from audit.sealer import seal_all
from catalog.models import Dataset
from dataspace.machine import translations
from dataspace.portal.differencing_plans import Attack
from parties.roles import Role
from tests import factories
from tests.computed import released, submitted

pytestmark = pytest.mark.django_db

WORD = re.compile(r"(?<![\w./:@#-])[A-Za-z]{4,}(?![\w./:@-])")
# Names that have no Chinese, words of SQL, keys of records, and the values of this test's world.
NAMES = {
    "API",
    "English",
    "JSON",
    "ODRL",
    "Parquet",
    "XLSX",
    "PostgreSQL",
    "Python",
    "JavaScript",
    "Cookie",
    "DuckDB",
}
KEYWORDS = {"SELECT", "FROM", "JOIN", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "COUNT", "Ctrl", "Enter"}
VALUES = {
    "electricity",
    "district",
    "month",
    "enterprise",
    "power",
    "water",
    "bureau",
    "rival",
    "auditor",
    "reviewer",
    "used",
}
SOFTWARE = {"dataspace", "duckdb", "numpy", "pyarrow", "python", "sqlglot"}
KEYS = {"datasets", "purpose"}  # of an entry of the audit log, as they are hashed
UNMARKED = {
    "Search",
    "True",
}  # texts for missing pictures in the back office, which Django does not translate
UNREAD = {"script", "style", "code", "pre", "textarea", "kbd"}
SPOKEN = ("title", "aria-label", "placeholder", "alt", "data-label", "content")


class Page(HTMLParser):
    """The text of a page and of the attributes that are read aloud or shown."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.said: list[str] = []
        self._unread = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._unread += tag in UNREAD
        if (given.get("lang") or "").startswith("en"):  # the button that leads to English says so in English
            return
        self.said += [given[name] or "" for name in SPOKEN if name in given and tag != "meta"]
        if tag == "input" and given.get("type") in {"submit", "button", "reset"}:
            self.said.append(given.get("value") or "")

    def handle_endtag(self, tag: str) -> None:
        self._unread -= tag in UNREAD

    def handle_data(self, data: str) -> None:
        if not self._unread:
            self.said.append(data)

    @property
    def english(self) -> set[str]:
        """The texts with an English word in them."""
        known = NAMES | KEYWORDS | VALUES | SOFTWARE | KEYS | UNMARKED
        return {" ".join(text.split()) for text in self.said if set(WORD.findall(text)) - known}


@pytest.fixture(autouse=True)
def _compiled():
    """The translations as a started data space has them."""
    translations.compile_changed()
    trans_real._translations.clear()
    yield
    trans_real._translations.clear()


@pytest.fixture
def read(client):
    """Reads a page as `user`; returns its English texts."""
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "zh-hans"

    def english(user, address: str, status: int = 200) -> set[str]:
        client.logout()
        if user is not None:
            client.force_login(user)
        response = client.get(address)
        assert response.status_code == status, address
        return Page(response.content.decode()).english

    yield english
    cache.clear()
    translation.activate("en")


@pytest.fixture
def dataset(city) -> Dataset:
    return factories.published_dataset(city.power)


def test_the_pages_of_everyone(read, city, dataset) -> None:
    page = reverse("portal:dataset", args=[dataset.name])
    addresses = [reverse(f"portal:{name}") for name in ("home", "login", "catalog", "basket")]
    addresses += [
        f"{page}?tab={tab}" for tab in ("overview", "dictionary", "quality", "sample", "versions", "api")
    ]
    assert {address: found for address in addresses if (found := read(None, address))} == {}
    assert read(None, "/nowhere/", 404) == set()


def test_the_pages_of_each_role_on_the_way_to_a_contract(read, city, dataset) -> None:
    asked = factories.filed_request(city.enterprise, [dataset])
    drafted = factories.drafted_contract(city.enterprise, [dataset], city.deciders)
    found = {}
    for user in (city.enterprise, city.power, city.bureau):
        for address in (
            reverse("portal:home"),
            reverse("portal:requests"),
            reverse("portal:contracts"),
            reverse("portal:runs"),
            reverse("portal:request", args=[asked.uid]),
            reverse("portal:contract", args=[drafted.uid]),
        ):
            found[user.username, address] = read(user, address)
    assert {at: words for at, words in found.items() if words} == {}


def test_the_pages_of_a_computation_and_its_result(read, city, dataset, worker) -> None:
    contract = factories.signed_contract(city.enterprise, [dataset], city.deciders)
    run = released(worker, city.enterprise, contract)
    waiting = submitted(city.enterprise, contract)
    reviewer = factories.account("reviewer", city.bureau.organization, Role.REVIEWER, Role.MEMBER)
    compute = reverse("portal:compute", args=[contract.uid])
    seen = {
        address: read(user, address)
        for user, address in (
            (city.enterprise, compute),
            (city.enterprise, f"{compute}?how=sql"),
            (city.enterprise, reverse("portal:run", args=[run.uid])),
            (city.enterprise, reverse("portal:run", args=[waiting.uid])),
            (city.enterprise, reverse("portal:contract", args=[contract.uid])),
            (city.enterprise, reverse("portal:home")),
            (reviewer, reverse("portal:release_evidence", args=[run.release.uid])),
        )
    }
    assert {address: words for address, words in seen.items() if words} == {}


def test_the_page_of_the_differencing_attack(read, city) -> None:
    page = reverse("portal:differencing")
    seen = {attack: read(city.enterprise, f"{page}?attack={attack}") for attack in Attack}
    assert {attack: words for attack, words in seen.items() if words} == {}


def test_the_pages_of_the_audit_log(read, city, dataset) -> None:
    factories.filed_request(city.enterprise, [dataset])
    seal_all()
    newest = Entry.objects.order_by("-seq").first()
    addresses = [reverse(f"portal:{name}") for name in ("home", "audit")]
    addresses.append(reverse("portal:audit_entry", args=[newest.seq]))
    assert {address: found for address in addresses if (found := read(city.auditor, address))} == {}


def test_the_back_office(read, city, dataset) -> None:
    version = dataset.versions.get()
    seen = {
        (user.username, address): read(user, address)
        for user, address in (
            (city.power, reverse("admin:index")),
            (city.power, reverse("admin:catalog_dataset_changelist")),
            (city.power, reverse("admin:catalog_dataset_add")),
            (city.power, reverse("admin:catalog_dataset_change", args=[dataset.pk])),
            (city.power, reverse("admin:catalog_dataset_hand_in", args=[dataset.pk])),
            (city.power, reverse("admin:catalog_version_changelist")),
            (city.power, reverse("admin:catalog_version_change", args=[version.pk])),
            (city.power, reverse("admin:catalog_source_changelist")),
            (city.power, reverse("admin:catalog_source_add")),
            (city.bureau, reverse("admin:parties_organization_changelist")),
            (city.bureau, reverse("admin:parties_organization_add")),
            (city.bureau, reverse("admin:parties_user_changelist")),
            (city.bureau, reverse("admin:parties_user_add")),
        )
    }
    assert {at: words for at, words in seen.items() if words} == {}


def test_a_refusal_of_pure_code_is_in_the_language_of_whoever_asked(client, city, dataset) -> None:
    contract = factories.signed_contract(city.enterprise, [dataset], city.deciders)
    client.force_login(city.enterprise)

    def told(language: str) -> str:
        page = client.post(
            reverse("portal:preview", args=[contract.uid]),
            {"how": "sql", "sql": "SELECT district, SUM(kwh) FROM nothing GROUP BY district"},
            headers={"accept-language": language},
        )
        return page.content.decode()

    assert "合约中没有数据集“nothing”。" in told("zh-hans")
    assert "The contract has no dataset &quot;nothing&quot;." in told("en")
