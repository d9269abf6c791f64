"""The provider's steward, in the back office."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.e2e import flights
from tests.e2e.steps.journey import Journey, digits
from tests.e2e.visitor import BACKGROUND


def steward_describes_and_uploads(way: Journey) -> None:
    steward = way.people["steward"]
    steward.log_in()
    steward.picture("home")
    steward.click("main a[href='/admin/catalog/dataset/']")
    steward.picture("datasets-none-yet")
    page = steward.click("#content a.addlink")
    for name, text in {
        "name": "flights", "title": "机场出港航班", "title_en": "Departing flights",
        "description": "纽约三座机场 2013 年全部出港航班,一行一班。CC0 公共数据。", "theme": "交通运输", "cadence": "一次性",
        "legal_basis": "公有领域(CC0)",
    }.items():  # fmt: skip
        page.locator(f"#id_{name}").fill(text)
    steward.picture("describes")
    steward.click("input[name=_save]")
    steward.click("#result_list th a[href$='/change/']")
    steward.click("a[href$='/hand-in/']")
    page.locator("#id_file").set_input_files(way.csv)
    steward.picture("hands-in")
    steward.click(".submit-row button")
    steward.sees("progress.catalog-progress")
    steward.picture("progress")


def steward_corrects_the_schema(way: Journey) -> None:
    """The proposal takes the aircraft for a mere text; it is what has to be protected."""
    steward = way.people["steward"]
    steward.sees("button[formaction$='/act/publish/']", patience=BACKGROUND)
    steward.picture("inferred-schema")
    corrections = {
        "tailnum": {
            "kind": "privacy_unit",
            "unit_space": "vehicle",
            "missing": "NA",
            "meaning": "飞机注册号",
            "domain": "",
        },
        "flight": {"kind": "direct_identifier", "meaning": "航班号"},
        "carrier": {"kind": "dimension", "meaning": "航空公司"},
        "origin": {"kind": "dimension", "meaning": "出发机场"},
        "month": {"kind": "dimension", "meaning": "月份"},
        "arr_delay": {"kind": "measure", "meaning": "到达延误(分钟)"},
        "distance": {"kind": "measure", "meaning": "飞行距离(英里)"},
    }
    for header, fields in corrections.items():
        row = steward.page.locator("tr", has=steward.page.locator(f"th[scope=row]:text-is('{header}')"))
        for name, value in fields.items():
            control = row.locator(f"[name$='-{name}']")
            if name == "kind":
                control.select_option(value)
            else:
                control.fill(value)
    for header, values in (("origin", {"EWR", "JFK", "LGA"}), ("month", {str(n) for n in range(1, 13)})):
        row = steward.page.locator("tr", has=steward.page.locator(f"th[scope=row]:text-is('{header}')"))
        assert set(row.locator("[name$='-domain']").input_value().split()) == values
    steward.picture("corrected-schema")
    steward.click("form[action$='/schema/'] .submit-row button")


def steward_decides_publishes_and_lists(way: Journey) -> None:
    """2,512 flights name no aircraft: they are reported by column and row, and left out by decision."""
    steward = way.people["steward"]
    steward.sees("button[formaction$='/act/drop_rows/']", patience=BACKGROUND)
    finding = steward.page.locator("tr", has=steward.page.locator("td:text-is('tailnum')")).first
    expect(finding).to_contain_text(str(flights.WITHOUT_AIRCRAFT))
    expect(finding).to_contain_text(", ".join(map(str, flights.rows_without_aircraft(way.csv, 20))))
    steward.picture("findings")
    steward.click("button[formaction$='/act/drop_rows/']")
    steward.sees(".catalog-facts:has-text('SM3')", patience=BACKGROUND)
    facts = digits(steward.page.locator(".catalog-facts").first.inner_text())
    for figure in (flights.ROWS - flights.WITHOUT_AIRCRAFT, flights.WITHOUT_AIRCRAFT, flights.AIRCRAFT):
        assert str(figure) in facts
    steward.picture("published")
    steward.click(".breadcrumbs a[href$='/change/']")
    steward.click("form[action$='/act/list/'] button")
    steward.sees("form[action$='/act/withdraw/']")
    steward.picture("listed")
