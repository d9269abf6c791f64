"""The auditor checks the record alone; the bureau stops what is under way."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import expect

from dataspace.machine.paths import PROJECT
from tests.e2e.steps.journey import Journey
from tests.e2e.visitor import BACKGROUND


def auditor_verifies_exports_and_finds_a_flipped_byte(way: Journey) -> None:
    auditor = way.people["auditor"]
    page = auditor.log_in()
    auditor.click(".nav-wide a[href='/audit/']")
    head = page.locator(".stat code[title]").first.get_attribute("title") or ""
    auditor.picture("log")
    auditor.click("form[data-verify] button")
    auditor.sees("#report .alert-good", patience=BACKGROUND)
    auditor.picture("log-whole")
    exported = auditor.download("form:has(input[value=lines]) button", way.folder)
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
    enterprise.sees("main .alert-warn")
    expect(enterprise.page.locator("#result, .downloads")).to_have_count(0)
    enterprise.picture("result-closed")
    for address in way.downloads:  # whoever kept them
        with enterprise.expecting(409):
            enterprise.page.goto(address)
            enterprise.sees("main .alert-bad")
    enterprise.picture("download-refused")
    enterprise.open(f"{way.contract}compute/")
    expect(enterprise.page.locator("form#question button[value=run]")).to_have_attribute(
        "aria-disabled", "true"
    )
    enterprise.picture("compute-closed")
    with enterprise.expecting(409):  # the same for whoever sends the form all the same
        enterprise.page.locator("form#question").evaluate(
            "(form) => { const step = Object.assign(document.createElement('input'), {name: 'step', value: 'run'});"
            " form.append(step); form.submit(); }"
        )
        enterprise.sees("#answer .alert-bad")
    enterprise.picture("run-refused")
