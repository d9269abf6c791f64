"""Catalog search: parts of Chinese words by bigrams and single characters, other words by their beginning.

PostgreSQL's own parser is not used, since what it takes for a word depends on the database's locale: the text
search vector is written as a literal, lexeme by lexeme with position and weight, and so is the query.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from django.contrib.postgres.search import SearchQueryField, SearchRank, SearchVectorField
from django.db.models import BooleanField, F, Func, QuerySet, Value
from django.db.models.functions import Cast

from catalog.models import Dataset
from catalog.states import VersionState

HAN = "㐀-䶿一-鿿豈-﫿\U00020000-\U0003ffff"
PIECE = re.compile(f"[{HAN}]+|[^\\W_{HAN}]+")
LONGEST_WORD = 64  # characters; PostgreSQL takes lexemes up to 2 KB
LONGEST_TEXT = 8_000  # characters of one text that are indexed; a vector may not exceed 1 MB
LAST_POSITION = 16_383  # PostgreSQL's own bound


def pieces(text: str) -> Iterator[str]:
    """Runs of Chinese characters, and words of other scripts (lower case, full-width forms folded)."""
    yield from PIECE.findall(unicodedata.normalize("NFKC", text[:LONGEST_TEXT]).casefold())


def is_han(piece: str) -> bool:
    return re.match(f"[{HAN}]", piece) is not None


def lexemes(text: str) -> Iterator[str]:
    """What is indexed: each character and each pair of neighbours of a Chinese run; other words whole.

    >>> list(lexemes("用电量 kWh"))
    ['用', '用电', '电', '电量', '量', 'kwh']
    """
    for piece in pieces(text):
        if not is_han(piece):
            yield piece[:LONGEST_WORD]
            continue
        for start, character in enumerate(piece):
            yield character
            if start + 1 < len(piece):
                yield piece[start : start + 2]


def vector_literal(weighted: Iterable[tuple[str, str]]) -> str:
    """A `tsvector` literal of texts with their weights (A to D). Lexemes hold letters and digits only: no quoting."""
    places: dict[str, list[str]] = {}
    position = 0
    for text, weight in weighted:
        for lexeme in lexemes(text):
            position = min(position + 1, LAST_POSITION)
            places.setdefault(lexeme, []).append(f"{position}{weight}")
    return " ".join(f"'{lexeme}':{','.join(where[:255])}" for lexeme, where in places.items())


def query_literal(text: str) -> str:
    """A `tsquery` literal: every part must occur. "" if the text has neither letters nor digits."""
    parts: list[str] = []
    for piece in pieces(text):
        if not is_han(piece):
            parts.append(f"'{piece[:LONGEST_WORD]}':*")
        elif len(piece) == 1:
            parts.append(f"'{piece}'")
        else:
            parts += [f"'{piece[start : start + 2]}'" for start in range(len(piece) - 1)]
    return " & ".join(dict.fromkeys(parts))


def index(dataset: Dataset) -> None:
    """Bring the dataset's search words up to date. Called by every service that changes what they are made of."""
    version = dataset.versions.filter(state=VersionState.PUBLISHED).order_by("-number").first()
    columns = version.schema.columns if version else ()
    literal = vector_literal(
        [
            (dataset.title, "A"),
            (dataset.title_en, "A"),
            (dataset.name, "B"),
            (dataset.theme, "B"),
            (dataset.provider.name, "B"),
            (dataset.provider.name_en, "B"),
            *((f"{column.name} {column.meaning}", "C") for column in columns),
            (dataset.description, "D"),
        ]
    )
    Dataset.objects.filter(pk=dataset.pk).update(words=Cast(Value(literal), SearchVectorField()))


def matching(datasets: QuerySet[Dataset], text: str) -> QuerySet[Dataset]:
    """Those of `datasets` in which every part of `text` occurs, best first. All of them for a blank text."""
    if not text.strip():
        return datasets
    literal = query_literal(text)
    if not literal:
        return datasets.none()
    query = Cast(Value(literal), SearchQueryField())
    # Django's own `words=` would put the query through PostgreSQL's parser.
    occurs = Func(
        F("words"), query, template="%(expressions)s", arg_joiner=" @@ ", output_field=BooleanField()
    )
    return datasets.filter(occurs).annotate(rank=SearchRank(F("words"), query)).order_by("-rank", "title")
