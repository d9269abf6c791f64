"""HTML from values: whatever is not markup already is escaped, in text and in attributes. Pure."""

from __future__ import annotations

from html import escape

_EMPTY = {"meta"}  # elements without an end tag


class Markup(str):
    """Text that is HTML already. Made here only."""

    __slots__ = ()


def tag(name: str, /, *children: str | None, **attributes: str | None) -> Markup:
    """An element. `None` is left out; `class_` stands for `class`, `aria_label` for `aria-label`."""
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_text(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _EMPTY:
        return Markup(f"<{name}{said}>")
    return Markup(f"<{name}{said}>{joined(*children)}</{name}>")


def joined(*children: str | None) -> Markup:
    return Markup(
        "".join(one if isinstance(one, Markup) else _text(one) for one in children if one is not None)
    )


def both(zh: str, en: str, name: str = "p") -> Markup:
    """Chinese, and below it English, smaller."""
    return tag(name, zh, tag("span", en, class_="en", lang="en"))


def css(text: str) -> Markup:
    """A style sheet of ours."""
    return Markup(f"<style>{text}</style>")


def _text(text: str) -> str:
    """Escaped, and without what does not print: controls, halves of characters, marks that turn the writing round."""
    return escape("".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text))
