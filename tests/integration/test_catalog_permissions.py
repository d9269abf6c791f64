"""Who may do what in the catalog: tables of accounts, each refusal leaving nothing behind but its entry (P3, P6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from audit.refusals import Refused
from catalog import selectors, services
from catalog.models import Dataset, Source, Version
from catalog.schema import Schema
from catalog.states import DatasetState, VersionState, Visibility
from parties.actors import NOBODY, Actor, actor_for
from parties.grants import grant
from parties.models import Organization
from parties.roles import OrganizationKind, Role
from tests.catalog_world import (
    CLEAN,
    account,
    acting,
    checked,
    describe,
    entries,
    fresh,
    listed,
    organization,
    steward,
    stored,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def provider() -> Organization:
    return organization()


@pytest.fixture
def own(provider) -> Actor:
    return steward(provider)


@pytest.fixture
def draft(own) -> Dataset:
    return describe(own)


def not_stewards(provider: Organization) -> dict[str, tuple[Actor, str]]:
    """Everyone who may not edit a hidden dataset of `provider`, with the code of the refusal."""
    return {
        "anonymous": (NOBODY, "not_found"),
        "stranger": (acting(OrganizationKind.ENTERPRISE, Role.MEMBER), "not_found"),
        "own organization, wrong role": (actor_for(account(provider, Role.APPROVER)), "role.missing"),
        "own organization, no role": (actor_for(account(provider)), "role.missing"),
        "steward of another provider": (steward(), "not_found"),
        "inactive steward": (actor_for(account(provider, Role.STEWARD, is_active=False)), "not_found"),
        "superuser": (actor_for(account(None, is_superuser=True, is_staff=True)), "not_found"),
        "bureau's approver": (acting(OrganizationKind.BUREAU, Role.APPROVER), "not_found"),
        "auditor": (acting(OrganizationKind.AUDITOR, Role.AUDITOR), "not_found"),
    }


def acts(dataset: Dataset, version: Version, other: Organization) -> dict[str, Callable[[Actor], object]]:
    said = services.Description(title="another title", description="another text")
    return {
        "dataset.change": lambda a: services.change_dataset(actor=a, dataset=dataset, description=said),
        "dataset.list": lambda a: services.list_dataset(actor=a, dataset=dataset),
        "dataset.withdraw": lambda a: services.withdraw_dataset(actor=a, dataset=dataset),
        "dataset.show_to": lambda a: services.show_to(actor=a, dataset=dataset, organization=other),
        "dataset.hide_from": lambda a: services.hide_from(actor=a, dataset=dataset, organization=other),
        "version.hand_in": lambda a: services.hand_in_file(
            actor=a, dataset=dataset, chunks=[CLEAN.encode()], file_name="x.csv"
        ),
        "version.set_schema": lambda a: services.set_schema(actor=a, version=version, schema=version.schema),
        "version.decide": lambda a: services.decide_bad_rows(actor=a, version=version, on_bad_rows="publish"),
        "version.reject": lambda a: services.reject_version(actor=a, version=version),
    }


def picture() -> list[object]:
    return [
        list(Dataset.objects.order_by("pk").values()),
        list(Version.objects.order_by("pk").values()),
        [sorted(o.pk for o in selectors.shown_to(dataset)) for dataset in Dataset.objects.order_by("pk")],
        stored(),
    ]


def test_nobody_but_the_providers_steward_changes_anything_and_each_refusal_is_recorded(
    provider, own, draft
) -> None:
    version, other = checked(own, draft), organization()
    for name, act in acts(draft, version, other).items():
        for who, (actor, code) in not_stewards(provider).items():
            before, sent = picture(), len(entries())
            with pytest.raises(Refused) as refused:
                act(actor)
            assert refused.value.code == code, (name, who)
            assert picture() == before, (name, who)
            [entry] = entries()[sent:]
            assert (entry["act"], entry["out"], entry["actor"]) == ("refused", "refused", actor.uid), (
                name,
                who,
            )
            assert entry["x"] == {"what": name, "code": code}, (name, who)


def test_a_visible_dataset_of_another_provider_is_refused_as_not_ones_own(own) -> None:
    dataset = listed(own)
    for actor in (steward(), NOBODY, acting(OrganizationKind.BUREAU, Role.APPROVER)):
        with pytest.raises(Refused) as refused:
            services.withdraw_dataset(actor=actor, dataset=dataset)
        assert refused.value.code == "dataset.not_yours"
    assert fresh(dataset).state == DatasetState.LISTED


def test_only_stewards_of_providers_describe_datasets_and_register_sources() -> None:
    said = services.Description(title="t", description="d")
    for actor in [
        NOBODY,
        replace(  # a role that has no meaning there
            acting(OrganizationKind.ENTERPRISE, Role.MEMBER), roles=frozenset({Role.MEMBER, Role.STEWARD})
        ),
        acting(OrganizationKind.PROVIDER, Role.MEMBER, Role.APPROVER),
        actor_for(account(organization(), Role.STEWARD, is_active=False)),
        actor_for(account(None, is_superuser=True)),
    ]:
        with pytest.raises(Refused) as refused:
            services.create_dataset(actor=actor, name="t", description=said)
        assert refused.value.code == "role.missing"
        with pytest.raises(Refused):
            services.register_source(actor=actor, name="s", url="postgresql://u:p@db.example/x")
    assert not Dataset.objects.exists()
    assert not Source.objects.exists()
    assert {entry["x"]["what"] for entry in entries("refused")} == {"dataset.create", "source.register"}


def test_the_bytes_of_a_stranger_are_not_even_read(draft) -> None:
    def stream():
        pytest.fail("read")
        yield b""

    with pytest.raises(Refused):
        services.hand_in_file(actor=steward(), dataset=draft, chunks=stream(), file_name="x.csv")


def test_a_source_of_another_provider_is_not_there(own, draft) -> None:
    theirs = Source.objects.create(provider=organization(), name="s", sealed_url=b"x")
    with pytest.raises(Refused) as refused:
        services.hand_in_table(actor=own, dataset=draft, source=theirs, table="public.t")
    assert refused.value.code == "not_found"
    assert not Version.objects.exists()


# --- Reading --------------------------------------------------------------------------------------------


def test_lists_and_objects_agree_for_everyone(own, provider) -> None:
    enterprise = organization(OrganizationKind.ENTERPRISE)
    draft, public, named = describe(own), listed(own), listed(own, visibility=Visibility.NAMED)
    gone = services.withdraw_dataset(actor=own, dataset=listed(own))
    gone_named = services.withdraw_dataset(actor=own, dataset=listed(own, visibility=Visibility.NAMED))
    for dataset in (named, gone_named):
        services.show_to(actor=own, dataset=dataset, organization=enterprise)
    everything = {draft, public, named, gone, gone_named}
    table = {
        "anonymous": (NOBODY, {public}),
        "stranger": (acting(OrganizationKind.ENTERPRISE, Role.MEMBER), {public}),
        "granted": (actor_for(account(enterprise, Role.MEMBER)), {public, named, gone_named}),
        "granted, inactive": (actor_for(account(enterprise, Role.MEMBER, is_active=False)), {public}),
        "own": (actor_for(account(provider, Role.MEMBER)), everything),
        "other provider": (steward(), {public}),
        "bureau's approver": (acting(OrganizationKind.BUREAU, Role.APPROVER), everything - {draft}),
        "bureau's member": (acting(OrganizationKind.BUREAU, Role.MEMBER), {public}),
        "auditor": (acting(OrganizationKind.AUDITOR, Role.AUDITOR), everything - {draft}),
        "superuser": (actor_for(account(None, is_superuser=True)), {public}),
    }
    for who, (actor, expected) in table.items():
        assert set(selectors.visible_datasets(actor)) == expected, who
        assert set(selectors.search(actor)) == expected, who
        for dataset in everything:
            if dataset in expected:
                assert selectors.get_dataset(actor, dataset.uid) == dataset, who
                assert selectors.get_dataset(actor, dataset.name) == dataset, who
                continue
            for key in (dataset.uid, str(dataset.uid), dataset.name):
                with pytest.raises(Refused):
                    selectors.get_dataset(actor, key)
            assert not selectors.versions_of(actor, dataset).exists(), who


def test_hidden_and_absent_are_answered_with_the_same_words(draft) -> None:
    from uuid import uuid4

    answers = set()
    for key in (draft.uid, draft.name, uuid4(), "no_such_table"):
        with pytest.raises(Refused) as refused:
            selectors.get_dataset(NOBODY, key)
        answers.add((refused.value.code, refused.value.reason, tuple(refused.value.details)))
    assert len(answers) == 1


def test_versions_that_are_not_published_are_seen_by_their_provider_only(own, provider) -> None:
    dataset = listed(own)
    waiting = checked(own, dataset)
    assert set(selectors.versions_of(own, dataset)) == set(dataset.versions.all())
    for actor in (NOBODY, acting(OrganizationKind.BUREAU, Role.APPROVER), steward()):
        assert [v.state for v in selectors.versions_of(actor, dataset)] == [VersionState.PUBLISHED]
        with pytest.raises(Refused) as refused:
            selectors.get_version(actor, waiting.uid)
        assert refused.value.code == "not_found"
    assert selectors.get_version(own, waiting.uid) == waiting


def test_rows_are_previewed_for_stewards_of_the_provider_and_nobody_else(own, provider) -> None:
    from catalog.preview import first_rows

    dataset = listed(own)
    waiting, done = checked(own, dataset), dataset.current
    for version in (waiting, done):
        assert first_rows(own, version).rows
        for who, (actor, _code) in not_stewards(provider).items():
            assert first_rows(actor, version) is None, who
    assert first_rows(own, waiting).rows[0][0] == "E001"
    assert "E001" not in str(first_rows(own, done))


def test_a_list_of_datasets_takes_the_same_number_of_queries_however_long(
    own, django_assert_num_queries
) -> None:
    describe(own)
    listed(own)
    for more in range(2):
        with django_assert_num_queries(2):
            for dataset in selectors.search(NOBODY):
                assert dataset.provider.name
                assert dataset.current.rows
                assert dataset.grade_name
        with django_assert_num_queries(3):  # the organization's grants, datasets, versions
            assert [dataset.current for dataset in selectors.search(own)].count(None) == 1
        if not more:
            listed(own)


def test_a_grant_shows_no_draft(draft) -> None:
    enterprise = organization(OrganizationKind.ENTERPRISE)
    grant(selectors.VIEW, enterprise, draft)
    assert not selectors.visible_datasets(actor_for(account(enterprise, Role.MEMBER))).exists()


def test_an_empty_schema_is_refused_to_its_own_steward_too(own, draft) -> None:
    version = checked(own, draft)
    with pytest.raises(Refused) as refused:
        services.set_schema(actor=own, version=version, schema=Schema())
    assert refused.value.code == "schema.faults"
    assert fresh(version).state == VersionState.CHECKED
