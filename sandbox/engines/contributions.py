"""The first level of every generated SELECT: one row for each contributor and cell. Pure.

Built from expressions, never from text: names come from the contract, values from declared domains, and
every name of a result column is our own. The tables are views or files registered under the datasets'
names, with the columns of the extract: `_unit` (the privacy unit, densely coded) or, where a dataset has
none, `_row` (each row its own contributor).

    d0, d1 ...  the column's own type  the cell's value of each dimension
    u0, u1 ...  INTEGER, BIGINT        who contributes: one column, or one for each source of a joined row
    n           BIGINT                 rows
    cI          BIGINT                 rows with a value of measured column I
    sI          DECIMAL(38, scale)     their sum; absent where the column is not a number

In the perturbed lane also the sums of keys of `cell_keys`, and, where totals are asked for, the rows of every total
too, with null for each dimension that is summed over (dimensions themselves are never null).
"""

from __future__ import annotations

from sqlglot import exp

from audit.wording import say
from contracts.policy.terms import ColumnTerm, Lane, Level, Terms
from sandbox.engines import cell_keys
from sandbox.engines.literals import literal
from sandbox.engines.raw import is_summed, scale
from sandbox.guard.cells import cell_values, column_term
from sandbox.guard.lanes import lane_of
from sandbox.guard.problems import refuse
from sandbox.guard.query import AggregateQuery, ColumnRef, JoinOn

PER_CONTRIBUTOR = "_contributors"  # no dataset is called so: their names begin with a letter


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


def varies_within_contributor(ref: ColumnRef, query: AggregateQuery, terms: Terms) -> bool:
    """Whether one contributor's rows may hold several values of a dimension.

    A dimension of `Level.UNIT` does not: the extract was built only after a check that each unit has one
    value in it. The claim is about the units of the dimension's own dataset; where that has none, nothing was
    claimed about the units it is joined to. All datasets with a unit are joined on it (guard), so one unit of
    any of them is one contributor. Where rows are the contributors, the dimensions of the row's own dataset
    have one value each.
    """
    own = terms.dataset(ref.dataset)
    contributors = contributor_keys(query, terms)
    if all(key.column != "_unit" for key in contributors):
        return ref.dataset not in {key.dataset for key in contributors}
    return own is None or own.unit is None or column_term(terms, ref).level is not Level.UNIT


def per_contributor(
    query: AggregateQuery, terms: Terms, *, identified: bool = False, prefix: str = ""
) -> exp.Select:
    """`identified` adds `p`, which is the same for one contributor in every version of a dataset.

    `prefix` stands before the tables' names, so that two versions of a dataset can be read in one statement.
    """
    dimensions = [_column(d.column) for d in query.dimensions]
    contributors = [_column(ref) for ref in contributor_keys(query, terms)]
    selected = [exp.alias_(d.copy(), f"d{i}") for i, d in enumerate(dimensions)]
    selected += [exp.alias_(c.copy(), f"u{i}") for i, c in enumerate(contributors)]
    selected.append(exp.alias_(exp.Count(this=exp.Star()), "n"))
    for i, ref in enumerate(query.measured):
        selected.append(exp.alias_(exp.Count(this=_column(ref)), f"c{i}"))
        if is_summed(ref, terms):
            total = exp.cast(exp.Sum(this=_column(ref)), number_type(ref, terms))
            selected.append(exp.alias_(total, f"s{i}"))
    if identified:
        selected.append(exp.alias_(_identity(query, terms), "p"))
    perturbed = lane_of(query, terms) is Lane.PERTURBED
    if perturbed:
        selected += cell_keys.of_contributor(query, terms)
    select = _joined(exp.select(*selected, copy=False), query, prefix)
    select = select.where(*_conditions(query, terms), copy=False)
    groups = [exp.Cube(expressions=dimensions)] if perturbed and query.totals else dimensions
    return select.group_by(*groups, *contributors, copy=False)


def number_type(ref: ColumnRef, terms: Terms) -> exp.DataType:
    """Wide enough for any sum of 18 digits over 10^20 rows: exact, and the same in any order of rows."""
    return exp.DataType.build(f"DECIMAL(38, {scale(ref, terms)})")


def _column(ref: ColumnRef) -> exp.Column:
    return exp.column(ref.column, table=ref.dataset, quoted=True)


def _identity(query: AggregateQuery, terms: Terms) -> exp.Expr:
    """The pseudonym of the unit; of rows that stand for themselves, their record keys."""
    keys = []
    for ref in contributor_keys(query, terms):
        dataset = terms.dataset(ref.dataset)
        unit = dataset.unit if dataset else None
        stable = ColumnRef(ref.dataset, unit.name if unit else "_record_key")
        keys.append(exp.Min(this=_column(stable)))
    return keys[0] if len(keys) == 1 else exp.Anonymous(this="hash", expressions=keys)


def _joined(select: exp.Select, query: AggregateQuery, prefix: str) -> exp.Select:
    """FROM the first source, then each other one once it touches what is already there."""
    reached = [query.sources[0]]
    select = select.from_(_table(query.sources[0], prefix), copy=False)
    while len(reached) < len(query.sources):
        following = next((s for s in query.sources if s not in reached and _on(query, s, reached)), None)
        if following is None:
            reason = say("Each dataset must be joined to the others on an allowed key.")
            raise refuse("guard.join", reason)
        on = [
            exp.EQ(this=_column(j.left), expression=_column(j.right)) for j in _on(query, following, reached)
        ]
        select = select.join(_table(following, prefix), on=exp.and_(*on), join_type="inner", copy=False)
        reached.append(following)
    return select


def _on(query: AggregateQuery, source: str, reached: list[str]) -> list[JoinOn]:
    return [
        j
        for j in query.joins
        if (j.left.dataset == source and j.right.dataset in reached)
        or (j.right.dataset == source and j.left.dataset in reached)
    ]


def _table(name: str, prefix: str) -> exp.Table:
    alias = exp.TableAlias(this=exp.to_identifier(name, quoted=True)) if prefix else None
    return exp.Table(this=exp.to_identifier(prefix + name, quoted=True), alias=alias)


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
