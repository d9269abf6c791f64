"""What a reader is promised: every word the portal can say is there in Chinese, and says the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from dataspace.machine import translations
from dataspace.machine.paths import PROJECT

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog, Message

PLACEHOLDER = re.compile(r"%\((\w+)\)[a-z]")
TAG = re.compile(r"</?[a-z][^>]*>")


class Anything(dict[str, int]):
    """A value for every placeholder."""

    def __missing__(self, key: str) -> int:
        return 1


@pytest.fixture(scope="module")
def said() -> Catalog:
    return translations.extracted(PROJECT)


def catalogue(locale: str) -> Catalog:
    return translations._read(translations.LOCALE_FOLDER / locale / "LC_MESSAGES" / "django.po")


def words(messages: Catalog) -> set[tuple[object, str | None]]:
    return {(message.id, message.context) for message in messages if message.id}


def forms(message: Message) -> Iterator[tuple[str, str]]:
    """(original, translation) of a Chinese message; its one form stands for the plural."""
    original = message.id if isinstance(message.id, str) else message.id[-1]
    for form in [message.string] if isinstance(message.string, str) else message.string:
        yield original, form


@pytest.mark.parametrize("locale", translations.LOCALES)
def test_a_catalogue_holds_the_words_of_the_code_and_no_others(said: Catalog, locale: str) -> None:
    kept = catalogue(locale)
    assert words(said) == words(kept), "run `dataspace messages`"
    assert not kept.obsolete


def test_every_word_is_translated_and_none_is_a_guess() -> None:
    messages = [message for message in catalogue("zh_Hans") if message.id]
    assert [m.id for m in messages if not translations._is_translated(m.string)] == []
    assert [m.id for m in messages if m.fuzzy] == []


def test_a_translation_keeps_placeholders_tags_and_outer_line_breaks() -> None:
    changed = []
    for message in catalogue("zh_Hans"):
        for original, form in forms(message) if message.id else ():
            kept = (
                set(PLACEHOLDER.findall(original)) == set(PLACEHOLDER.findall(form)),
                sorted(TAG.findall(original)) == sorted(TAG.findall(form)),
                original.startswith("\n") == form.startswith("\n"),
                original.endswith("\n") == form.endswith("\n"),
            )
            if not all(kept):
                changed.append((original, form))
    assert changed == []


def test_a_translation_takes_the_values_of_its_original() -> None:
    for message in catalogue("zh_Hans"):
        for original, form in forms(message) if message.id else ():
            if PLACEHOLDER.search(original):
                assert "%(" not in form % Anything()


def test_chinese_sentences_end_as_chinese_sentences_do() -> None:
    """A sentence keeps its full stop, and none ends with a half-width one behind an ideograph."""
    half_width = re.compile(r"[\u4e00-\u9fff][.,:;?!]( |$)")
    assert [
        form
        for message in catalogue("zh_Hans")
        for _, form in (forms(message) if message.id else ())
        if half_width.search(form)
    ] == []
