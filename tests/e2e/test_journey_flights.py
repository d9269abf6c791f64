"""The main job on real data, in the browser: published, asked for, granted, signed, computed, released, verified, stopped."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from playwright.sync_api import expect
from python_calamine import CalamineWorkbook

from dataspace.machine.paths import PROJECT
from parties.roles import OrganizationKind, Role
from tests import factories
from tests.e2e import flights
from tests.e2e.visitor import BACKGROUND, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

WITHHELD = "—"
ROUNDED = 0.005  # three significant digits are kept of sums: at most half a unit of the third is lost
ACCOUNTS = {
    "steward": ("airport", Role.STEWARD),
    "approver": ("airport", Role.APPROVER, Role.SIGNATORY),
    "bureau": ("bureau", Role.APPROVER, Role.SIGNATORY),
    "enterprise": ("enterprise", Role.SIGNATORY),
    "auditor": ("auditor", Role.AUDITOR),
}


@dataclass
class Journey:
    """Who takes part, and the addresses found on the way."""

    csv: Path
    folder: Path
    people: dict[str, Visitor] = field(default_factory=dict)
    request: str = ""
    contract: str = ""
    runs: list[str] = field(default_factory=list)


@pytest.fixture
def world(workers) -> None:
    """Four organizations, an account for each post; nothing is published yet."""
    organizations = {
        "airport": factories.organization(OrganizationKind.PROVIDER, "示例机场集团"),
        "bureau": factories.organization(OrganizationKind.BUREAU, "示例市大数据局"),
        "enterprise": factories.organization(OrganizationKind.ENTERPRISE, "示例航运数据公司"),
        "auditor": factories.organization(OrganizationKind.AUDITOR, "示例会计师事务所"),
    }
    for name, (of, *roles) in ACCOUNTS.items():
        factories.account(name, organizations[of], Role.MEMBER, *roles)


def test_a_dataset_goes_from_its_provider_to_a_result_that_anyone_can_check(visit, tmp_path) -> None:
    way = Journey(flights.file(tmp_path), tmp_path)
    way.people = {name: visit(name) for name in ACCOUNTS}
    steward_describes_and_uploads(way)
    steward_corrects_the_schema(way)
    steward_decides_publishes_and_lists(way)
    enterprise_finds_it_and_files_a_request(way)
    for decider in ("approver", "bureau"):
        decides_from_the_queue(way, decider)
    enterprise_opens_the_contract(way)
    for signatory in ("enterprise", "approver", "bureau"):
        signs_from_the_queue(way, signatory)
    enterprise_computes_with_the_form(way)
    enterprise_is_refused_in_sql_and_mends_it(way)
    enterprise_downloads_every_format(way)
    auditor_verifies_exports_and_finds_a_flipped_byte(way)
    bureau_suspends_and_everything_stops(way)


# --- The provider ------------------------------------------------------------------------------------------
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
    steward.sees("form[action$='/act/publish/']", patience=BACKGROUND)
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
    steward.sees("form[action$='/act/drop_rows/']", patience=BACKGROUND)
    finding = steward.page.locator("tr", has=steward.page.locator("td:text-is('tailnum')")).first
    expect(finding).to_contain_text(str(flights.WITHOUT_AIRCRAFT))
    expect(finding).to_contain_text(", ".join(map(str, flights.rows_without_aircraft(way.csv, 20))))
    steward.picture("findings")
    steward.click("form[action$='/act/drop_rows/'] button")
    steward.sees(".catalog-facts:has-text('SM3')", patience=BACKGROUND)
    facts = digits(steward.page.locator(".catalog-facts").first.inner_text())
    for figure in (flights.ROWS - flights.WITHOUT_AIRCRAFT, flights.WITHOUT_AIRCRAFT, flights.AIRCRAFT):
        assert str(figure) in facts
    steward.picture("published")
    steward.click(".breadcrumbs a[href$='/change/']")
    steward.click("form[action$='/act/list/'] button")
    steward.sees("form[action$='/act/withdraw/']")
    steward.picture("listed")


# --- The request -------------------------------------------------------------------------------------------
def enterprise_finds_it_and_files_a_request(way: Journey) -> None:
    enterprise = way.people["enterprise"]
    page = enterprise.open("/")
    enterprise.picture("front-page")
    page.locator("#home-search").fill("港航")  # part of 机场出港航班, and no word of its own
    page.locator("#home-search").press("Enter")
    enterprise.sees("a[href='/catalog/flights/']")
    enterprise.picture("found")
    enterprise.click("a[href='/catalog/flights/']")
    enterprise.picture("dataset")
    for tab in ("dictionary", "quality", "sample", "versions", "api"):
        enterprise.click(f".tabs a[href*='tab={tab}']")
        enterprise.picture(f"dataset-{tab}")
    assert_no_row_is_shown(enterprise)
    enterprise.click("form[action='/basket/add/'] button")
    enterprise.click(".site-head a[href*='/login/']")
    enterprise.log_in()
    enterprise.open("/basket/")
    for column in ("carrier", "origin", "month", "arr_delay", "distance"):
        page.locator(f"input[type=checkbox][value={column}]").check()
    page.locator("input[name=purpose][value=industry]").check()
    page.locator("#id_scenario").fill("航线运力与准点率研究")
    page.locator("#id_wanted").fill("分航空公司、分机场、分月份的航班数与里程")
    page.locator("#id_term_days").fill("180")
    page.locator("#id_max_runs").fill("20")
    enterprise.picture("basket")
    enterprise.click("button[name=file]")
    way.request = enterprise.path
    assert way.request.startswith("/requests/")
    enterprise.picture("request-filed")


def assert_no_row_is_shown(visitor: Visitor) -> None:
    """P1: not on the page of samples, nor on any other tab: no registration of an aircraft of the file."""
    for tab in ("overview", "dictionary", "quality", "sample"):
        text = visitor.open(f"/catalog/flights/?tab={tab}").content()
        assert not re.search(r"N14228|N24211|N619AA", text)


def decides_from_the_queue(way: Journey, name: str) -> None:
    decider = way.people[name]
    page = decider.log_in()
    decider.picture("home-with-queue")
    decider.click(f".queue-title[href='{way.request}']")
    decider.picture("request-to-decide")
    page.locator("input[name=outcome][value=grant]").check()
    page.locator("textarea[name=reason]").fill("用途明确,期限合理,同意。")
    decider.click("form[action$='/decide/'] button.primary")
    decider.picture("request-decided")
    decider.open("/")
    expect(page.locator(f".queue-title[href='{way.request}']")).to_have_count(0)


def enterprise_opens_the_contract(way: Journey) -> None:
    enterprise = way.people["enterprise"]
    enterprise.open(way.request)
    enterprise.click("main a.button[href^='/contracts/']")
    way.contract = enterprise.path
    enterprise.picture("contract-drawn-up")


def signs_from_the_queue(way: Journey, name: str) -> None:
    signatory = way.people[name]
    page = signatory.open("/")
    signatory.click(f".queue-title[href='{way.contract}']")
    page.locator("input[name=read]").check()
    signatory.click("form[action$='/sign/'] button.primary")
    signatory.picture("contract-signed")
    expect(page.locator("form[action$='/sign/']")).to_have_count(0)


# --- The computation ---------------------------------------------------------------------------------------
def enterprise_computes_with_the_form(way: Journey) -> None:
    """By carrier and airport: few aircraft stand behind one of the cells, which is therefore not shown."""
    enterprise = way.people["enterprise"]
    page = enterprise.open(way.contract)
    enterprise.picture("contract-in-force")
    enterprise.click("main a[href$='/compute/']")
    enterprise.picture("form")
    chosen = {"count_units:", "count_rows:", "sum:flights.distance"}
    for box in page.locator("input[name=measure]").all():
        box.set_checked(box.get_attribute("value") in chosen)
    for box in page.locator("input[name=by]").all():
        box.set_checked(box.get_attribute("value") in {"flights.carrier", "flights.origin"})
    page.locator("#question-title").fill("各航空公司各机场出港")
    enterprise.click("button[data-check]")
    enterprise.sees("#answer #accepted")
    enterprise.picture("form-checked")
    enterprise.click("form#question button[value=run]")
    way.runs.append(enterprise.path)
    enterprise.picture("run-submitted")
    enterprise.sees("#result", patience=BACKGROUND)  # the page follows the run by itself
    enterprise.sees(".chart-canvas canvas, .chart-canvas svg")
    enterprise.picture("result")
    shown = table_of(enterprise)
    expected = flights.truth(way.csv, "carrier", "origin")
    assert len(shown) >= len(expected)
    check_against_truth(shown, expected)


def table_of(visitor: Visitor) -> list[list[str]]:
    """The cells of the result's table as they are read, all of its pages."""
    rows = "section[aria-labelledby=table] tbody tr"
    read = "(rows) => rows.map((row) => [...row.cells].map((cell) => cell.innerText.trim()))"
    found = visitor.page.locator(rows).evaluate_all(read)
    while visitor.one("nav.pages a[rel=next]").count():
        visitor.click("nav.pages a[rel=next]")
        found += visitor.page.locator(rows).evaluate_all(read)
    return [[digits(cell) for cell in row] for row in found]


def check_against_truth(shown: list[list[str]], truth: dict[tuple[str, ...], flights.Cell]) -> None:
    """Cells of few aircraft are withheld; published counts and sums are the true ones, rounded."""
    published = 0
    by_cell = {(row[0], row[1]): row[2:] for row in shown}
    for key, cell in truth.items():
        values = by_cell[key]
        if cell.aircraft < flights.FEWEST:
            assert all(WITHHELD in value for value in values)
        if WITHHELD in values[-1]:
            continue
        aircraft, rows, distance = map(float, sorted(values, key=float))
        published += 1
        assert abs(aircraft - cell.aircraft) < 5
        assert abs(rows - cell.flights) < 5
        assert abs(distance - cell.distance) <= ROUNDED * cell.distance
    assert published > len(truth) / 2


def enterprise_is_refused_in_sql_and_mends_it(way: Journey) -> None:
    enterprise = way.people["enterprise"]
    page = enterprise.open(f"{way.contract}compute/?way=sql")
    wrong = (
        "SELECT month, COUNT(*) AS flights,\n       MAX(distance) AS farthest\nFROM flights\nGROUP BY month"
    )
    page.locator("textarea[name=sql]").fill(wrong)
    enterprise.click("button[data-check]")
    place = enterprise.sees("#answer [data-place][data-line='2']")
    expect(page.locator(".editor-marks mark")).to_be_visible()
    place.click()
    selected = page.locator("textarea[name=sql]").evaluate(
        "(text) => text.value.slice(text.selectionStart, text.selectionEnd)"
    )
    assert selected
    assert selected in wrong.split("\n")[1]
    enterprise.picture("sql-refused")
    page.locator("textarea[name=sql]").fill(
        wrong.replace("MAX(distance) AS farthest", "AVG(arr_delay) AS late")
    )
    enterprise.click("button[data-check]")
    enterprise.sees("#answer #accepted")
    enterprise.picture("sql-accepted")
    enterprise.click("form#question button[value=run]")
    way.runs.append(enterprise.path)
    enterprise.sees("#result", patience=BACKGROUND)
    enterprise.sees(".chart-canvas canvas, .chart-canvas svg")
    enterprise.picture("sql-result")
    assert len(table_of(enterprise)) == 12


def enterprise_downloads_every_format(way: Journey) -> None:
    """The same table in three formats, and a receipt whose digest the page and the log name."""
    enterprise = way.people["enterprise"]
    enterprise.open(way.runs[0])
    took = {
        name: enterprise.download(f".downloads a[href$='/{name}/']", way.folder)
        for name in ("csv", "xlsx", "parquet", "receipt")
    }
    text = took["csv"].read_bytes().decode("utf-8-sig")
    table, _, provenance = text.replace("\r\n", "\n").partition("\n\n")
    [head, *rows] = list(csv.reader(io.StringIO(table)))
    assert any(WITHHELD in row for row in rows)
    assert "flights" in provenance
    check_against_truth(rows, flights.truth(way.csv, "carrier", "origin"))
    parquet = pq.read_table(took["parquet"])
    assert parquet.column_names == head
    assert parquet.num_rows == len(rows)
    assert sum(column.null_count for column in parquet.columns) == sum(row.count(WITHHELD) for row in rows)
    sheets = CalamineWorkbook.from_path(took["xlsx"])
    assert len(sheets.sheet_names) == 2
    written = sheets.get_sheet_by_index(0).to_python()
    assert written[0] == head
    assert len(written) == len(rows) + 1
    receipt = took["receipt"].read_bytes()
    facts = json.loads(receipt)
    digest = f"sha256:{hashlib.sha256(receipt).hexdigest()}"
    shown = enterprise.page.locator("section[aria-labelledby=receipt] code[title]").evaluate_all(
        "(codes) => codes.map((code) => code.title)"
    )
    assert digest in shown
    assert facts["contract"] in shown
    assert facts["result"] in shown


# --- The record --------------------------------------------------------------------------------------------
def auditor_verifies_exports_and_finds_a_flipped_byte(way: Journey) -> None:
    auditor = way.people["auditor"]
    page = auditor.log_in()
    auditor.click(".nav-wide a[href='/audit/']")
    head = page.locator(".stat code[title]").first.get_attribute("title") or ""
    auditor.picture("log")
    auditor.click("form[data-verify] button")
    auditor.sees("#report .alert-good", patience=BACKGROUND)
    auditor.picture("log-whole")
    exported = auditor.download("form[action='/audit/export/'] button", way.folder)
    whole = verified(exported, "--head", head)
    assert whole.returncode == 0, whole.stdout
    lines = exported.read_bytes().splitlines(keepends=True)
    entry = next(n for n, line in enumerate(lines) if b'"run.released"' in line)
    at = lines[entry].index(b'"actor":"') + 12
    lines[entry] = lines[entry][:at] + bytes([lines[entry][at] ^ 1]) + lines[entry][at + 1 :]
    forged = exported.with_name("forged.jsonl")
    forged.write_bytes(b"".join(lines))
    broken = verified(forged)
    assert broken.returncode == 1
    assert re.search(rf"entry ({entry}|{entry + 1})\b", broken.stdout), broken.stdout
    auditor.click("a[href='/audit/copy/']")
    page.locator("#id_seq").fill(str(entry))
    page.locator("#id_forgery").select_option("remove")
    auditor.click("main form.form button.primary")
    expect(auditor.sees("section[aria-labelledby=found] .alert-good")).to_contain_text(str(entry))
    auditor.picture("copy-falsified")
    auditor.open(f"/audit/{entry}/")
    auditor.picture("entry")


def verified(export: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """By the verifier on its own: no settings, no database, no address of anything."""
    command = [sys.executable, "-m", "audit.verifier", str(export), *options]
    return subprocess.run(
        command, cwd=PROJECT, env={"PYTHONIOENCODING": "utf-8"}, capture_output=True, text=True
    )


def bureau_suspends_and_everything_stops(way: Journey) -> None:
    bureau, enterprise = way.people["bureau"], way.people["enterprise"]
    page = bureau.open(way.contract)
    page.locator("details.confirm:has(form[action$='/suspend/']) > summary").click()
    page.locator("form[action$='/suspend/'] textarea[name=reason]").fill("例行核查")
    bureau.picture("suspends")
    bureau.click("form[action$='/suspend/'] button")
    bureau.picture("suspended")
    enterprise.open(way.runs[0])
    download = f"{enterprise.site}/releases/"
    expect(enterprise.page.locator(f".downloads a[href^='{download}']")).to_have_count(0)
    expect(enterprise.page.locator(".downloads [aria-disabled=true]")).to_have_count(4)
    enterprise.picture("downloads-closed")
    enterprise.open(f"{way.contract}compute/")
    expect(enterprise.page.locator("form#question button[value=run]")).to_have_attribute(
        "aria-disabled", "true"
    )
    enterprise.picture("compute-closed")
    with enterprise.expecting(409):  # whoever sends it all the same
        enterprise.page.locator("form#question").evaluate(
            "(form) => { const step = Object.assign(document.createElement('input'), {name: 'step', value: 'run'});"
            " form.append(step); form.submit(); }"
        )
        enterprise.sees("#answer .alert-bad")
    enterprise.picture("run-refused")


def digits(text: str) -> str:
    """Without the marks between thousands."""
    return re.sub(r"(?<=\d)[,\u202f\u00a0\u2009\s](?=\d{3})", "", text)
