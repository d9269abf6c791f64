"""The verifier's report in a browser: legible light and dark, wide and narrow, and silent on the network."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from audit.verifier.report import render
from tests.e2e.conftest import browsing
from tests.e2e.examination import SCHEMES, WIDTHS, grave_faults
from tests.unit.test_verifier_report import finding, hostile, replace, whole

REPORTS = {
    "whole": whole(),
    "broken": replace(whole(), entries=14, finding=finding("link", 14), quorum=None),
    "contradicted": replace(whole(), finding=finding("fork", path="noted", size=600)),
    "hostile": hostile(),
}


@pytest.mark.browser
@pytest.mark.parametrize("name", REPORTS)
def test_a_report_is_legible_everywhere_and_asks_for_nothing(
    name: str, chromium: str, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    path.write_text(render(REPORTS[name], "ab" * 32), encoding="utf-8")
    asked, said = [], []
    with browsing(chromium) as browser:
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.goto(path.as_uri())
        for scheme, width in product(SCHEMES, WIDTHS):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert list(grave_faults(page)) == []
    assert asked == [path.as_uri()]
    assert said == []
