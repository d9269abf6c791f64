"""The enterprise computes, by form and in SQL, and takes the result with it."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import time

import pyarrow.parquet as pq
from playwright.sync_api import expect
from python_calamine import CalamineWorkbook

from tests.e2e import flights
from tests.e2e.steps.journey import Journey, digits
from tests.e2e.visitor import BACKGROUND, Visitor

WITHHELD = "—"
ROUNDED = 0.005  # three significant digits are kept of sums: at most half a unit of the third is lost


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
    end = time.monotonic() + BACKGROUND / 1000
    while enterprise.open(way.runs[0]).locator(".downloads a[href$='/receipt/']").count() == 0:
        assert time.monotonic() < end, "no checkpoint covered the release"
        enterprise.page.wait_for_timeout(500)
    links = enterprise.page.locator(".downloads a")
    way.downloads = links.evaluate_all("(links) => links.map((link) => link.getAttribute('href'))")
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
    receipt = json.loads(took["receipt"].read_bytes())["receipt"].encode()
    facts = json.loads(receipt)
    digest = f"sha256:{hashlib.sha256(receipt).hexdigest()}"
    shown = enterprise.page.locator("section[aria-labelledby=receipt] code[title]").evaluate_all(
        "(codes) => codes.map((code) => code.title)"
    )
    assert digest in shown
    assert facts["contract"] in shown
    assert facts["result"] in shown
