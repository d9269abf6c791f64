"""The catalog and a dataset's page: found by part-words, never more than may be seen, nothing real in the sample."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
from django.urls import reverse

from catalog import services as catalog_services
from catalog.models import Dataset, Version
from catalog.schema import ColumnKind, Grade, Schema
from catalog.selectors import TOLD_ROWS
from catalog.services import show_to
from catalog.sizes import told
from catalog.states import VersionState
from contracts.draft import offered_role
from dataspace.portal.dataset_tabs import CHARTS
from dataspace.portal.views.catalog import TABS
from dataspace.templatetags.look import bytes_iec
from parties.roles import Role
from tests import factories

pytestmark = pytest.mark.django_db

CATALOG = "/catalog/"
ENGLISH = {"accept-language": "en"}


def found(response) -> list[str]:
    return [row.dataset.name for row in response.context["found"]]


# --- Search and facets ------------------------------------------------------------------------------------
def test_part_words_find_a_dataset_and_name_the_columns_they_hit(client, city):
    factories.published_dataset(city.power)
    factories.water_dataset(city.water)
    response = client.get(CATALOG, {"q": "电量"})
    assert found(response) == ["electricity"]
    assert [column.name for column in response.context["found"][0].hits] == ["kwh"]
    assert sorted(found(client.get(CATALOG, {"q": "区县"}))) == ["electricity", "water"]
    assert found(client.get(CATALOG, {"q": "月亮"})) == []


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({"theme": "水务"}, ["water"]),
        ({"cadence": "每年"}, ["electricity"]),
        ({"grade": "1"}, []),
        ({"grade": "2"}, ["electricity", "water"]),
        ({"synthetic": "no"}, ["electricity"]),
        ({"synthetic": "yes"}, ["water"]),
        ({"q": "企业", "theme": "能源"}, ["electricity"]),
        ({"theme": "no such theme", "grade": "x"}, ["electricity", "water"]),
    ],
)
def test_facets_narrow_the_list(client, city, filters, names):
    factories.published_dataset(city.power, cadence="每年", synthetic=False)
    factories.water_dataset(city.water)
    assert sorted(found(client.get(CATALOG, filters))) == names


def test_the_provider_facet_counts_and_narrows(client, city):
    factories.published_dataset(city.power)
    factories.published_dataset(city.power, "electricity_b", title="另一份用电")
    factories.water_dataset(city.water)
    response = client.get(CATALOG)
    labels = dict(response.context["form"].fields["provider"].choices)
    assert labels[str(city.power.organization.uid)] == "供电公司 (2)"
    narrowed = client.get(CATALOG, {"provider": str(city.power.organization.uid)})
    assert sorted(found(narrowed)) == ["electricity", "electricity_b"]


def test_filters_stay_in_the_address_from_page_to_page(client, city):
    for number in range(21):
        factories.published_dataset(city.power, f"electricity_{number}", title=f"用电{number:02d}")
    response = client.get(CATALOG, {"theme": "能源"})
    assert len(found(response)) == 20
    assert "?theme=%E8%83%BD%E6%BA%90&amp;page=2" in response.content.decode()
    assert len(found(client.get(CATALOG, {"theme": "能源", "page": "2"}))) == 1


def test_a_full_page_costs_as_few_queries_as_a_short_one(client, city, django_assert_max_num_queries):
    for number in range(20):
        factories.published_dataset(city.power, f"electricity_{number}", title=f"用电{number:02d}")
    with django_assert_max_num_queries(9):
        assert len(found(client.get(CATALOG, {"q": "用电"}))) == 20


def test_an_empty_catalog_and_an_empty_result_say_different_things(client, city):
    empty = client.get(CATALOG, headers=ENGLISH).content.decode()
    factories.published_dataset(city.power)
    nothing_found = client.get(CATALOG, {"q": "没有"}, headers=ENGLISH).content.decode()
    assert 'class="empty"' in empty
    assert 'class="empty"' in nothing_found
    assert "Nothing is offered yet" in empty
    assert "Nothing found" in nothing_found


# --- P6: not yours is not there -----------------------------------------------------------------------------
def test_hidden_drafted_and_absent_datasets_answer_alike(client, city):
    hidden = factories.published_dataset(city.power, "hidden", title="不公开的数据", visibility="named")
    factories.published_dataset(city.power, "draft", title="草稿数据", listed=False)
    client.force_login(city.rival)
    pages = {
        name: client.get(reverse("portal:dataset", args=[name]))
        for name in ("hidden", "draft", "absent", str(hidden.uid))
    }
    assert {response.status_code for response in pages.values()} == {404}
    bodies = {response.content.replace(name.encode(), b"") for name, response in pages.items()}
    assert len({body[:400] for body in bodies}) == 1
    assert found(client.get(CATALOG)) == []
    refused = client.post(reverse("portal:basket_add"), {"dataset": str(hidden.uid)})
    assert refused.status_code == 404
    assert "不公开" not in str(client.get(CATALOG).context["form"].fields["provider"].choices)


def test_a_dataset_for_named_organizations_is_there_for_them(client, city):
    hidden = factories.published_dataset(city.power, "hidden", visibility="named")
    show_to(actor=factories.actor(city.power), dataset=hidden, organization=city.enterprise.organization)
    client.force_login(city.enterprise)
    assert found(client.get(CATALOG)) == ["hidden"]
    assert client.get(reverse("portal:dataset", args=["hidden"])).status_code == 200


# --- The dataset's page -------------------------------------------------------------------------------------
@pytest.mark.parametrize("tab", TABS)
def test_every_tab_is_a_plain_link_and_answers(client, city, tab, django_assert_max_num_queries):
    dataset = factories.published_dataset(city.power)
    page = reverse("portal:dataset", args=[dataset.name])
    with django_assert_max_num_queries(10):
        response = client.get(page, {"tab": tab})
    assert response.status_code == 200
    assert [t.url for t in response.context["tabs"] if t.current] == [f"?tab={tab}"]


def test_the_dictionary_says_what_can_be_asked_for_and_why_not(client, city):
    columns = (
        *factories.ELECTRICITY.columns,
        replace(
            factories.ELECTRICITY.columns[3], name="phone", header="phone", kind=ColumnKind.DIRECT_IDENTIFIER
        ),
        replace(factories.ELECTRICITY.columns[1], name="street", header="street", domain=None),
    )
    rows = [{**row, "phone": "1", "street": "x"} for row in factories.electricity_rows()]
    factories.published_dataset(city.power, schema=Schema(columns), rows=rows)
    lines = client.get("/catalog/electricity/", {"tab": "dictionary"}).context["lines"]
    assert {line.term.column.name for line in lines if line.role} == {
        "credit_code",
        "district",
        "month",
        "kwh",
    }
    assert {line.term.column.name for line in lines if line.why_not} == {"phone", "street"}
    assert all(bool(line.role) == (offered_role(line.term.column) is not None) for line in lines)


def test_the_sample_is_synthetic_says_so_and_holds_no_real_row(client, city):
    dataset = factories.published_dataset(city.power)
    response = client.get("/catalog/electricity/", {"tab": "sample"})
    assert 'class="synthetic"' in response.content.decode()
    table = response.context["table"]
    assert len(table.rows) == 20
    real = {
        f"{value:016x}"[:8]
        for value in pq.read_table(dataset.current.extract_path).column("credit_code").to_pylist()
    }
    unit = [column.label for column in table.columns].index("credit_code")
    assert not {row[unit].value.rstrip("…") for row in table.rows} & real
    body = response.content.decode()
    assert not any(row["credit_code"] in body or row["kwh"] in body for row in factories.electricity_rows())


@pytest.mark.parametrize("tab", TABS)
def test_no_tab_shows_a_unit_of_the_data(client, city, tab):
    factories.published_dataset(city.power)
    client.force_login(city.enterprise)
    body = client.get("/catalog/electricity/", {"tab": tab}).content.decode()
    assert not any(row["credit_code"] in body for row in factories.electricity_rows())


def test_quality_comes_from_the_public_profile_with_charts(client, city):
    factories.published_dataset(city.power)
    response = client.get("/catalog/electricity/", {"tab": "quality"})
    assert 0 < len(response.context["drawings"]) <= CHARTS
    assert [stat.value for stat in response.context["stats"]][1:] == ["100", "100", "100"]
    assert "echarts.min.js" in response.content.decode()


def test_the_versions_tab_shows_others_only_what_is_published(client, city):
    dataset = factories.published_dataset(city.power)
    dataset.versions.create(number=2, state="checked", handed_in_by=city.power)
    seen = {}
    for user in (city.enterprise, city.power):
        client.force_login(user)
        page = client.get("/catalog/electricity/", {"tab": "versions"}).context["page"]
        seen[user.username] = [version.number for version in page]
    assert seen == {"enterprise": [1], "power": [2, 1]}


def test_the_api_tab_gives_addresses_that_answer(client, city):
    factories.published_dataset(city.power)
    api = client.get("/catalog/electricity/", {"tab": "api"}).context["api"]
    answer = client.get(api["dataset"])
    assert answer.status_code == 200
    assert json.loads(answer.content)["name"] == "electricity"


def test_a_provider_sees_its_draft_and_a_page_without_versions_teaches(client, city):
    description = catalog_services.Description(title="新数据集", description="还没有版本。")
    catalog_services.create_dataset(actor=factories.actor(city.power), name="fresh", description=description)
    client.force_login(city.power)
    for tab in TABS:
        response = client.get("/catalog/fresh/", {"tab": tab}, headers=ENGLISH)
        assert response.status_code == 200
        assert "Nothing is published yet" in response.content.decode()


def test_important_data_show_the_stricter_limits(client, city):
    important = replace(factories.ELECTRICITY.columns[3], grade=Grade.IMPORTANT)
    factories.published_dataset(city.power, schema=Schema((*factories.ELECTRICITY.columns[:3], important)))
    rules = client.get("/catalog/electricity/").context["protection"]
    assert any("30" in rule for rule in rules)


def test_who_cannot_ask_sees_why_on_the_button(client, city):
    factories.published_dataset(city.power)
    reader = factories.account("reader", city.enterprise.organization, Role.SIGNATORY)
    for user, refused in ((None, False), (city.enterprise, False), (city.power, True), (reader, True)):
        if user:
            client.force_login(user)
        [action] = client.get("/catalog/electricity/").context["actions"]
        assert bool(action.refused) is refused, user


def test_pages_hold_no_inline_script_or_style(client, city):
    factories.published_dataset(city.power)
    for address in (
        "/",
        CATALOG,
        "/login/",
        "/basket/",
        *(f"/catalog/electricity/?tab={tab}" for tab in TABS),
    ):
        body = client.get(address).content.decode()
        assert " style=" not in body, address
        assert "<style" not in body, address
        assert " onclick=" not in body, address
        assert body.count("<script") == body.count("<script src=") + body.count('type="application/json"'), (
            address
        )


# --- Order --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("rows", ["water", "electricity", "empty"]),
        ("-rows", ["electricity", "water", "empty"]),
        ("updated", ["electricity", "water", "empty"]),
        ("-updated", ["water", "electricity", "empty"]),
        ("title", ["electricity", "empty", "water"]),
        ("-title", ["water", "empty", "electricity"]),
        ("provider__uid", ["electricity", "empty", "water"]),
    ],
)
def test_the_list_is_sorted_by_its_heads_and_by_nothing_else(client, city, sort, names):
    factories.published_dataset(city.power, title="a")
    factories.water_dataset(city.water, title="c")
    empty = factories.published_dataset(city.power, "empty", title="b")
    empty.versions.update(state=VersionState.REJECTED)
    assert found(client.get(CATALOG, {"sort": sort})) == names


def test_a_search_keeps_the_order_that_was_chosen(client, city):
    factories.published_dataset(city.power)
    assert b'name="sort" value="-rows"' in client.get(CATALOG, {"sort": "-rows"}).content
    assert b'name="sort"' not in client.get(CATALOG, {"sort": "words"}).content


# --- How many records -----------------------------------------------------------------------------------------
def test_the_exact_number_of_records_of_persons_or_enterprises_is_told_nowhere(client, city):
    dataset = factories.published_dataset(city.power, rows=factories.electricity_rows(63))
    assert dataset.current.rows == 126
    for path in (
        "/",
        "/catalog/",
        "/catalog/electricity/",
        "/catalog/electricity/?tab=versions",
        "/catalog/electricity/?tab=quality",
    ):
        shown = client.get(path)
        assert shown.status_code == 200, path
        text = re.sub(r"[0-9a-f]{40,}", "", shown.content.decode())  # digests may hold any digits
        assert not re.search(r"\b126\b", text), path
    assert "≈ 130" in client.get("/catalog/").content.decode()
    for path in ("/api/datasets/electricity", "/api/datasets"):
        body = json.dumps(client.get(path).json())
        assert '"rows": 130' in body
        assert '"rows": 126' not in body


def test_the_size_and_the_order_of_versions_tell_no_more(client, city):
    for name, title, enterprises in (("one", "b", 58), ("two", "a", 62), ("three", "c", 52)):
        rows = factories.electricity_rows(enterprises)
        size = factories.published_dataset(city.power, name, title=title, rows=rows[:-1]).current.size
        shown = client.get(f"/catalog/{name}/", {"tab": "versions"}).content.decode()
        assert f">{bytes_iec(size)}<" not in shown
        assert f"≈ {bytes_iec(told(size))}" in shown
    assert found(client.get(CATALOG, {"sort": "-rows"})) == ["two", "one", "three"]
    assert found(client.get(CATALOG, {"sort": "rows"})) == ["three", "two", "one"]
    for dataset in Dataset.objects.exclude(name="two"):
        dataset.versions.update(rows={"one": 115, "three": 119}[dataset.name])
    assert found(client.get(CATALOG, {"sort": "rows"})) == ["two", "one", "three"], "alike: by title"


def test_the_database_rounds_as_the_pages_do(city):
    factories.published_dataset(city.power)
    for number in (0, 4, 5, 15, 25, 94, 95, 104, 105, 115, 125, 995, 1049, 1050, 1150, 1250, 99_500, 425_000):
        for units, said in ((7, told(number)), (None, told(number)), (0, number)):
            Version.objects.update(rows=number, units=units)
            version = Version.objects.annotate(wanted=TOLD_ROWS).get()
            assert (version.wanted, version.told_rows) == (said, said), (number, units)


def test_where_the_records_are_nobodys_their_number_is_exact(client, city):
    schema = Schema(factories.ELECTRICITY.columns[1:])
    rows = [{k: v for k, v in row.items() if k != "credit_code"} for row in factories.electricity_rows(63)]
    factories.published_dataset(city.power, schema=schema, rows=rows)
    assert client.get("/api/datasets/electricity").json()["rows"] == 126
