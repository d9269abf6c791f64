"""A script's text as reviewers see it, and the one its author begins with."""

from __future__ import annotations

import pytest

from audit.refusals import Refused
from dataspace.portal.starter import starter
from sandbox.scripts.reading import check_source
from tests.unit.guard_terms import TERMS


@pytest.mark.parametrize(
    "one", ["\u202e", "\u200b", "\u2066", "\r", "\x0c", "\u2028", "\u00a0", "\ufeff", "\x1b", "\ue000"]
)
def test_what_cannot_be_seen_is_refused_with_its_place(one):
    with pytest.raises(Refused) as refused:
        check_source(f"emit(1)  # x{one}y")
    assert refused.value.code in {"script.unseen", "script.syntax"}
    assert refused.value.details["line"] == 1


def test_chinese_and_tabs_are_seen():
    check_source("if 1:\n\temit(1)  # 整理,“中文”\u3000– é\n")


@pytest.mark.parametrize("term", TERMS.datasets, ids=lambda term: term.name)
def test_the_beginning_is_a_script_that_names_every_column(term):
    text = starter(term, {f"{term.name}.{term.columns[0].name}": "two\nlines"})
    check_source(text)
    assert all(f"  {column.name} " in text for column in term.columns)
