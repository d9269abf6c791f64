"""P6, not yours is not there: another organization's ids on every page and API.

Every address of the project that names an object is asked, by everyone who may not see that object, for the object
and for one that does not exist. Both answers must be the same, byte for byte, and nothing may have changed.
"""

from __future__ import annotations

import itertools
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from django.urls import reverse
from knox.models import AuthToken

from audit.models import Entry, OutboxRow
from catalog.models import Dataset, Source, Version
from catalog.services import register_source, show_to
from catalog.states import Visibility
from contracts.models import Contract
from parties.models import Organization, User
from parties.roles import OrganizationKind, Role
from sandbox.models import Release
from sandbox.services import execute
from sandbox.services.scripts import submit_script
from sandbox.services.submit import Question, submit
from sandbox.services.trials import try_terms
from tests import factories
from tests.attacks.addresses import NAMES, NO_OBJECT, OTHER_PARTS, Address, addresses
from tests.worlds import give_made_up

pytestmark = pytest.mark.django_db

SQL = "SELECT district, SUM(kwh) AS kwh FROM grid_load GROUP BY district"
SCRIPT = 'emit(extracts["grid_load"].to_table())'
NO_NUMBER = 987_654_321
ABSENT = {
    "dataset_name": "grid_xxxx", "request": uuid.UUID(int=1), "contract": uuid.UUID(int=2), "run": uuid.UUID(int=3),
    "release": uuid.UUID(int=4), "trial": uuid.UUID(int=5), "script": uuid.UUID(int=6), "entry": NO_NUMBER,
    "dataset_pk": NO_NUMBER, "version_pk": NO_NUMBER,
    "source_pk": NO_NUMBER, "organization_pk": NO_NUMBER, "user_pk": NO_NUMBER,
}  # fmt: skip
# A body that every form and every door of the API finds something in.
BODY = {
    "outcome": "grant", "reason": "reason", "confirm": "on", "digest": "sha256:0", "sql": SQL, "mode": "sql", "title": "x",
    "how": "sql", "post": "yes", "password1": "Spring-2026-x", "password2": "Spring-2026-x", "organization": "1", "file": "",
    "dataset": "grid_load", "source": SCRIPT, "verdict": "refuse", "note": "x",
}  # fmt: skip


@dataclass(frozen=True)
class World:
    """One organization's things, one of each kind, none of which concerns anybody else."""

    dataset_name: str
    request: uuid.UUID
    contract: uuid.UUID
    run: uuid.UUID
    script: uuid.UUID
    release: uuid.UUID
    trial: uuid.UUID
    entry: int
    dataset_pk: int
    version_pk: int
    source_pk: int
    organization_pk: int
    user_pk: int
    city: factories.City


def _keys_that_stand_out() -> None:
    """So that a key can be told from any other number on a page. Like NO_NUMBER it has nine digits."""
    with connection.cursor() as cursor:
        for model in (Organization, User, Dataset, Version, Source):
            table = model._meta.db_table
            cursor.execute(
                "SELECT setval(pg_get_serial_sequence(%s, 'id'), 100000000 + floor(random() * 800000000)::bigint)",
                [table],
            )


@pytest.fixture
def world(published_log) -> World:
    _keys_that_stand_out()
    city = factories.city()
    acting = factories.actor(city.power)
    dataset = factories.published_dataset(city.power, "grid_load", visibility=Visibility.NAMED)
    show_to(actor=acting, dataset=dataset, organization=city.enterprise.organization)
    source = register_source(actor=acting, name="grid", url="postgresql://u:p@db.example.org/grid")
    contract = factories.signed_contract(
        city.enterprise, [dataset], city.deciders, limits={"allow_scripts": 1}
    )
    script = submit_script(
        actor=factories.actor(city.enterprise),
        contract=contract,
        dataset="grid_load",
        source=SCRIPT,
        title="x",
    )
    done, waiting = (
        submit(actor=factories.actor(city.enterprise), contract=contract, question=Question(text=SQL))
        for _ in range(2)
    )
    asked = factories.filed_request(city.enterprise, [dataset])
    trial = try_terms(actor=acting, request=asked)
    claimed = execute.claim(str(done.uid))
    assert claimed is not None
    give_made_up(claimed)
    execute.hold(claimed, engine_seconds=0.1)
    released = Release.objects.get(run=done)
    published_log.publish()
    return World(
        dataset_name=dataset.name, request=contract.request.uid, contract=contract.uid, run=waiting.uid, script=script.uid,
        release=released.uid, trial=trial.uid, entry=Entry.objects.order_by("-seq").first().seq, dataset_pk=dataset.pk,
        version_pk=dataset.versions.get().pk, source_pk=source.pk, organization_pk=city.enterprise.organization.pk,
        user_pk=city.enterprise.pk, city=city,
    )  # fmt: skip


def anonymous(_world: World) -> User | None:
    return None


def rival_enterprise(world: World) -> User:
    return world.city.rival


def other_provider(world: World) -> User:
    return world.city.water


def inactive_account(world: World) -> User:
    """One of the organization itself, whose account was closed."""
    user = factories.account("gone", world.city.enterprise.organization)
    User.objects.filter(pk=user.pk).update(is_active=False, is_staff=True)
    return user


def account_of_an_inactive_organization(_world: World) -> User:
    closed = factories.organization(OrganizationKind.PROVIDER, "已注销的单位")
    user = factories.account("closed", closed, Role.STEWARD, Role.APPROVER, Role.SIGNATORY)
    closed.active = False
    closed.save()
    return user


STRANGERS: tuple[Callable[[World], User | None], ...] = (
    anonymous, rival_enterprise, other_provider, inactive_account, account_of_an_inactive_organization,
)  # fmt: skip


def test_every_address_says_what_it_names() -> None:
    known = NO_OBJECT | NAMES.keys()
    found = {address.name for address in addresses()}
    assert found - known == set(), "say in tests/attacks/addresses.py what these name"
    assert known - found == set(), "these addresses are gone"
    for address in addresses():
        if not address.parts:
            assert address.name in NO_OBJECT, f"{address.name} names an object but takes no part"


@pytest.mark.parametrize("stranger", STRANGERS, ids=lambda found: found.__name__)
def test_what_is_not_yours_is_answered_like_what_is_not_there(world: World, stranger) -> None:
    callers = [_browser(stranger(world)), _with_token(stranger_user := _again(stranger, world))]
    assert stranger_user is None or stranger_user.organization != world.city.power.organization
    before = _everything()
    different = []
    asked = 0
    for address, real, absent in _pairs(world):
        for method, caller in itertools.product(("get", "post", "delete"), callers):
            theirs, nobodys = (_ask(caller, method, address, url, thing) for url, thing in (real, absent))
            asked += 1
            if theirs != nobodys:
                different.append(
                    f"{method} {address.name}: {theirs[0]} for theirs, {nobodys[0]} for none; {_first_difference(theirs, nobodys)}"
                )
            elif theirs[0] not in (302, 401, 403, 404, 405):
                different.append(f"{method} {address.name}: {theirs[0]}")
    assert asked > 6 * len(NAMES) - 1
    assert not different, "\n".join(different)
    assert _everything() == before


def test_the_same_addresses_show_their_owners_something_else(world: World) -> None:
    """The control: were the ids wrong or the bodies turned away unread, the test above could not fail."""
    blind = set(NAMES) - {"admin:view_on_site", *(name for name in NAMES if "_delete" in name)}
    city = world.city
    callers = [_browser(user) for user in (city.enterprise, city.power, city.bureau, city.auditor)]
    callers += [_with_token(user) for user in (city.enterprise, city.power, city.bureau)]
    superuser = User.objects.create_superuser("root", password=factories.PASSWORD)
    callers.append(_browser(superuser))
    for address, real, absent in _pairs(world):
        for caller, method in itertools.product(callers, ("get", "post")):
            if address.name in blind and _ask(caller, method, address, *real) != _ask(
                caller, method, address, *absent
            ):
                blind.discard(address.name)
    assert blind == set()


@pytest.mark.parametrize(
    "stranger", [anonymous, rival_enterprise, other_provider], ids=lambda found: found.__name__
)
def test_ids_in_bodies_and_filters_tell_nothing_either(world: World, stranger) -> None:
    user = stranger(world)
    browser, caller = _browser(user), _with_token(user)
    wish = {"purpose": "industry", "scenario": "x", "wanted": "x", "term_days": 1, "max_runs": 1}
    uid = str(Dataset.objects.get(name=world.dataset_name).uid)
    for real, absent in ((world.dataset_name, ABSENT["dataset_name"]), (uid, str(uuid.UUID(int=9)))):
        answers = []
        for name in (real, absent):
            body = {"datasets": [{"dataset": name, "columns": ["kwh"]}], **wish}
            answers.append([
                _plain(caller.post("/api/requests", body, "application/json"), name),
                _plain(browser.post(reverse("portal:basket_add"), {"dataset": name}), name),
                _plain(browser.get(reverse("portal:runs"), {"contract": name}), name),
            ])  # fmt: skip
        assert answers[0] == answers[1]
    for real, absent in ((world.contract, ABSENT["contract"]),):
        for path in ("/api/runs", "/runs/"):
            theirs, nobodys = (_plain(caller.get(path, {"contract": one}), one) for one in (real, absent))
            assert theirs == nobodys
    organization = world.city.power.organization.uid
    found = caller.get("/api/datasets", {"provider": organization}).json()
    assert found["count"] == 0, "a hidden dataset cannot be counted through a filter"
    assert caller.get("/api/datasets", {"q": "grid"}).json()["count"] == 0


def _pairs(world: World) -> Iterator[tuple[Address, tuple[str, object], tuple[str, object]]]:
    """Each address with the (url, id) of the object, and those of one that does not exist."""
    for address in addresses():
        kind = NAMES.get(address.name)
        if kind is None:
            continue
        others = [part for part in address.parts if part in OTHER_PARTS]
        (named,) = set(address.parts) - set(others)
        for values in itertools.product(*(OTHER_PARTS[part] for part in others)):
            parts = dict(zip(others, values, strict=True))
            if "content_type_id" in parts:
                parts["content_type_id"] = ContentType.objects.get_for_model(Dataset).pk
            real, absent = (
                (_url(address, {**parts, named: thing}), thing)
                for thing in (getattr(world, kind), ABSENT[kind])
            )
            yield address, real, absent


def _url(address: Address, parts: dict[str, object]) -> str:
    text = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: quote(str(parts[found[1]])), address.route)
    return "/" + text


def _browser(user: User | None) -> Client:
    client = Client()
    if user is not None:
        client.force_login(user)
    return client


def _with_token(user: User | None) -> Client:
    client = Client()
    if user is not None:
        client.defaults["HTTP_AUTHORIZATION"] = f"Token {AuthToken.objects.create(user)[1]}"
    return client


def _again(stranger: Callable[[World], User | None], world: World) -> User | None:
    names = {"inactive_account": "gone", "account_of_an_inactive_organization": "closed"}
    if name := names.get(stranger.__name__):
        return User.objects.get(username=name)
    return stranger(world)


def _ask(caller: Client, method: str, address: Address, url: str, thing: object) -> tuple[Any, ...]:
    caller.cookies.pop("messages", None)  # what the answer before had to say
    if method == "get":
        response = caller.get(url)
    elif address.name.startswith("api:"):
        response = (
            getattr(caller, method)(url, BODY, "application/json") if method == "post" else caller.delete(url)
        )
    else:
        response = getattr(caller, method)(url, BODY) if method == "post" else caller.delete(url)
    return _plain(response, thing, url)


def _plain(response: Any, thing: object, url: str = "") -> tuple[Any, ...]:
    """Status, headers and body, without what differs in any two answers: the id asked for and CSRF tokens.

    Of an entry of the log the number is too short to be told from others: of it only the address is left out.
    """
    body = b"".join(response.streaming_content) if response.streaming else response.content
    text = body.decode("utf-8", "replace")
    headers = {
        name: value
        for name, value in response.headers.items()
        if name not in ("Expires", "Content-Length", "Set-Cookie")
    }
    forms = {url, quote(url), quote(url, safe=""), f"/audit/{thing}/"}
    if len(str(thing)) >= len(str(NO_NUMBER)):
        forms |= {str(thing), quote(str(thing), safe=""), str(thing).replace("-", "")}
    named = re.compile("|".join(re.escape(form) for form in sorted(forms - {""}, key=len, reverse=True)))
    plain = re.sub(r'(csrf\w*"?[^>]{0,40}value="|X-CSRFToken": ?")[^"]+', r"\1", named.sub("…", text))
    return response.status_code, {name: named.sub("…", value) for name, value in headers.items()}, plain


def _first_difference(one: tuple[Any, ...], other: tuple[Any, ...]) -> str:
    if one[1] != other[1]:
        return f"headers {dict(one[1].items() ^ other[1].items())}"
    at = next((i for i, (a, b) in enumerate(zip(one[2], other[2], strict=False)) if a != b), 0)
    return f"{one[2][at - 60 : at + 60]!r} / {other[2][at - 60 : at + 60]!r}"


def _everything() -> dict[str, list[Any]]:
    """Every row of ours with its state; the log and the sessions, which reading may write to, left out."""
    left_out = {OutboxRow, Entry, apps.get_model("sessions", "Session"), AuthToken}
    ours = [model for model in apps.get_models() if model not in left_out]
    return {model._meta.label: sorted(map(str, model._base_manager.values_list())) for model in ours}


def test_the_world_holds_one_of_each_and_its_contract_runs(world: World) -> None:
    assert Contract.objects.get(uid=world.contract).state == "active"
    assert Release.objects.get(uid=world.release).run.contract.uid == world.contract
