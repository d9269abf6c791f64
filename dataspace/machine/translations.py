"""Translations with Babel: no gettext program is needed on the machine.

`dataspace messages` brings `dataspace/locale/*/LC_MESSAGES/django.po` up to date with the words in the code
and the templates; the compiled `.mo` files are made at every start that finds a newer `.po`.
"""

from __future__ import annotations

import ast
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataspace.machine.paths import PROJECT

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog

ROOMS = ("dataspace", "sandbox", "contracts", "catalog", "parties", "audit")
LOCALES = ("zh_Hans", "en")
SOURCE_LOCALE = "en"
LOCALE_FOLDER = PROJECT / "dataspace" / "locale"
# Babel's notation: which arguments are message, plural and context (`c`).
_WITH_LAZY = {
    "gettext": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}
KEYWORDS = {
    "_": None,
    "gettext_noop": None,
    **_WITH_LAZY,
    **{f"{name}_lazy": at for name, at in _WITH_LAZY.items()},
}
# Module → its functions whose words are for people; they count in a file that imports them, by its own names.
IMPORTED: dict[str, dict[str, Any]] = {
    "django.utils.translation": KEYWORDS,
    "audit.wording": {"say": None, "template": None},
}


@dataclass(frozen=True)
class Change:
    """What an update found in one locale. `changed`: the file differs from what the code needs."""

    locale: str
    changed: bool
    untranslated: int
    removed: int


def compile_changed(folder: Path = LOCALE_FOLDER) -> int:
    """Compiles each `.po` that is newer than its `.mo`; returns how many."""
    stale = [po for po in sorted(folder.glob("*/LC_MESSAGES/*.po")) if _is_stale(po)]
    if not stale:
        return 0
    from babel.messages.mofile import write_mo  # noqa: PLC0415 - not needed on most starts

    for po in stale:
        draft = po.with_suffix(f".{os.getpid()}.mo")  # several may start at once
        with draft.open("wb") as file:
            write_mo(file, _read(po))
        draft.replace(po.with_suffix(".mo"))
    return len(stale)


def update(folder: Path = LOCALE_FOLDER, source: Path = PROJECT, *, write: bool = True) -> list[Change]:
    """Adds new messages in the order of the code, marks those gone (`#~`); saves what changed if `write`."""
    template = extracted(source)
    return [
        _update_one(folder / locale / "LC_MESSAGES" / "django.po", locale, template, write)
        for locale in LOCALES
    ]


def extracted(source: Path) -> Catalog:
    """All marked messages of the rooms below `source`, from Python and from templates."""
    from babel.messages.catalog import Catalog  # noqa: PLC0415
    from babel.messages.extract import extract  # noqa: PLC0415

    found = Catalog(project="dataspace", fuzzy=False)
    for path, text in _sources(source):
        name = str(path.relative_to(source))
        keywords = {**KEYWORDS, **_imported(text)} if path.suffix == ".py" else KEYWORDS
        for line, message, comments, context in extract(
            "python", io.BytesIO(text.encode()), keywords, ("Translators:",), {"encoding": "utf-8"}
        ):
            found.add(message, None, [(name, line)], auto_comments=comments, context=context)
    return found


def _imported(code: str) -> dict[str, Any]:
    """What a file calls the marking functions it imports: `from django.utils.translation import gettext as _t`."""
    return {
        name.asname or name.name: IMPORTED[node.module][name.name]
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.ImportFrom) and node.module in IMPORTED
        for name in node.names
        if name.name in IMPORTED[node.module]
    }


def _sources(source: Path) -> Iterator[tuple[Path, str]]:
    """Each file with its text; templates are turned into calls that the Python extractor understands."""
    from django.utils.translation.template import templatize  # noqa: PLC0415

    for room in ROOMS:
        for path in sorted((source / room).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path, path.read_text()
        for path in sorted((source / room).glob("**/templates/**/*")):
            if path.suffix in {".html", ".txt"}:
                calls = templatize(path.read_text(), origin=str(path))
                # Indentation means nothing in a template and everything to Python; strings keep theirs,
                # escaped.
                yield path, "\n".join(line.lstrip() for line in calls.splitlines())


def _update_one(po: Path, locale: str, template: Catalog, write: bool) -> Change:  # noqa: FBT001
    from babel.messages.pofile import write_po  # noqa: PLC0415

    catalog = _read(po) if po.exists() else _empty(locale)
    before = _content(catalog)
    catalog.update(template, no_fuzzy_matching=True, update_creation_date=False)
    changed = not po.exists() or _content(catalog) != before
    if changed and write:
        po.parent.mkdir(parents=True, exist_ok=True)
        draft = po.with_suffix(".po.new")
        with draft.open("wb") as file:
            # No line numbers: otherwise each edit of the code would touch the translations.
            write_po(file, catalog, width=110, include_lineno=False)
        draft.replace(po)
    untranslated = sum(1 for message in catalog if message.id and not _is_translated(message.string))
    return Change(locale, changed, untranslated, len(catalog.obsolete))


def _empty(locale: str) -> Catalog:
    """A catalog whose head names nobody: who translated what is in the history of the file."""
    from babel.messages.catalog import Catalog  # noqa: PLC0415

    now = datetime.now(UTC)
    return Catalog(
        locale=locale,
        project="dataspace",
        version="1",
        header_comment="# Kept up to date with the code by `dataspace messages`.",
        msgid_bugs_address="-",  # an empty word would be replaced by a placeholder
        last_translator="-",
        language_team="-",
        creation_date=now,
        revision_date=now,
        fuzzy=False,
    )


def _content(catalog: Catalog) -> list[object]:
    def plain(messages: object) -> list[object]:
        return [
            (
                message.id,
                message.context,
                message.string,
                sorted({place for place, _line in message.locations}),
            )
            for message in messages  # type: ignore[attr-defined]
            if message.id
        ]

    return [plain(catalog), sorted(map(str, plain(catalog.obsolete.values())))]


def _is_translated(text: object) -> bool:
    return all(text) if isinstance(text, tuple | list) else bool(text)


def _is_stale(po: Path) -> bool:
    mo = po.with_suffix(".mo")
    return not mo.exists() or mo.stat().st_mtime_ns < po.stat().st_mtime_ns


def _read(po: Path) -> Catalog:
    from babel.messages.pofile import read_po  # noqa: PLC0415

    with po.open("rb") as file:
        return read_po(file, locale=po.parent.parent.name)
