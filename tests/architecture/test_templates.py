"""Templates: nothing inline, nothing from another host, no words that cannot be translated."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.template.loader import get_template

from tests.architecture.source import ROOT, name_of, templates

HAN = re.compile("[㐀-䶿一-鿿豈-﫿]")
TAGS = re.compile(
    r"{#.*?#}|{% comment %}.*?{% endcomment %}|{% blocktranslate.*?{% endblocktranslate %}|{%.*?%}|{{.*?}}",
    re.DOTALL,
)
# The names of languages stand in their own; a block that fills a class attribute holds no words.
NO_WORDS = re.compile(
    r'<(\w+)[^>]*\slang="[^>]*>.*?</\1>|{% block (?:\w*class|columns) %}.*?{% endblock %}', re.DOTALL
)
# Words that are the same in every language, or names.
UNTRANSLATED = {
    "MWh",  # the symbol of a unit
    "OpenAPI",
    "SQL",
    "CSV",
    "XLSX",
    "Parquet",
    "ODRL",
    "JSON",
    "API",
    "dataspace",
    "python",
    "audit",
    "verifier",
    "FILE",
    "curl",
    "Token",
    "SHA",
}

pytestmark = pytest.mark.parametrize("path", templates(), ids=name_of)


class Reader(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.inline: list[str] = []
        self.hosts: list[str] = []
        self.words: list[str] = []
        self._inside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs) -> None:
        if tag in {"script", "style", "pre", "code", "kbd"}:
            self._inside.append(tag)
        names = {name: value or "" for name, value in attrs}
        if tag == "style" or (
            tag == "script" and "src" not in names and names.get("type") != "application/json"
        ):
            self.inline.append(f"<{tag}>")
        self.inline += [
            f"{tag} {name}" for name in names if name == "style" or re.match(r"on[a-z]|hx-on", name)
        ]
        self.hosts += [
            f"{tag} {name}={value}"
            for name, value in names.items()
            if re.match(r"\s*(https?:|javascript:|//)", value)
        ]
        self.words += [
            names[name] for name in ("title", "aria-label", "placeholder", "alt") if names.get(name)
        ]

    def handle_endtag(self, tag) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data) -> None:
        if not self._inside:
            self.words.append(data)


def read(path: Path) -> Reader:
    return Reader(TAGS.sub(" ", path.read_text(encoding="utf-8")))


def words(path: Path) -> list[str]:
    text = TAGS.sub(" ", NO_WORDS.sub(" ", path.read_text(encoding="utf-8")))
    found = [word for piece in Reader(text).words for word in re.findall(r"[A-Za-z][A-Za-z']{2,}", piece)]
    return [word for word in found if word not in UNTRANSLATED]


def test_it_compiles(path):
    get_template(str(path.relative_to(next(p for p in path.parents if p.name == "templates"))))


def test_nothing_is_inline_and_nothing_comes_from_another_host(path):
    found = read(path)
    assert found.inline == []
    assert found.hosts == []


def test_every_word_can_be_translated(path):
    text = NO_WORDS.sub(" ", path.read_text(encoding="utf-8"))
    assert HAN.findall(re.sub(r"{#.*?#}|{% comment %}.*?{% endcomment %}", "", text, flags=re.DOTALL)) == []
    assert words(path) == []


def test_forms_that_send_carry_the_token(path):
    text = path.read_text(encoding="utf-8")
    for form in re.findall(r"<form[^>]*method=[\"']?post.*?</form>", text, re.DOTALL | re.IGNORECASE):
        assert "csrf_token" in form, name_of(path)
    assert ROOT in path.parents
