"""SQL text to `Draft`: bounds, tokens, syntax tree, allow-list, reading. The text goes no further."""

from __future__ import annotations

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError

from audit.wording import say
from sandbox.guard.draft import Draft
from sandbox.guard.grammar import check_nodes
from sandbox.guard.problems import Place, Problems, refuse
from sandbox.guard.reading import Reader
from sandbox.guard.text import DIALECT, SourceText, read


def parse(text: str) -> Draft:
    """Read one SELECT block.

    Ensures: nothing but names, labels and constants of `text` is in the result, and no comments.
    Raises: Refused with codes guard.* and the place of each problem; no other exception.
    """
    source = read(text)
    tree = _tree(source)
    problems = Problems()
    check_nodes(tree, source, problems)
    problems.stop_if_any()
    if not isinstance(tree, exp.Select):
        raise refuse("guard.statement", say("Ask one SELECT."), source.node(tree))
    draft = Reader(source, problems).draft(tree)
    problems.stop_if_any()
    return draft


def _tree(source: SourceText) -> exp.Expr:
    try:
        trees = sqlglot.parse(source.text, read=DIALECT)
    except ParseError as error:
        raise refuse("guard.syntax", say("The query cannot be read from here on."), _place(error)) from error
    except RecursionError as error:
        raise refuse("guard.nesting", say("The query is nested too deeply.")) from error
    except Exception as error:  # whatever a parser of hostile text raises, the answer is no
        raise refuse("guard.syntax", say("The query cannot be read.")) from error
    tree = trees[0] if trees else None
    if tree is None:
        raise refuse("guard.syntax", say("The query is empty. Begin with SELECT."))
    return tree


def _place(error: ParseError) -> Place:
    first = error.errors[0] if error.errors else {}
    term = str(first.get("highlight") or "")
    line, last = int(first.get("line") or 1), int(first.get("col") or 1)
    return Place(line, max(1, last - len(term) + 1), term[:80])
