"""The allow-list of syntax: which nodes may stand in a query and which of their parts may be filled.

A node type or a part that is not listed is refused, so a new sqlglot release that learns new syntax
cannot widen the language.
"""

from __future__ import annotations

from sqlglot import exp

from audit.wording import say, template
from sandbox.guard.problems import Problems
from sandbox.guard.text import SourceText

ALLOWED: dict[type[exp.Expr], frozenset[str]] = {
    exp.Select: frozenset({"expressions", "from_", "joins", "where", "group", "having", "order", "limit"}),
    exp.From: frozenset({"this"}),
    exp.Table: frozenset({"this", "alias"}),
    exp.TableAlias: frozenset({"this"}),
    exp.Join: frozenset({"this", "on", "kind"}),
    exp.Alias: frozenset({"this", "alias"}),
    exp.Column: frozenset({"this", "table"}),
    exp.Identifier: frozenset({"this", "quoted"}),
    exp.Star: frozenset(),
    exp.Count: frozenset({"this", "big_int"}),
    exp.Sum: frozenset({"this"}),
    exp.Avg: frozenset({"this"}),
    exp.Distinct: frozenset({"expressions"}),
    exp.Where: frozenset({"this"}),
    exp.And: frozenset({"this", "expression"}),
    exp.Paren: frozenset({"this"}),
    exp.EQ: frozenset({"this", "expression"}),
    exp.In: frozenset({"this", "expressions"}),
    exp.Literal: frozenset({"this", "is_string"}),
    exp.Neg: frozenset({"this"}),
    exp.Boolean: frozenset({"this"}),
    exp.Cast: frozenset({"this", "to"}),  # only as DATE '2025-01-01'
    exp.DataType: frozenset({"this"}),
    exp.Group: frozenset({"expressions", "totals"}),
    exp.Having: frozenset({"this"}),
    exp.GT: frozenset({"this", "expression"}),
    exp.GTE: frozenset({"this", "expression"}),
    exp.LT: frozenset({"this", "expression"}),
    exp.LTE: frozenset({"this", "expression"}),
    exp.Order: frozenset({"expressions"}),
    exp.Ordered: frozenset({"this", "desc"}),
    exp.Limit: frozenset({"expression"}),
}

_PREDICATES: dict[type[exp.Expr], str] = {
    exp.Or: "OR",
    exp.Xor: "XOR",
    exp.Not: "NOT",
    exp.NEQ: "<>",
    exp.Between: "BETWEEN",
    exp.Like: "LIKE",
    exp.ILike: "ILIKE",
    exp.Glob: "GLOB",
    exp.SimilarTo: "SIMILAR",
    exp.RegexpLike: "~",
    exp.Is: "IS",
    exp.NullSafeEQ: "IS",
    exp.NullSafeNEQ: "IS",
    exp.Exists: "EXISTS",
    exp.Any: "ANY",
    exp.All: "ALL",
    exp.Collate: "COLLATE",
    exp.Null: "NULL",
}
_WORDS: dict[type[exp.Expr], str] = {
    exp.Case: "CASE",
    exp.Cast: "CAST",
    exp.Filter: "FILTER",
    exp.Window: "OVER",
    exp.Subquery: "SELECT",
    exp.Union: "UNION",
    exp.Except: "EXCEPT",
    exp.Intersect: "INTERSECT",
    exp.Interval: "INTERVAL",
    exp.Placeholder: "?",
    exp.Parameter: "$",
    exp.Lambda: "->",
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.Mod: "%",
    exp.DPipe: "||",
}
_PARTS = {
    "query": "SELECT",
    "field": "IN",
    "with_": "WITH",
    "from_": "FROM",
    "except_": "EXCLUDE",
}
_NOT_HERE = template("%(word)s is not part of the language here.")
_JOIN_PARTS = frozenset({"side", "method", "using", "global", "hint", "match_condition"})


def check_nodes(tree: exp.Expr, source: SourceText, problems: Problems) -> None:
    """Add a problem for each node or part outside the allow-list; what lies below it is not looked at."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if type(node) not in ALLOWED or (isinstance(node, exp.Cast) and not _typed_literal(node, source)):
            _refuse_node(node, source, problems)
            continue
        refused = [part for part, value in node.args.items() if value and part not in ALLOWED[type(node)]]
        for part in refused:
            _refuse_part(node, part, source, problems)
        for part, value in node.args.items():
            if part not in refused:
                waiting.extend(
                    c for c in (value if isinstance(value, list) else [value]) if isinstance(c, exp.Expr)
                )


def _typed_literal(node: exp.Cast, source: SourceText) -> bool:
    """DATE '...' parses to the same tree as CAST('...' AS DATE); the tokens tell them apart."""
    before = source.before(node.this)
    return before is not None and before.text.upper() in {"DATE", "TIMESTAMP"}


def _refuse_node(node: exp.Expr, source: SourceText, problems: Problems) -> None:
    kind = type(node)
    if kind in _PREDICATES:
        word = _PREDICATES[kind]
        reason = say(
            "%(word)s is not part of the language. Filter with column = value and column IN (values), joined by "
            "AND; nothing else is offered.",
            word=word,
        )
        problems.add("guard.predicate", reason, source.node(node, word))
    elif kind in _WORDS:
        word = _WORDS[kind]
        problems.add("guard.node", say(_NOT_HERE, word=word), source.node(node, word))
    elif isinstance(node, exp.Func):
        name = node.name if isinstance(node, exp.Anonymous) else node.sql_name()
        reason = say(
            "The function %(function)s is not offered. The functions are COUNT, SUM and AVG.",
            function=name[:60],
        )
        problems.add("guard.function", reason, source.node(node))
    else:
        reason = say("%(word)s is not part of the language.", word=kind.__name__)
        problems.add("guard.node", reason, source.node(node))


def _refuse_part(node: exp.Expr, part: str, source: SourceText, problems: Problems) -> None:
    word = _PARTS.get(part, part.rstrip("_").upper())
    if isinstance(node, exp.Join) and part in _JOIN_PARTS:
        word = str(node.args[part]) if isinstance(node.args[part], str) else word
        reason = say(
            "%(word)s joins are not offered. Write [INNER] JOIN dataset ON a.key = b.key.", word=word
        )
        problems.add("guard.join", reason, source.node(node, word))
    elif isinstance(node, exp.Table) and part in {"db", "catalog"}:
        reason = say("Name the dataset alone, as the contract does, without a schema.")
        problems.add("guard.table", reason, source.node(node))
    elif isinstance(node, exp.Column):
        reason = say("Name a column as column or dataset.column.")
        problems.add("guard.column", reason, source.node(node))
    else:
        problems.add("guard.node", say(_NOT_HERE, word=word), source.node(node, word))
