"""Words for people from code that knows no Django: `say("At most %(n)d rows.", n=5)`.

The English template is the message id of the catalogue in dataspace/locale; the shell hands in the translator when it
starts. Without one (the verifier, a test of pure code) the English words stand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_translate: Callable[[str], str] = str


def use_translator(translate: Callable[[str], str]) -> None:
    """`translate` returns the template in the language of whoever is being served at that moment."""
    global _translate  # noqa: PLW0603  # one translator per process, set once at start
    _translate = translate


def template(text: str, /) -> str:
    """Marks words that wait in a table for `say`; `dataspace messages` finds them by this name. Changes nothing."""
    return text


def say(words: str, /, **values: Any) -> str:
    """The template `words` in the reader's language with `%(name)s` filled in. Values are never translated.

    Words are said where they are raised, never at import: until then nobody knows who reads them.
    """
    words = _translate(words)
    return words % values if values else words
