"""What `dataspace messages` promises: every marked word is found, nothing translated is lost."""

from __future__ import annotations

import gettext
import os
from pathlib import Path

import pytest

from dataspace.machine import translations

CODE = """
from django.utils.translation import gettext as _, ngettext, pgettext_lazy, gettext_lazy

TITLE = gettext_lazy("Request access")
MONTH = pgettext_lazy("month name", "May")

def words(count: int) -> str:
    # Translators: shown above the list
    return _("Nothing waits for you") + ngettext("%(n)s run", "%(n)s runs", count) % {"n": count}
"""
PURE = """
from audit.wording import say, template
from django.utils.translation import gettext as _t

REASONS = {"sheet": template("No such sheet."), "age": template(
    "Older than "
    "%(most)d days."
)}

def refuse(code: str, tell) -> None:
    raise ValueError(say(REASONS[code], most=len("x y z")), say("Ask %(who)s.", who=_t("us")), tell("no word"))
"""
PRINTS = """
def seed(say) -> None:
    say("printed, not said")
"""
PAGE = """{% load i18n %}
  <h1 title="{% translate 'Open the catalog' %}">it's {{ name|default:_("nobody") }}</h1>
      {% blocktranslate trimmed count n=runs|length %}
        One run of 100% is left.
      {% plural %}
        {{ n }} runs are left.
      {% endblocktranslate %}
 {% comment %} "an open string {% endcomment %}
   {% if a %}{% translate "Sign" context "verb" %}{% endif %}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "contracts" / "templates" / "contracts").mkdir(parents=True)
    (tmp_path / "contracts" / "states.py").write_text(CODE)
    (tmp_path / "contracts" / "templates" / "contracts" / "page.html").write_text(PAGE)
    (tmp_path / "contracts" / "migrations").mkdir()
    (tmp_path / "contracts" / "migrations" / "0001.py").write_text('_("never shown")')
    return tmp_path


def test_words_in_code_and_templates_are_found_in_order(project: Path) -> None:
    found = [(message.id, message.context) for message in translations.extracted(project) if message.id]
    assert found == [
        ("Request access", None),
        ("May", "month name"),
        ("Nothing waits for you", None),
        (("%(n)s run", "%(n)s runs"), None),
        ("Open the catalog", None),
        ("nobody", None),
        (("One run of 100%% is left.", "%(n)s runs are left."), None),
        ("Sign", "verb"),
    ]


def test_words_of_pure_code_are_found_where_its_functions_are_imported(tmp_path: Path) -> None:
    (tmp_path / "sandbox").mkdir()
    (tmp_path / "sandbox" / "guard.py").write_text(PURE)
    (tmp_path / "sandbox" / "seed.py").write_text(PRINTS)
    found = [message.id for message in translations.extracted(tmp_path) if message.id]
    assert found == ["No such sheet.", "Older than %(most)d days.", "Ask %(who)s.", "us"]


def test_a_translation_stays_and_a_word_that_went_is_kept_as_removed(project: Path, tmp_path: Path) -> None:
    folder = tmp_path / "locale"
    first = {change.locale: change for change in translations.update(folder, project)}
    assert first["zh_Hans"].untranslated == 8
    po = folder / "zh_Hans" / "LC_MESSAGES" / "django.po"
    po.write_text(
        po.read_text()
        .replace('msgid "Request access"\nmsgstr ""', 'msgid "Request access"\nmsgstr "申请使用"')
        .replace(
            'msgid "Nothing waits for you"\nmsgstr ""', 'msgid "Nothing waits for you"\nmsgstr "没有待办"'
        )
    )
    (project / "contracts" / "states.py").write_text(
        'from x import _\nNEW = _("New")\nOLD = _("Request access")\n'
    )
    change = next(change for change in translations.update(folder, project) if change.locale == "zh_Hans")
    text = po.read_text()
    assert change.changed
    assert 'msgid "Request access"\nmsgstr "申请使用"' in text
    assert '#~ msgid "Nothing waits for you"\n#~ msgstr "没有待办"' in text
    assert text.index('msgid "New"') < text.index('msgid "Request access"')


def test_an_update_without_changes_writes_nothing(project: Path, tmp_path: Path) -> None:
    folder = tmp_path / "locale"
    (project / "audit").mkdir()
    (project / "audit" / "again.py").write_text('ONE = _("Request access")\nTWO = _("Request access")\n')
    translations.update(folder, project)
    before = {po: po.stat().st_mtime_ns for po in folder.rglob("*.po")}
    assert not any(change.changed for change in translations.update(folder, project))
    assert {po: po.stat().st_mtime_ns for po in folder.rglob("*.po")} == before


def test_a_check_writes_nothing(project: Path, tmp_path: Path) -> None:
    folder = tmp_path / "locale"
    assert all(change.changed for change in translations.update(folder, project, write=False))
    assert not folder.exists()


def test_only_a_newer_po_is_compiled_and_gettext_reads_it(project: Path, tmp_path: Path) -> None:
    folder = tmp_path / "locale"
    translations.update(folder, project)
    po = folder / "zh_Hans" / "LC_MESSAGES" / "django.po"
    po.write_text(po.read_text().replace('msgid "nobody"\nmsgstr ""', 'msgid "nobody"\nmsgstr "无人"'))
    assert translations.compile_changed(folder) == 2
    assert translations.compile_changed(folder) == 0
    assert gettext.translation("django", folder, ["zh_Hans"]).gettext("nobody") == "无人"
    now = po.stat().st_mtime_ns + 10**9
    os.utime(po, ns=(now, now))
    assert translations.compile_changed(folder) == 1
