"""`AggregateQuery` to SQL for DuckDB, in two levels: per contributor and cell, then per cell.

Built from expressions, never from text: names come from the contract, values from declared domains, and
every name of a result column is our own. The tables are views or files registered under the datasets'
names, with the columns of the extract: `_unit` (the privacy unit, densely coded) or, where a dataset has
none, `_row` (each row its own contributor).
"""

from __future__ import annotations

from sqlglot import exp

from audit.wording import say
from contracts.policy.terms import ColumnTerm, Terms
from sandbox.engines.literals import literal
from sandbox.engines.raw import is_summed, largest_kept, scale
from sandbox.guard.cells import cell_values, column_term
from sandbox.guard.problems import refuse
from sandbox.guard.query import AggregateQuery, ColumnRef, JoinOn

PER_CONTRIBUTOR = "_contributors"  # no dataset is called so: their names begin with a letter
DIALECTS = frozenset({"duckdb"})


def generate(query: AggregateQuery, terms: Terms, dialect: str = "duckdb") -> str:
    """SQL whose result has the schema of `raw.raw_schema(query, terms)`, rows in any order.

    A grouped column keeps its declared values only: rows where it is null or holds another value are not
    counted. Rows without a privacy unit are not counted either.
    Raises: Refused("engine.dialect") for an engine that is not offered.
    """
    if dialect not in DIALECTS:
        raise refuse("engine.dialect", say("This engine is not offered."))
    inner = _per_contributor(query, terms)
    outer = _per_cell(query, terms).from_(PER_CONTRIBUTOR, copy=False)
    return outer.with_(PER_CONTRIBUTOR, as_=inner, copy=False).sql(
        dialect=dialect, identify=True, comments=False
    )


def contributor_keys(query: AggregateQuery, terms: Terms) -> tuple[ColumnRef, ...]:
    """The columns that tell one contributor from another.

    The privacy unit of any source that has one (all such sources are joined on it). Where none has: the
    row of the dataset that is measured, or, where rows are only counted, the joined row.
    """
    datasets = [d for name in query.sources if (d := terms.dataset(name)) is not None]
    units = [d.name for d in datasets if d.unit is not None]
    if units:
        return (ColumnRef(units[0], "_unit"),)
    measured = sorted({ref.dataset for ref in query.measured})
    return tuple(ColumnRef(name, "_row") for name in (measured or query.sources))


def _per_contributor(query: AggregateQuery, terms: Terms) -> exp.Select:
    dimensions = [_column(d.column) for d in query.dimensions]
    contributors = [_column(ref) for ref in contributor_keys(query, terms)]
    selected = [exp.alias_(d.copy(), f"d{i}") for i, d in enumerate(dimensions)]
    selected.append(exp.alias_(exp.Count(this=exp.Star()), "n"))
    for i, ref in enumerate(query.measured):
        selected.append(exp.alias_(exp.Count(this=_column(ref)), f"c{i}"))
        if is_summed(ref, terms):
            total = exp.cast(exp.Sum(this=_column(ref)), _number(ref, terms))
            selected.append(exp.alias_(total, f"s{i}"))
    select = _joined(exp.select(*selected, copy=False), query)
    select = select.where(*_conditions(query, terms), copy=False)
    return select.group_by(*dimensions, *contributors, copy=False)


def _per_cell(query: AggregateQuery, terms: Terms) -> exp.Select:
    keys = [exp.column(f"d{i}") for i in range(len(query.dimensions))]
    selected: list[exp.Expr] = [
        exp.alias_(exp.cast(k.copy(), exp.DType.TEXT), f"d{i}") for i, k in enumerate(keys)
    ]
    selected += [exp.alias_(exp.Count(this=exp.Star()), "k"), exp.alias_(_total("n"), "n")]
    for i, ref in enumerate(query.measured):
        positive = exp.If(this=exp.column(f"c{i}") > 0, true=exp.column(f"c{i}"))
        selected.append(exp.alias_(exp.Count(this=exp.Case(ifs=[positive])), f"m{i}_k"))
        selected.append(exp.alias_(_total(f"c{i}"), f"m{i}_n"))
        if is_summed(ref, terms):
            selected += _sums(i, ref, terms)
    select = exp.select(*selected, copy=False)
    return select.group_by(*keys, copy=False) if keys else select


def _sums(i: int, ref: ColumnRef, terms: Terms) -> list[exp.Expr]:
    number = _number(ref, terms)
    size = exp.Abs(this=exp.column(f"s{i}"))
    largest = exp.Max(this=size.copy(), expressions=[exp.Literal.number(largest_kept(terms))])
    return [
        exp.alias_(exp.cast(exp.Sum(this=exp.column(f"s{i}")), number), f"m{i}_sum"),
        exp.alias_(exp.cast(exp.Sum(this=size), number.copy()), f"m{i}_abs"),
        exp.alias_(largest, f"m{i}_top"),
    ]


def _total(name: str) -> exp.Expr:
    """A sum of counts; 0, not null, where no contributor is left."""
    total = exp.Coalesce(this=exp.Sum(this=exp.column(name)), expressions=[exp.Literal.number(0)])
    return exp.cast(total, exp.DType.BIGINT)


def _number(ref: ColumnRef, terms: Terms) -> exp.DataType:
    """Wide enough for any sum of 18 digits over 10^20 rows: exact, and the same in any order of rows."""
    return exp.DataType.build(f"DECIMAL(38, {scale(ref, terms)})")


def _column(ref: ColumnRef) -> exp.Column:
    return exp.column(ref.column, table=ref.dataset, quoted=True)


def _joined(select: exp.Select, query: AggregateQuery) -> exp.Select:
    """FROM the first source, then each other one once it touches what is already there."""
    reached = [query.sources[0]]
    select = select.from_(_table(query.sources[0]), copy=False)
    while len(reached) < len(query.sources):
        following = next((s for s in query.sources if s not in reached and _on(query, s, reached)), None)
        if following is None:
            reason = say("Each dataset must be joined to the others on an allowed key.")
            raise refuse("guard.join", reason)
        on = [
            exp.EQ(this=_column(j.left), expression=_column(j.right)) for j in _on(query, following, reached)
        ]
        select = select.join(_table(following), on=exp.and_(*on), join_type="inner", copy=False)
        reached.append(following)
    return select


def _on(query: AggregateQuery, source: str, reached: list[str]) -> list[JoinOn]:
    return [
        j
        for j in query.joins
        if (j.left.dataset == source and j.right.dataset in reached)
        or (j.right.dataset == source and j.left.dataset in reached)
    ]


def _table(name: str) -> exp.Table:
    return exp.Table(this=exp.to_identifier(name, quoted=True))


def _conditions(query: AggregateQuery, terms: Terms) -> list[exp.Expr]:
    """Filters, the declared domain of each grouped column, and a known contributor."""
    values = {f.column: f.values for f in query.filters}
    values |= {d.column: v for d, v in zip(query.dimensions, cell_values(query, terms), strict=True)}
    conditions: list[exp.Expr] = [_in(ref, column_term(terms, ref), values[ref]) for ref in sorted(values)]
    for ref in contributor_keys(query, terms):
        known = exp.Not(this=exp.Is(this=_column(ref), expression=exp.Null()))
        conditions.append(known)
    return conditions


def _in(ref: ColumnRef, column: ColumnTerm, values: tuple[str, ...]) -> exp.In:
    return exp.In(this=_column(ref), expressions=[literal(column, value) for value in values])
