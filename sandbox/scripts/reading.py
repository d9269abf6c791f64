"""What can be said of a script before anybody runs it. Pure."""

from __future__ import annotations

import ast
import unicodedata

from django.utils.translation import gettext as _

from audit.refusals import Refused
from contracts.policy.terms import DatasetTerm, Lane, Terms

MAX_SOURCE_BYTES = 32_768  # what a reviewer can still read
MAX_LINE = 200  # characters
# Unicode: controls, formats (such as a change of direction), what has no meaning, separators.
UNSEEN = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp", "Zs"})
SPACES = frozenset(" \t\u3000")


def check_source(source: str) -> None:
    """Raise Refused script.empty, script.too_long, script.no_emit, or with line and column script.syntax and
    script.unseen: what a reviewer would not see as it is run.
    """
    if not source.strip():
        raise Refused("script.empty", _("Write the script, or choose a file."))
    if len(source.encode(errors="surrogatepass")) > MAX_SOURCE_BYTES:
        most = MAX_SOURCE_BYTES // 1024
        raise Refused("script.too_long", _("A script has at most %(most)d KiB.") % {"most": most})
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line, column = getattr(error, "lineno", None) or 1, getattr(error, "offset", None) or 1
        raise Refused(
            "script.syntax",
            _("Line %(line)d, column %(column)d: this is no Python.") % {"line": line, "column": column},
            line=line, column=column,
        ) from None  # fmt: skip
    _check_seen(source)
    if not any(_hands_over(node) for node in ast.walk(tree)):
        raise Refused(
            "script.no_emit", _("The script must hand over its records: call emit(table) exactly once.")
        )


def _check_seen(source: str) -> None:
    """Characters that are not shown, or turn the text around them, and what stands far to the right."""
    for number, line in enumerate(source.split("\n"), start=1):
        if len(line) > MAX_LINE:
            reason = _("Line %(line)d is longer than the %(most)d characters that a reviewer sees.")
            raise Refused(
                "script.unseen", reason % {"line": number, "most": MAX_LINE}, line=number, column=MAX_LINE + 1
            )
        for column, character in enumerate(line, start=1):
            if character not in SPACES and unicodedata.category(character) in UNSEEN:
                reason = _("Line %(line)d, column %(column)d: this character cannot be seen.")
                raise Refused(
                    "script.unseen", reason % {"line": number, "column": column}, line=number, column=column
                )


def check_dataset(name: str, terms: Terms) -> DatasetTerm:
    """The term of a dataset that a script may prepare. Raises Refused script.dataset, script.no_unit, script.lane.

    Without a privacy unit a script could make up contributors; the other lanes' promises rest on what each record
    is, which a script may change.
    """
    term = terms.dataset(name)
    if term is None:
        raise Refused("script.dataset", _("Choose a dataset of the contract."))
    if term.unit is None:
        raise Refused(
            "script.no_unit", _("A script needs a dataset whose records belong to a person or enterprise.")
        )
    if term.lanes != {Lane.TABLE}:
        raise Refused(
            "script.lane", _("A script prepares a dataset only where all its numbers leave as exact tables.")
        )
    return term  # fmt: skip


def _hands_over(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "emit"
