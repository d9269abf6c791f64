"""A decider presses the button, and what the terms would withhold appears below it, computed by a real worker."""

from __future__ import annotations

import pytest

from tests import factories
from tests.e2e.examination import examine
from tests.e2e.visitor import BACKGROUND

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def world(space, workers) -> str:
    """The address of a request over the data of two providers."""
    city = factories.city()
    rows = [
        row
        for n, row in enumerate(factories.electricity_rows(70))
        if row["month"] == "2025-01" or row["district"] != "槐荫区" or n < 30
    ]
    power = factories.published_dataset(city.power, rows=rows)
    water = factories.water_dataset(city.water)
    request = factories.filed_request(city.enterprise, [power, water], scenario="水电联合研究")
    return f"/requests/{request.uid}/"


@pytest.mark.parametrize("width", [1280, 360])
def test_the_result_appears_by_itself_and_the_entries_stay(visit, world, width) -> None:
    decider = visit("power", width=width)
    decider.log_in()
    decider.open(world)
    decider.click("summary:has-text('更严的限制')")
    decider.one("input[name=min_contributors]").fill("12")
    decider.one("textarea[name=reason]").fill("还在考虑")
    decider.click("button[name=preview]")
    decider.sees("#trial table", patience=BACKGROUND)
    assert decider.one("input[name=min_contributors]").input_value() == "12"
    assert decider.one("textarea[name=reason]").input_value() == "还在考虑"
    decider.picture(f"exact-{width}")
    decider.click("summary:has-text('发布方式')")
    decider.one("select[name=lane_1]").select_option("private")
    decider.one("input[name=high_1]").fill("5000")
    decider.click("button[name=preview]")
    decider.sees("#trial li:has-text('噪声')", patience=BACKGROUND)
    decider.picture(f"private-{width}")
    assert not list(examine(decider, world))


def test_the_bureau_sees_all_datasets(visit, world) -> None:
    bureau = visit("bureau")
    bureau.log_in()
    bureau.open(world)
    bureau.click("button[name=preview]")
    bureau.sees("#trial table", patience=BACKGROUND)
    assert bureau.page.locator("#trial h4").count() == 2
    bureau.picture("bureau")
