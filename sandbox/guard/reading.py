"""Allow-listed syntax tree to `Draft`. Each reader accepts an exact shape and reports anything else."""

from __future__ import annotations

import re

from sqlglot import exp

from audit.wording import say, template
from contracts.policy.terms import Aggregate
from sandbox.guard.draft import (
    Bound,
    Condition,
    Constant,
    ConstantKind,
    Draft,
    Link,
    Name,
    Output,
    Reference,
    Sort,
    Source,
)
from sandbox.guard.problems import Problems
from sandbox.guard.query import Comparison
from sandbox.guard.text import SourceText

_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,12})?\Z")
_WHOLE = re.compile(r"[0-9]{1,9}\Z")
_FUNCTIONS: dict[type[exp.Expr], Aggregate] = {exp.Sum: Aggregate.SUM, exp.Avg: Aggregate.AVG}
_COMPARISONS: dict[type[exp.Expr], Comparison] = {
    exp.EQ: Comparison.EQ,
    exp.GT: Comparison.GT,
    exp.GTE: Comparison.GTE,
    exp.LT: Comparison.LT,
    exp.LTE: Comparison.LTE,
}
_MIRRORED = {
    Comparison.EQ: Comparison.EQ,
    Comparison.GT: Comparison.LT,
    Comparison.GTE: Comparison.LTE,
    Comparison.LT: Comparison.GT,
    Comparison.LTE: Comparison.GTE,
}
_COUNT_AND_NUMBER = template("HAVING compares a selected count with a whole number.")
_TYPED = {exp.DType.DATE: ConstantKind.DATE, exp.DType.TIMESTAMP: ConstantKind.TIMESTAMP}


class Reader:
    """Reads one tree whose nodes passed `grammar.check_nodes`; problems are added, never raised."""

    def __init__(self, source: SourceText, problems: Problems) -> None:
        self._source = source
        self._problems = problems

    def draft(self, select: exp.Select) -> Draft:
        sources, links = self._from(select)
        outputs = tuple(o for e in select.expressions if (o := self._item(e)) is not None)
        group, order = select.args.get("group"), select.args.get("order")
        having = select.args.get("having")
        return Draft(
            sources=sources,
            links=links,
            conditions=self._where(select.args.get("where")),
            outputs=outputs,
            groups=self._references(group.expressions if group else [], "guard.group_by"),
            bounds=tuple(b for e in _terms(having) if (b := self._bound(e)) is not None),
            sorts=tuple(s for e in (order.expressions if order else []) if (s := self._sort(e)) is not None),
            limit=self._limit(select.args.get("limit")),
            totals=bool(group and group.args.get("totals")),
        )

    def _add(self, code: str, reason: str, node: exp.Expr, word: str = "") -> None:
        self._problems.add(code, reason, self._source.node(node, word))

    # Names

    def _word(self, node: exp.Expr) -> str:
        """An unquoted name is plain ASCII (checked among the tokens) and folds to lower case."""
        return node.name if node.args.get("quoted") else node.name.lower()

    def _name(self, column: exp.Column) -> Name | None:
        qualifier = column.args.get("table")
        if not isinstance(column.this, exp.Identifier):
            self._add("guard.node", say("* names no column; list the columns."), column)
            return None
        table = self._word(qualifier) if qualifier is not None else ""
        return Name(table, self._word(column.this), self._source.node(column.this))

    # FROM and JOIN

    def _from(self, select: exp.Select) -> tuple[tuple[Source, ...], tuple[Link, ...]]:
        start = select.args.get("from_")
        if start is None:
            self._add("guard.table", say("Name a dataset of the contract after FROM."), select)
            return (), ()
        tables = [start.this, *(join.this for join in select.args.get("joins") or [])]
        links: list[Link] = []
        for join in select.args.get("joins") or []:
            links.extend(self._links(join))
        return tuple(s for t in tables if (s := self._table(t)) is not None), tuple(links)

    def _table(self, table: exp.Expr) -> Source | None:
        if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier):
            self._add(
                "guard.table", say("Only datasets of the contract can stand after FROM and JOIN."), table
            )
            return None
        name = self._word(table.this)
        alias = table.args.get("alias")
        return Source(name, self._word(alias.this) if alias else name, self._source.node(table.this))

    def _links(self, join: exp.Join) -> list[Link]:
        if (join.args.get("kind") or "INNER") != "INNER":
            word = str(join.args["kind"])
            reason = say(
                "%(word)s joins are not offered. Write [INNER] JOIN dataset ON a.key = b.key.", word=word
            )
            self._add("guard.join", reason, join, word)
            return []
        if join.args.get("on") is None:
            self._add("guard.join", say("Say with ON which keys the datasets are joined on."), join)
            return []
        return [link for e in _conjunction(join.args["on"]) if (link := self._link(e)) is not None]

    def _link(self, node: exp.Expr) -> Link | None:
        left, right = node.args.get("this"), node.args.get("expression")
        if type(node) is not exp.EQ or not (isinstance(left, exp.Column) and isinstance(right, exp.Column)):
            self._add("guard.join", say("A join is dataset.key = dataset.key, joined by AND."), node)
            return None
        names = self._name(left), self._name(right)
        if names[0] is None or names[1] is None:
            return None
        return Link(names[0], names[1], self._source.node(node))

    # SELECT

    def _item(self, node: exp.Expr) -> Output | None:
        label = None
        if isinstance(node, exp.Alias):
            label, node = self._word(node.args["alias"]), node.this
        output = self._output(node)
        if output is None:
            return None
        return Output(output.aggregate, output.name, label, output.place)

    def _output(self, node: exp.Expr) -> Output | None:
        place = self._source.node(node)
        if isinstance(node, exp.Column):
            name = self._name(node)
            return None if name is None else Output(None, name, None, place)
        if isinstance(node, exp.Count):
            return self._count(node)
        if type(node) in _FUNCTIONS:
            if isinstance(node.this, exp.Column) and (name := self._name(node.this)) is not None:
                return Output(_FUNCTIONS[type(node)], name, None, place)
            self._add("guard.expression", say("SUM and AVG take one column and nothing else."), node)
            return None
        if isinstance(node, exp.Star):
            self._add("guard.node", say("SELECT * is not offered: list dimensions and aggregates."), node)
            return None
        self._add(
            "guard.expression", say("Select columns and aggregates only, without computing with them."), node
        )
        return None

    def _count(self, node: exp.Count) -> Output | None:
        place = self._source.node(node)
        counted = node.this
        if isinstance(counted, exp.Star):
            return Output(Aggregate.COUNT_ROWS, None, None, place)
        if isinstance(counted, exp.Column) and (name := self._name(counted)) is not None:
            return Output(Aggregate.COUNT, name, None, place)
        if isinstance(counted, exp.Distinct) and len(counted.expressions) == 1:
            column = counted.expressions[0]
            if isinstance(column, exp.Column) and (name := self._name(column)) is not None:
                return Output(Aggregate.COUNT_UNITS, name, None, place)
        self._add(
            "guard.expression", say("Write COUNT(*), COUNT(column) or COUNT(DISTINCT privacy unit)."), node
        )
        return None

    # WHERE

    def _where(self, where: exp.Expr | None) -> tuple[Condition, ...]:
        return tuple(c for e in _terms(where) if (c := self._condition(e)) is not None)

    def _condition(self, node: exp.Expr) -> Condition | None:
        column, values = node.args.get("this"), node.expressions
        if type(node) is exp.EQ:
            values = [node.args["expression"]]
            if not isinstance(column, exp.Column):
                column, values = values[0], [column]
        if type(node) not in {exp.EQ, exp.In} or not isinstance(column, exp.Column):
            self._add(
                "guard.predicate",
                say("Filter with column = value and column IN (values), joined by AND."),
                node,
            )
            return None
        name = self._name(column)
        constants = [self._constant(value) for value in values if isinstance(value, exp.Expr)]
        if name is None or any(c is None for c in constants):
            return None
        return Condition(name, tuple(c for c in constants if c is not None), name.place)

    def _constant(self, node: exp.Expr) -> Constant | None:
        place = self._source.node(node)
        sign, inner = ("-", node.this) if isinstance(node, exp.Neg) else ("", node)
        if isinstance(inner, exp.Literal):
            if inner.is_string and not sign:
                return Constant(ConstantKind.STRING, inner.name, place)
            if not inner.is_string and _NUMBER.match(inner.name):
                return Constant(ConstantKind.NUMBER, sign + inner.name, place)
        if isinstance(node, exp.Boolean):
            return Constant(ConstantKind.BOOLEAN, "true" if node.this else "false", place)
        if isinstance(node, exp.Cast) and isinstance(node.this, exp.Literal) and node.this.is_string:
            kind = _TYPED.get(node.to.this)
            if kind is not None:
                return Constant(kind, node.this.name, place)
        self._add("guard.predicate", say("Compare a column with plain values only."), node)
        return None

    # GROUP BY, HAVING, ORDER BY, LIMIT

    def _reference(self, node: exp.Expr, code: str) -> Reference | None:
        place = self._source.node(node)
        if isinstance(node, exp.Literal):
            if not node.is_string and _WHOLE.match(node.name):
                return Reference(int(node.name), None, place)
            self._add(code, say("Name a selected column, its label or its position."), node)
            return None
        output = self._output(node)
        return None if output is None else Reference(None, output, place)

    def _references(self, nodes: list[exp.Expr], code: str) -> tuple[Reference, ...]:
        return tuple(r for node in nodes if (r := self._reference(node, code)) is not None)

    def _bound(self, node: exp.Expr) -> Bound | None:
        comparison = _COMPARISONS.get(type(node))
        left, right = node.args.get("this"), node.args.get("expression")
        if comparison is not None and isinstance(left, exp.Literal):
            left, right, comparison = right, left, _MIRRORED[comparison]
        if (
            comparison is None
            or not isinstance(right, exp.Literal)
            or not isinstance(left, exp.Column | exp.Count)
        ):
            self._add("guard.having", say(_COUNT_AND_NUMBER), node)
            return None
        if right.is_string or not _WHOLE.match(right.name):
            self._add("guard.having", say(_COUNT_AND_NUMBER), right)
            return None
        reference = self._reference(left, "guard.having")
        if reference is None:
            return None
        return Bound(reference, comparison, int(right.name), reference.place)

    def _sort(self, node: exp.Expr) -> Sort | None:
        if not isinstance(node, exp.Ordered):
            self._add("guard.order", say("Order by selected columns, their labels or positions."), node)
            return None
        reference = self._reference(node.this, "guard.order")
        return None if reference is None else Sort(reference, bool(node.args.get("desc")))

    def _limit(self, node: exp.Expr | None) -> int | None:
        if node is None:
            return None
        number = node.args.get("expression")
        if isinstance(number, exp.Literal) and not number.is_string and _WHOLE.match(number.name):
            return int(number.name)
        self._add("guard.limit", say("LIMIT takes one whole number."), node, "LIMIT")
        return None


def _terms(clause: exp.Expr | None) -> list[exp.Expr]:
    return [] if clause is None else _conjunction(clause.this)


def _conjunction(node: exp.Expr) -> list[exp.Expr]:
    """The terms joined by AND, in reading order, without parentheses. Not recursive: chains may be long."""
    terms: list[exp.Expr] = []
    waiting = [node]
    while waiting:
        term = waiting.pop()
        if isinstance(term, exp.Paren):
            waiting.append(term.this)
        elif isinstance(term, exp.And):
            waiting += [term.args["expression"], term.this]
        else:
            terms.append(term)
    return terms
