"""The providers' back office, from describing a dataset to listing it, as a steward does it in the browser."""

from __future__ import annotations

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from catalog.jobs import work_on
from catalog.models import Dataset, Source, Version
from catalog.states import DatasetState, VersionState, Visibility
from parties.models import Organization, User
from parties.roles import OrganizationKind, Role
from tests.catalog_world import (
    CLEAN,
    DIRTY,
    account,
    checked,
    describe,
    entries,
    fresh,
    hand_in,
    listed,
    organization,
    published,
    steward,
)

pytestmark = pytest.mark.django_db
SAID = {
    "title": "企业用电量", "title_en": "", "description": "每月用电", "theme": "能源", "cadence": "每月", "legal_basis": "",
    "visibility": "public",
}  # fmt: skip


@pytest.fixture
def provider() -> Organization:
    return organization()


@pytest.fixture
def clerk(provider) -> User:
    return account(provider, Role.STEWARD, is_staff=True)


@pytest.fixture
def own(provider):
    return steward(provider)


@pytest.fixture
def browser(clerk) -> Client:
    client = Client()
    client.force_login(clerk)
    return client


def strict(page) -> str:
    """The page, once it is certain that a strict Content-Security-Policy lets all of it work."""
    text = page.content.decode()
    assert page.status_code == 200, page.status_code
    assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", text), "inline script"
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=", text), "inline style or handler"
    return text


def messages(page) -> str:
    return " ".join(str(message) for message in page.context["messages"])


def schema_fields(page) -> dict[str, str]:
    """What the browser would send back if nobody touched the schema's form."""
    form = page.context["form"]
    data: dict[str, str] = {}
    for table in (form.columns, form.derived):
        for bound in [*table.management_form, *(field for row in table.forms for field in row)]:
            value = bound.value()
            if value is True:
                data[bound.html_name] = "on"
            elif value is not False:
                data[bound.html_name] = "" if value is None else str(value)
    return data


def name_of(page, header: str, field: str) -> str:
    form = page.context["form"]
    return form.columns.forms[form.headers.index(header)][field].html_name


def test_a_steward_describes_hands_in_corrects_decides_and_lists(browser, provider) -> None:
    add = reverse("admin:catalog_dataset_add")
    strict(browser.get(add))
    page = browser.post(add, {"name": "electricity", **SAID}, follow=True)
    dataset = Dataset.objects.get(name="electricity")
    assert dataset.provider == provider
    assert dataset.state == DatasetState.DRAFT

    page = strict(browser.get(reverse("admin:catalog_dataset_change", args=[dataset.pk])))
    hand_in_url = reverse("admin:catalog_dataset_hand_in", args=[dataset.pk])
    assert hand_in_url in page
    strict(browser.get(hand_in_url))
    file = SimpleUploadedFile("用电.csv", DIRTY.encode(), "text/csv")
    page = browser.post(hand_in_url, {"file": file, "sheet": "", "table": ""}, follow=True)
    version = Version.objects.get(dataset=dataset)
    here = reverse("admin:catalog_version_change", args=[version.pk])
    assert page.redirect_chain[-1][0] == here
    assert '<meta http-equiv="refresh"' in strict(page)
    assert "<progress" in strict(page)

    work_on(version.uid)
    page = browser.get(here)
    text = strict(page)
    assert "<meta http-equiv" not in text
    assert "2" in text
    assert "not a date" in text  # the provider may see what does not fit
    assert "E001" in text  # and the first rows
    drop = reverse("admin:catalog_version_act", args=[version.pk, "drop_rows"])
    assert drop in text
    assert reverse("admin:catalog_version_act", args=[version.pk, "publish"]) not in text

    data = schema_fields(page)
    data[name_of(page, "用电量", "meaning")] = "千瓦时"
    data[name_of(page, "行业", "grade")] = "3"
    page = browser.post(reverse("admin:catalog_version_schema", args=[version.pk]), data, follow=True)
    version = fresh(version)
    assert version.state == VersionState.UPLOADED, page.context["faults"]
    assert version.grade == 3
    work_on(version.uid)
    version = fresh(version)
    assert {c.header: c.meaning for c in version.schema.columns}["用电量"] == "千瓦时"

    browser.post(drop)
    assert fresh(version).state == VersionState.BUILDING
    work_on(version.uid)
    version = fresh(version)
    assert (version.state, version.rows, version.dropped_rows) == (VersionState.PUBLISHED, 300, 2)
    text = strict(browser.get(here))
    assert version.sha256 in text
    assert "千瓦时" in text
    assert "E001" not in text
    assert "not a date" not in text

    page = browser.post(reverse("admin:catalog_dataset_act", args=[dataset.pk, "list"]), follow=True)
    assert fresh(dataset).state == DatasetState.LISTED
    strict(page)
    browser.post(reverse("admin:catalog_dataset_act", args=[dataset.pk, "withdraw"]))
    assert fresh(dataset).state == DatasetState.WITHDRAWN


def test_an_untouched_schema_form_gives_the_same_schema_back(browser, own) -> None:
    version = checked(own, describe(own))
    page = browser.get(reverse("admin:catalog_version_change", args=[version.pk]))
    browser.post(reverse("admin:catalog_version_schema", args=[version.pk]), schema_fields(page))
    assert fresh(version).state == VersionState.UPLOADED
    assert fresh(version).schema == version.schema


def test_corrections_that_were_not_saved_are_not_passed_over_by_publishing(browser, own) -> None:
    version = checked(own, describe(own))
    act = reverse("admin:catalog_version_act", args=[version.pk, "publish"])
    page = browser.get(reverse("admin:catalog_version_change", args=[version.pk]))
    data = schema_fields(page)
    data[name_of(page, "用电量", "name")] = "kwh"
    page = browser.post(act, data, follow=True)
    assert messages(page)
    assert fresh(version).state == VersionState.UPLOADED, "saved and checked first, not published"
    assert fresh(version).schema.column("kwh") is not None
    work_on(version.uid)
    page = browser.get(reverse("admin:catalog_version_change", args=[version.pk]))
    # A browser ends the lines of a list of values with carriage return and line feed.
    untouched = {name: text.replace("\n", "\r\n") for name, text in schema_fields(page).items()}
    browser.post(act, untouched)
    assert fresh(version).state == VersionState.BUILDING, "an untouched form is no obstacle"


def test_a_derived_column_is_added_and_follows_a_renamed_source(browser, own) -> None:
    version = checked(own, describe(own))
    page = browser.get(reverse("admin:catalog_version_change", args=[version.pk]))
    data = schema_fields(page)
    headers = page.context["form"].headers
    data[name_of(page, "用电量", "name")] = "kwh"
    row = page.context["form"].derived.extra_forms[0].prefix
    data |= {
        f"{row}-name": "kwh_band", f"{row}-source": str(headers.index("用电量")), f"{row}-rule": "bands",
        f"{row}-edges": "500\n1000", f"{row}-kind": "dimension", f"{row}-grade": "1",
    }  # fmt: skip
    page = browser.post(reverse("admin:catalog_version_schema", args=[version.pk]), data, follow=True)
    band = fresh(version).schema.column("kwh_band")
    assert band is not None, page.context["faults"]
    assert band.derived.source == "kwh"
    assert band.domain == ("<500", "500-1000", ">=1000")
    work_on(version.uid)
    assert fresh(version).bad_rows == 0


def test_faults_of_a_schema_are_shown_beside_their_columns(browser, own) -> None:
    version = checked(own, describe(own))
    url = reverse("admin:catalog_version_schema", args=[version.pk])
    page = browser.get(reverse("admin:catalog_version_change", args=[version.pk]))
    data = schema_fields(page)
    data[name_of(page, "行业", "name")] = "No Name"
    page = browser.post(url, data)
    text = strict(page)
    form = page.context["form"]
    assert form.columns.forms[form.headers.index("行业")].non_field_errors()
    assert not form.columns.forms[form.headers.index("日期")].non_field_errors()
    assert 'value="No Name"' in text
    data[name_of(page, "行业", "grade")] = "9"
    strict(browser.post(url, data))
    assert fresh(version).state == VersionState.CHECKED
    assert fresh(version).schema == version.schema


def test_a_schema_form_with_rows_left_out_or_added_changes_nothing(browser, own) -> None:
    version = checked(own, describe(own))
    page = browser.get(reverse("admin:catalog_version_change", args=[version.pk]))
    for total in ("0", "1", "999", "x"):
        data = schema_fields(page) | {"columns-TOTAL_FORMS": total}
        assert (
            browser.post(reverse("admin:catalog_version_schema", args=[version.pk]), data).status_code == 200
        )
    assert fresh(version).state == VersionState.CHECKED


def test_refusals_become_messages(browser, own) -> None:
    dataset = describe(own)
    page = browser.post(reverse("admin:catalog_dataset_act", args=[dataset.pk, "list"]), follow=True)
    assert messages(page)
    assert fresh(dataset).state == DatasetState.DRAFT
    version = checked(own, dataset, DIRTY)
    page = browser.post(reverse("admin:catalog_version_act", args=[version.pk, "publish"]), follow=True)
    assert messages(page)
    assert fresh(version).state == VersionState.CHECKED
    assert len(entries("refused")) == 2


def test_a_file_of_another_format_is_refused_on_the_form(browser, own) -> None:
    dataset = describe(own)
    url = reverse("admin:catalog_dataset_hand_in", args=[dataset.pk])
    for data in ({"file": SimpleUploadedFile("x.exe", b"MZ")}, {}, {"table": "public.t"}):
        page = browser.post(url, data)
        assert page.status_code == 200
        assert page.context["form"].errors
    assert not Version.objects.exists()


def test_organizations_are_shown_and_hidden_by_buttons(browser, own) -> None:
    dataset, other = describe(own, visibility=Visibility.NAMED), organization(OrganizationKind.ENTERPRISE)
    here = reverse("admin:catalog_dataset_change", args=[dataset.pk])
    hide = reverse("admin:catalog_dataset_act", args=[dataset.pk, "hide"])
    browser.post(reverse("admin:catalog_dataset_act", args=[dataset.pk, "show"]), {"organization": other.uid})
    assert hide in strict(browser.get(here))
    browser.post(hide, {"organization": other.uid})
    assert hide not in strict(browser.get(here))
    assert len(entries("dataset.shown_to")) == len(entries("dataset.hidden_from")) == 1


def test_a_described_dataset_is_changed_but_not_its_name(browser, own) -> None:
    dataset = describe(own, name="first_name")
    url = reverse("admin:catalog_dataset_change", args=[dataset.pk])
    browser.post(url, {"name": "other_name", **SAID})
    assert (fresh(dataset).name, fresh(dataset).title) == ("first_name", "企业用电量")
    assert entries("dataset.changed")


def test_the_grade_of_a_dataset_is_its_highest_columns(browser, own) -> None:
    dataset = describe(own)
    version = published(own, dataset)
    page = browser.get(reverse("admin:catalog_dataset_changelist"))
    assert str(version.get_grade_display()) in strict(page)
    assert version.grade == max(column.grade for column in version.schema.columns)


def test_a_source_is_registered_and_never_shown_again(browser) -> None:
    url = reverse("admin:catalog_source_add")
    strict(browser.get(url))
    browser.post(url, {"name": "energy", "url": "postgresql://u:s3cret@db.example/energy"})
    source = Source.objects.get(name="energy")
    for page in (
        reverse("admin:catalog_source_change", args=[source.pk]),
        reverse("admin:catalog_source_changelist"),
    ):
        assert "s3cret" not in strict(browser.get(page))
    refused = browser.post(url, {"name": "bad", "url": "mysql://u:s3cret@h/d"}, follow=True)
    assert messages(refused)
    assert "s3cret" not in refused.content.decode()
    assert Source.objects.count() == 1


# --- Others ---------------------------------------------------------------------------------------------


def addresses(dataset: Dataset, version: Version) -> list[str]:
    return [
        reverse("admin:catalog_dataset_change", args=[dataset.pk]),
        reverse("admin:catalog_dataset_hand_in", args=[dataset.pk]),
        reverse("admin:catalog_version_change", args=[version.pk]),
    ]


def buttons(dataset: Dataset, version: Version) -> list[str]:
    return [
        *(
            reverse("admin:catalog_dataset_act", args=[dataset.pk, act])
            for act in ("list", "withdraw", "show", "hide")
        ),
        *(
            reverse("admin:catalog_version_act", args=[version.pk, act])
            for act in ("publish", "drop_rows", "reject")
        ),
        reverse("admin:catalog_version_schema", args=[version.pk]),
        reverse("admin:catalog_dataset_hand_in", args=[dataset.pk]),
    ]


def test_another_providers_objects_are_answered_like_absent_ones(own) -> None:
    dataset = listed(own)
    version = checked(own, dataset)
    other = Client()
    other.force_login(account(organization(), Role.STEWARD, is_staff=True))
    nowhere = Dataset(pk=dataset.pk + 1000), Version(pk=version.pk + 1000)
    before = list(Version.objects.values()), list(Dataset.objects.values())
    for theirs, absent in zip(addresses(dataset, version), addresses(*nowhere), strict=True):
        found, missing = other.get(theirs), other.get(absent)
        assert (found.status_code, found.headers.get("Location")) == (
            missing.status_code,
            missing.headers.get("Location"),
        )
        assert found.status_code in {302, 404}
    for theirs in buttons(dataset, version):
        assert other.post(theirs, {"organization": own.organization.uid}).status_code == 404
    for kind in ("dataset", "version", "source"):
        page = other.get(reverse(f"admin:catalog_{kind}_changelist"))
        assert page.context["cl"].result_count == 0
    assert (list(Version.objects.values()), list(Dataset.objects.values())) == before


@pytest.mark.parametrize(
    "who", ["anonymous", "enterprise", "wrong role", "not staff", "superuser", "inactive"]
)
def test_whoever_is_no_steward_does_nothing_here(own, provider, who) -> None:
    dataset = describe(own)
    version = checked(own, dataset)
    user = {
        "anonymous": None,
        "enterprise": account(organization(OrganizationKind.ENTERPRISE), Role.MEMBER, is_staff=True),
        "wrong role": account(provider, Role.APPROVER, is_staff=True),
        "not staff": account(provider, Role.STEWARD),
        "superuser": account(None, is_staff=True, is_superuser=True),
        "inactive": account(provider, Role.STEWARD, is_staff=True, is_active=False),
    }[who]
    client = Client()
    if user is not None:
        client.force_login(user)
    before = list(Version.objects.values()), list(Dataset.objects.values())
    for url in [
        *addresses(dataset, version),
        reverse("admin:catalog_dataset_add"),
        reverse("admin:catalog_source_add"),
    ]:
        page = client.get(url)
        assert page.status_code in {302, 403, 404}, url
        assert "E001" not in page.content.decode()
    for url in buttons(dataset, version):
        assert client.post(url, {}).status_code in {302, 403, 404}, url
    assert (list(Version.objects.values()), list(Dataset.objects.values())) == before


def test_nothing_is_deleted_and_no_button_works_by_a_link(browser, own) -> None:
    dataset = describe(own)
    version = checked(own, dataset)
    for kind, thing in (("dataset", dataset), ("version", version)):
        assert (
            browser.post(
                reverse(f"admin:catalog_{kind}_delete", args=[thing.pk]), {"post": "yes"}
            ).status_code
            == 403
        )
    for url in buttons(dataset, version)[:-1]:
        assert browser.get(url).status_code == 405
    assert browser.post(reverse("admin:catalog_version_act", args=[version.pk, "no_such"])).status_code == 404
    assert fresh(version).state == VersionState.CHECKED


def test_values_of_a_file_are_shown_as_text_never_as_markup(browser, own) -> None:
    nasty = "<script>alert(1)</script>"
    version = hand_in(own, describe(own), CLEAN.replace("制造", nasty).replace("行业", "<b>行业</b>"))
    work_on(version.uid)
    text = strict(browser.get(reverse("admin:catalog_version_change", args=[version.pk])))
    assert nasty not in text
    assert "<b>行业" not in text
    assert "&lt;script&gt;alert(1)" in text
