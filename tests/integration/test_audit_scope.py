"""Entries name the organizations they concern; an organization's own auditor reads those, and proves where they stand."""

from __future__ import annotations

import base64
import json
import re

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from knox.models import AuthToken

from audit import scoped, sealer
from audit.events import Event
from audit.models import Entry
from audit.verifier import tree
from catalog.services import hide_from, show_to
from parties.actors import actor_for
from parties.models import Membership, User
from parties.permissions import can_read_log, readable_entries, reads_whole_log
from parties.roles import ROLES_OF, OrganizationKind, Role
from tests import factories
from tests.worlds import busy_city

pytestmark = pytest.mark.django_db


@pytest.fixture
def city() -> factories.City:
    city = busy_city()
    sealer.seal_all()
    return city


@pytest.fixture
def inspector(city) -> User:
    return factories.account("inspector", city.enterprise.organization, Role.MEMBER, Role.AUDITOR)


def uid(user: User) -> str:
    return str(user.organization.uid)


def plain(page, seq: int) -> str:
    """Without what differs in any two answers: the address asked for and the CSRF token."""
    text = page.content.decode().replace(f"/audit/{seq}/", "")
    return re.sub(r"(csrf\w*[^>]{0,40}value=|X-CSRFToken[^A-Za-z0-9]+)\W*\w+", "", text)


def parties(entry: Entry) -> set[str]:
    return {entry.org, *entry.fields.get("cp", ())} - {""}


# --- Whom an entry concerns -------------------------------------------------------------------------------
def test_what_happens_under_a_contract_concerns_all_its_parties(city):
    under = Entry.objects.filter(obj__regex="^(contract|run|release):")
    assert {
        "contract.drafted",
        "contract.signed",
        "contract.suspended",
        "run.queued",
        "run.started",
        "run.released",
    } <= {entry.act for entry in under}
    ours = {uid(city.enterprise), uid(city.bureau)}
    for entry in under:
        assert ours < parties(entry) <= ours | {uid(city.power), uid(city.water)}


def test_a_request_concerns_the_enterprise_and_who_decides(city):
    for entry in Entry.objects.filter(act__in=["request.filed", "request.decided", "request.withdrawn"]):
        assert {uid(city.enterprise), uid(city.bureau)} < parties(entry)


def test_a_dataset_concerns_its_provider_and_whom_it_is_shown_to(city):
    dataset = factories.published_dataset(city.water, "hidden", visibility="named")
    rival = city.rival.organization
    for step in (show_to, hide_from):
        step(actor=factories.actor(city.water), dataset=dataset, organization=rival)
    sealer.seal_all()
    assert [
        parties(e) for e in Entry.objects.filter(act__in=["dataset.shown_to", "dataset.hidden_from"])
    ] == [{uid(city.water), str(rival.uid)}] * 2
    assert parties(Entry.objects.filter(act="version.published").order_by("-seq")[0]) == {uid(city.water)}


def test_the_copy_that_is_searched_is_what_the_bytes_say_and_times_are_measured(city):
    for entry in Entry.objects.all():
        assert set(entry.parties) == parties(entry)
        cp = entry.fields.get("cp", [])
        assert cp == sorted(cp)
        assert entry.org not in cp
        assert entry.written <= entry.sealed


def test_entries_of_a_run_cost_no_query_for_its_parties(city, django_assert_num_queries):
    from sandbox.models import Run

    asked, again = Run.objects.select_related("contract")[:2]
    known = asked.audit_parties
    with django_assert_num_queries(0):
        assert again.audit_parties == known


# --- Who reads what ---------------------------------------------------------------------------------------
def test_an_auditor_of_one_organization_reads_exactly_what_concerns_it(city, inspector):
    actor = actor_for(inspector)
    assert can_read_log(actor)
    assert not reads_whole_log(actor)
    readable = set(readable_entries(actor).values_list("seq", flat=True))
    assert readable == {e.seq for e in Entry.objects.all() if uid(inspector) in parties(e)}
    assert 0 < len(readable) < Entry.objects.count()
    assert readable_entries(factories.actor(city.auditor)).count() == Entry.objects.count()


@pytest.mark.parametrize("kind", OrganizationKind)
def test_only_auditing_bodies_and_the_bureaus_overseers_read_it_all(kind):
    organization = factories.organization(kind, f"a {kind}", key=False)
    for role in ROLES_OF[kind]:
        actor = actor_for(factories.account(f"x{role}", organization, role))
        assert reads_whole_log(actor) == (
            (kind, role)
            in {
                (OrganizationKind.AUDITOR, Role.AUDITOR),
                (OrganizationKind.BUREAU, Role.APPROVER),
                (OrganizationKind.BUREAU, Role.ADMINISTRATOR),
            }
        )
        assert can_read_log(actor) == (reads_whole_log(actor) or role == Role.AUDITOR)


def test_pages_show_what_concerns_the_reader_and_the_rest_is_not_there(city, inspector):
    client = Client()
    client.force_login(inspector)
    readable = set(readable_entries(actor_for(inspector)).values_list("seq", flat=True))
    shown = client.get("/audit/", {"object": "", "before": 10**6}).context["lines"]
    assert {line.entry.seq for line in shown} <= readable
    absent = client.get("/audit/987654321/")
    for seq in Entry.objects.values_list("seq", flat=True):
        page = client.get(f"/audit/{seq}/")
        assert page.status_code == (200 if seq in readable else 404)
        if seq not in readable:
            assert plain(page, seq) == plain(absent, 987654321)
        else:
            for direction, other in (("earlier", seq - 1), ("later", seq + 1)):
                assert (page.context[direction] is not None) == (other in readable)


def test_other_organizations_people_are_numbers_to_such_a_reader(city, inspector):
    client = Client()
    client.force_login(inspector)
    lines = client.get("/audit/").context["lines"]
    names = {line.entry.actor: line.who for line in lines}
    assert names[str(city.enterprise.uid)] == "enterprise"
    assert names[str(city.bureau.uid)] == str(city.bureau.uid)
    assert client.get("/audit/", {"actor": "enterprise"}).context["lines"]
    assert not client.get("/audit/", {"actor": "bureau"}).context["lines"]
    assert not client.get("/audit/", {"organization": uid(city.rival)}).context["lines"]


def test_what_takes_the_whole_log_is_for_those_who_read_it_all(city, inspector):
    client = Client()
    client.force_login(inspector)
    assert re.findall(rb'name="form" value="(.+?)"', client.get("/audit/").content) == [b"own"]
    assert client.get("/audit/copy/").status_code == 403
    for address in ("/audit/verify/", "/audit/copy/"):
        assert client.post(address).status_code == 403
    for form in ("lines", "folder", "openings"):
        assert client.post("/audit/export/", {"form": form}).status_code == 403
    sealer.seal_all()
    assert not Entry.objects.filter(act=Event.EXPORTED).exists()


def test_the_api_gives_the_same_entries_and_no_whole_export(city, inspector):
    client = Client(headers={"Authorization": f"Token {AuthToken.objects.create(inspector)[1]}"})
    readable = set(readable_entries(actor_for(inspector)).values_list("seq", flat=True))
    answer = client.get("/api/audit/entries", {"limit": 200}).json()
    assert {entry["seq"] for entry in answer["results"]} == readable
    hidden = Entry.objects.exclude(seq__in=readable).order_by("-seq")[0]
    assert client.get("/api/audit/entries", {"obj": hidden.obj, "act": hidden.act}).json()["count"] == 0
    assert client.get("/api/audit/export").status_code == 403


# --- Roles ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", OrganizationKind)
def test_the_database_knows_which_roles_exist_where(kind):
    user = factories.account("x", factories.organization(kind, "o", key=False), Role.MEMBER)
    Membership.objects.all().delete()
    for role in Role:
        try:
            with transaction.atomic():
                Membership.objects.create(user=user, role=role)
        except IntegrityError:
            assert role not in ROLES_OF[kind]
        else:
            assert role in ROLES_OF[kind]


def test_a_role_is_held_in_an_organization():
    nobody = User.objects.create_user("nobody")
    with pytest.raises(IntegrityError), transaction.atomic():
        Membership.objects.create(user=nobody, role=Role.MEMBER)


# --- The scoped export ------------------------------------------------------------------------------------
def root_of(leaves: list[bytes]) -> bytes:
    frontier = tree.Frontier()
    frontier.extend(leaves)
    return frontier.root()


def path(index: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962 §2.1.1, as it is written there."""
    if len(leaves) == 1:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if index < split:
        return [*path(index, leaves[:split]), root_of(leaves[split:])]
    return [*path(index - split, leaves[split:]), root_of(leaves[:split])]


def test_a_scoped_export_holds_each_entry_with_its_place_in_the_tree(city, inspector):
    leaves = [bytes(leaf) for leaf in Entry.objects.order_by("seq").values_list("leaf", flat=True)]
    covered = leaves[:-3]  # the checkpoint is a little older than the log
    root = root_of(covered)
    note = f"example.org/log\n{len(covered)}\n{base64.b64encode(root).decode()}\n\n— example.org/log AAAA\n"
    exported = scoped.lines(
        uid(inspector),
        inclusion=lambda seq: path(seq, covered),
        checkpoint=note.encode,
        key_changes=[b"first", b"second"],
    )
    first, *middle = [json.loads(line) for line in exported]
    *entries, one, other, last = middle
    assert first == {"scope": uid(inspector)}
    assert (one, other, last) == ({"key_change": "first"}, {"key_change": "second"}, {"checkpoint": note})
    told = []
    for said in entries:
        fields = json.loads(said["entry"])
        assert uid(inspector) in {fields["org"], *fields.get("cp", ())}
        proof = [base64.b64decode(hash_) for hash_ in said["proof"]]
        tree.check_inclusion(
            index=fields["_seq"],
            size=len(covered),
            leaf=tree.leaf_hash(said["entry"].encode()),
            proof=proof,
            root=root,
        )
        told.append(fields["_seq"])
    readable = readable_entries(actor_for(inspector)).filter(seq__lt=len(covered)).order_by("seq")
    assert told == list(readable.values_list("seq", flat=True))
