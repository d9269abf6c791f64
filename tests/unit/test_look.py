"""The look: every state has one, every part prints what it was given, nothing breaks the content policy."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django import forms
from django.template import Context, Template
from django.template.loader import get_template, render_to_string
from django.test import RequestFactory
from django.utils import timezone, translation
from django.utils.safestring import SafeString

from audit.refusals import Refused
from catalog.schema import ColumnKind, Grade
from catalog.states import DatasetState, VersionState
from contracts.states import ContractState, RequestState
from dataspace.portal.charts import ChartColumn, chart_for
from dataspace.portal.parts import Action, Cell, Col, Empty, Fact, Problem, QueueItem, Step, Table
from dataspace.templatetags import look
from sandbox.states import RunState

SHELL = Path(look.__file__).parent.parent
TEMPLATES = SHELL / "templates"
STATIC = SHELL / "static"
ICONS = set(re.findall(r'<symbol id="([a-z0-9-]+)"', (STATIC / "vendor/icons/icons.svg").read_text()))
HOSTILE = '"><script>alert(1)</script>'


@pytest.fixture(autouse=True)
def _english() -> Any:
    with translation.override("en"):
        yield


def part(name: str, /, **values: Any) -> str:
    return render_to_string(f"parts/{name}.html", values)


@pytest.mark.parametrize("words", [DatasetState, VersionState, RequestState, ContractState, RunState])
def test_every_state_has_a_colour_an_icon_and_its_own_words(words: Any) -> None:
    for value, label in words.choices:
        assert value in look.STATES, f"{value} has no look"
        assert look.STATES[value].icon in ICONS
        badge = Template("{% load look %}{% state_badge name %}").render(Context({"name": value}))
        assert str(label) in badge


def test_every_icon_named_in_a_template_is_in_the_file() -> None:
    named = {
        name
        for path in TEMPLATES.rglob("*.html")
        for name in re.findall(r'{% icon "([a-z0-9-]+)" %}', path.read_text(encoding="utf-8"))
    }
    assert named
    assert named <= ICONS


@pytest.mark.parametrize(
    "path", sorted(TEMPLATES.rglob("*.html")), ids=lambda p: str(p.relative_to(TEMPLATES))
)
def test_no_template_holds_what_the_content_policy_forbids(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle\s*=|\son[a-z]+\s*=|javascript:|hx-on", text)
    for attributes in re.findall(r"<script([^>]*)>", text):
        assert "src=" in attributes
    assert not re.search(r"(?:src|href|action)=[\"'](?:https?:)?//", text)
    get_template(str(path.relative_to(TEMPLATES)))


def test_no_style_sheet_or_script_of_ours_asks_another_host() -> None:
    for path in (STATIC / "dataspace").iterdir():
        assert not re.search(r"url\(|@import|(?<!xmlns=\")https?://", path.read_text(encoding="utf-8")), (
            path.name
        )


def test_vendored_files_are_the_ones_on_record() -> None:
    record = (STATIC / "vendor/README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^`]+)` \|.*`([0-9a-f]{64})` \|$", record, re.MULTILINE)
    assert {name for name, _ in rows} == {"echarts/echarts.min.js", "icons/icons.svg"}
    for name, digest in rows:
        assert hashlib.sha256((STATIC / "vendor" / name).read_bytes()).hexdigest() == digest


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (420768, "420,768"),
        (Decimal("1234567.50"), "1,234,567.50"),
        (1234.5, "1,234.50"),
        (3000.0, "3,000"),
        (0.0625, "0.0625"),
        (None, "—"),
        (True, "yes"),
        ("制造业", "制造业"),
    ],
)
def test_figures_are_grouped_by_three_in_every_language(value: object, text: str) -> None:
    assert look.number(value) == text


def test_a_withheld_cell_is_said_aloud_as_such() -> None:
    assert "withheld" in look.cell(None)
    assert "—" in look.cell(None)


@pytest.mark.parametrize(
    ("size", "text"), [(None, "—"), (12, "12 B"), (1536, "1.5 KiB"), (3 * 1024**5, "3072.0 TiB")]
)
def test_sizes_read_in_powers_of_1024(size: int | None, text: str) -> None:
    assert look.bytes_iec(size) == text


def test_a_digest_is_short_to_see_and_whole_to_copy() -> None:
    digest = hashlib.sha256(b"x").digest()
    chip = Template("{% load look %}{% hash_chip digest %}").render(Context({"digest": digest}))
    assert f">{digest.hex()[: look.SHORT]}<" in chip
    assert f'data-copy="{digest.hex()}"' in chip
    assert look.short(f"sha256:{digest.hex()}") == look.short(digest)


def test_a_moment_tells_how_long_ago_and_exactly_when() -> None:
    moment = timezone.now() - timedelta(hours=3)
    text = look.since(moment)
    assert "3\xa0hours ago" in text
    assert moment.isoformat() in text
    assert look.since(timezone.now()).endswith(">just now</time>")
    assert look.since(None) == ""


@pytest.mark.parametrize("grade", list(Grade))
def test_every_grade_has_words(grade: Grade) -> None:
    assert str(look.GRADE_NAMES[grade]) in Template("{% load look %}{% grade_tag g %}").render(
        Context({"g": grade})
    )


@pytest.mark.parametrize("kind", list(ColumnKind))
def test_every_kind_has_words(kind: ColumnKind) -> None:
    assert str(look.KIND_NAMES[kind]) in Template("{% load look %}{% kind_tag k %}").render(
        Context({"k": kind})
    )


def test_a_refused_action_cannot_be_sent_and_says_why() -> None:
    text = part("action", action=Action("Sign", "/sign", post=True, refused="You are not a signatory."))
    assert "<form" not in text
    assert 'aria-disabled="true"' in text
    assert "You are not a signatory." in text


def test_an_action_that_changes_something_is_a_post_with_a_token() -> None:
    action = Action("Cancel", "/cancel", post=True, fields=[("version", "3")])
    text = render_to_string("parts/action.html", {"action": action}, request=RequestFactory().get("/"))
    assert 'method="post"' in text
    assert "csrfmiddlewaretoken" in text
    assert '<input type="hidden" name="version" value="3">' in text


def test_a_dangerous_step_asks_for_the_reason() -> None:
    values = {"uid": "t", "url": "/end", "button": "Terminate", "title": "Sure?", "reason": True}
    text = render_to_string("parts/confirm.html", values, request=RequestFactory().get("/"))
    assert re.search(r'<textarea id="t-reason" name="reason"[^>]* required', text)
    assert "csrfmiddlewaretoken" in text
    greyed = render_to_string("parts/confirm.html", values | {"refused": "Not yours to end."})
    assert "<form" not in greyed
    assert "Not yours to end." in greyed


def test_a_step_says_who_holds_it_and_since_when() -> None:
    step = Step("Decision", "now", "Data bureau", timezone.now() - timedelta(days=2))
    text = part("steps", steps=[step])
    assert 'aria-current="step"' in text
    assert "Data bureau" in text
    assert "2\xa0days ago" in text


def test_the_queue_counts_what_waits_and_says_so_when_nothing_does() -> None:
    item = QueueItem("Request 7", "/r/7", "Decide", "Spring Data", timezone.now(), "filed")
    assert '<span class="count">1</span>' in part("queue", items=[item])
    assert "Nothing waits for you." in part("queue", items=[])


def test_an_empty_table_teaches_how_to_begin() -> None:
    empty = Empty("No contracts yet", "File a request first.", Action("To the catalog", "/catalog"))
    text = part("table", table=Table("Contracts", [Col("Name")], [], empty=empty))
    assert "<table" not in text
    assert 'href="/catalog"' in text


def test_a_row_that_does_not_fit_its_columns_is_an_error_not_a_shifted_table() -> None:
    with pytest.raises(ValueError, match="zip"):
        _ = Table("t", [Col("a"), Col("b")], [["only one"]]).filled


def test_sorting_keeps_the_filters_and_turns_round() -> None:
    request = RequestFactory().get("/", {"q": "用电", "sort": "title", "page": "3"})
    text = Template('{% load look %}{% sort_header "title" "Title" %}').render(Context({"request": request}))
    assert 'aria-sort="ascending"' in text
    assert "sort=-title" in text
    assert "q=%E7%94%A8%E7%94%B5" in text
    assert "page=" not in text


def test_what_is_wrong_with_a_field_is_tied_to_it() -> None:
    class Ask(forms.Form):
        purpose = forms.CharField(label="Purpose", help_text="What for?")

    text = part("form", form=Ask({}), submit="Send")
    described = re.search(r'<input[^>]*aria-describedby="([^"]+)"', text)
    assert described
    for identifier in described[1].split():
        assert f'id="{identifier}"' in text
    assert 'aria-invalid="true"' in text


def test_a_refusal_lists_every_place_the_guard_found() -> None:
    problems = [
        {"line": 3, "column": 7, "reason": "Use = or IN."},
        {"line": 0, "column": 0, "reason": "Too many."},
    ]
    refused = Refused("guard.filter", "Use = or IN.", line=3, column=7, problems=problems)
    text = part("refusal", refused=refused)
    assert "Line 3, column 7: Use = or IN." in text
    assert "Too many." in text
    assert "guard.filter" in text
    place = Problem.of(refused)
    assert place is not None
    assert (place.line, place.column) == (3, 7)
    assert Problem.of(Refused("contract.expired", "It has expired.")) is None


def test_the_editor_marks_the_place_and_keeps_the_text() -> None:
    text = part("editor", name="sql", value="\nSELECT 1 < 2", problem=Problem(2, 8, "Not allowed."))
    assert 'data-line="2" data-column="8"' in text
    assert "SELECT 1 &lt; 2</textarea>" in text
    assert 'aria-invalid="true"' in text


def test_polling_ends_when_nothing_moves_any_more() -> None:
    moving = part("live", url="/run/1/status", live=True, body="parts/withheld.html", uid="r")
    still = part("live", url="/run/1/status", live=False, body="parts/withheld.html", uid="r")
    assert 'hx-get="/run/1/status" hx-trigger="every 1s"' in moving
    assert "hx-" not in still


def test_what_users_wrote_cannot_become_markup() -> None:
    texts = [
        part("page_head", title=HOSTILE, lead=HOSTILE, kicker=HOSTILE),
        part("facts", facts=[Fact(HOSTILE, HOSTILE, url=HOSTILE), Fact("d", HOSTILE, "digest")]),
        part("table", table=Table(HOSTILE, [Col(HOSTILE)], [[Cell(HOSTILE, HOSTILE, note=HOSTILE)]])),
        part("alert", title=HOSTILE, text=HOSTILE, items=[HOSTILE]),
        part("editor", value=HOSTILE, name="q"),
        part("steps", steps=[Step(HOSTILE, "now", HOSTILE, note=HOSTILE)]),
        part("stat", stat={"label": HOSTILE, "value": HOSTILE}),
    ]
    for text in texts:
        assert "<script>" not in text
        assert "&lt;script&gt;" in text


def test_chart_data_cannot_close_its_script_element() -> None:
    columns = [ChartColumn(HOSTILE, measure=False), ChartColumn("n", measure=True)]
    chart = chart_for(columns, [(HOSTILE, 1), ("</script>", 2)])
    text = part("chart", chart=chart, uid="c", title=HOSTILE)
    assert text.count("</script>") == 1
    assert "alert(1)" in text
    assert part("chart", chart=None, uid="c").strip() == ""


def test_the_page_of_last_resort_needs_no_database_and_no_request() -> None:
    text = render_to_string("500.html")
    assert "Something went wrong" in text
    assert isinstance(text, SafeString)
