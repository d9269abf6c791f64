"""The terms as sentences a person understands, in Chinese and English.

Used on the contract page before signing and on the provenance sheet of a download; both show the same words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Final, NamedTuple

from catalog.schema import ColumnType
from contracts.policy.terms import Aggregate, ColumnRole, ColumnTerm, DatasetTerm, JoinTerm, Lane, Terms

BEIJING: Final = timezone(timedelta(hours=8))
SHOWN_VALUES: Final = 12  # of a dimension's domain; the signed document lists all


class _Said(NamedTuple):
    zh: str
    en: str


_WORDS: Final[dict[str, _Said]] = {
    "provider": _Said("数据提供方", "Provider"),
    "consumer": _Said("数据使用方", "User of the data"),
    "purpose": _Said("用途", "Purpose"),
    "scenario": _Said("场景", "Scenario"),
    "term": _Said("合约期限", "Term"),
    "term_text": _Said("自 {start} 起，至 {end} 止（北京时间）。", "From {start} to {end} (Beijing time)."),
    "quota": _Said("计算次数", "Computations"),
    "quota_text": _Said("合约期内最多运行 {runs} 次计算。", "At most {runs} computations during the term."),
    "retention": _Said("结果保存", "Keeping of results"),
    "retention_text": _Said(
        "每份结果自发布起 {days} 天内可以下载，之后删除；合约终止后不可下载。",
        "Each result can be downloaded for {days} days after its release and is then deleted; "
        "nothing can be downloaded after the contract has ended.",
    ),
    "dataset": _Said("数据集：{name}", "Dataset: {name}"),
    "unit_text": _Said(
        "{column}：受保护的主体，只用于计数和关联，从不显示。",
        "{column}: whom the data is about; counted and joined on, never shown.",
    ),
    "no_unit_text": _Said(
        "提供方声明：每一行都不涉及个人或企业。",
        "The provider attests that no row is about a person or enterprise.",
    ),
    "dimension_text": _Said(
        "{column}：可以按它分组和筛选，取值为 {values}。",
        "{column}: may be grouped and filtered by; values {values}.",
    ),
    "measure_text": _Said("{column}：可以{functions}。", "{column}: may be {functions}."),
    "lane_table": _Said("精确表", "exact tables"),
    "lane_perturbed": _Said("单元格密钥扰动", "small changes by cell key"),
    "lane_private": _Said("差分隐私", "differential privacy"),
    "counts_lane_text": _Said(
        "记录数与主体数的发布方式：{lane}。", "Counts of records and units leave as: {lane}."
    ),
    "measure_lane_text": _Said("{column}的发布方式：{lane}。", "{column} leaves as: {lane}."),
    "bounds_text": _Said(
        "每个主体对一个单元格的贡献按 {low} 至 {high} 计。",
        "What one unit contributes to a cell is taken as {low} to {high}.",
    ),
    "budget_text": _Said(
        "该数据集在所有合约下合计的隐私预算为 ρ = {rho}，用完为止，不会恢复。",
        "All contracts together may ever spend a privacy budget of ρ = {rho} on this dataset; nothing refills it.",
    ),
    "join_key_text": _Said("{column}：只用于关联。", "{column}: for joining only."),
    "count": _Said("计数", "counted"),
    "sum": _Said("求和", "summed"),
    "avg": _Said("求平均", "averaged"),
    "values_more": _Said("{shown} 等 {total} 个", "{shown} and others, {total} in all"),
    "joins": _Said("关联方式", "Joins"),
    "joins_text": _Said(
        "只能按以下字段关联：{joins}。", "Datasets may be joined on these columns only: {joins}."
    ),
    "no_joins_text": _Said("不得关联数据集。", "Datasets may not be joined."),
    "protection": _Said("结果保护", "Protection of results"),
    "k_text": _Said(
        "每个公布的单元格至少由 {n} 个不同主体构成，不足的不予公布。",
        "Each published cell stands for at least {n} different units; smaller ones are withheld.",
    ),
    "dominance_text": _Said(
        "最大的 {n} 个主体合计超过单元格总量 {percent}% 的，不予公布。",
        "A cell is withheld where its {n} largest units hold more than {percent}% of it.",
    ),
    "p_text": _Said(
        "若第二大的主体能在 {percent}% 的误差内推知最大的主体，不予公布。",
        "A cell is withheld where the second largest unit could estimate the largest within {percent}%.",
    ),
    "round_text": _Said("计数取整到 {base} 的倍数。", "Counts are rounded to multiples of {base}."),
    "exact_counts_text": _Said("计数不取整。", "Counts are not rounded."),
    "digits_text": _Said("总和保留 {digits} 位有效数字。", "Sums keep {digits} significant digits."),
    "exact_sums_text": _Said("总和不取舍。", "Sums are not rounded."),
    "complement_text": _Said(
        "从合计中减去已公布的单元格后，余下部分至少由 {n} 个主体构成。",
        "What is left of a total after its published cells stands for at least {n} units.",
    ),
    "zeros_text": _Said("没有记录的单元格公布为 0。", "Cells without records are published as 0."),
    "no_zeros_text": _Said(
        "没有记录的单元格与不予公布的单元格看起来一样。", "Cells without records look like withheld ones."
    ),
    "memory_text": _Said(
        "最多 {answers} 张不同的表；每张新的精确表都与此前对任何人公布的表比较，相差不足最低主体数的不予公布；"
        "因数据原因被拒绝 {refusals} 次后，不再提供精确表。",
        "At most {answers} different tables; each new exact one is compared with all that anyone was given before and "
        "refused where they differ by too few units; after {refusals} refusals that depend on data exact tables end.",
    ),
    "scripts_text": _Said(
        "经两名审核员审阅的脚本可以先整理一个数据集的记录；对整理后的记录提出的问题，其结果在公布前还须两名审核员同意。",
        "A script that two reviewers have read may prepare a dataset's records first; answers to questions about "
        "prepared records leave only when two reviewers agree.",
    ),
    "privacy_text": _Said(
        "差分隐私：合约的隐私预算为 ρ = {rho}，每个问题最多 ρ = {query}；δ = 10 的负 {delta} 次方；"
        "每个主体最多计入 {groups} 个单元格，每个单元格最多计 {rows} 条记录。",
        "Differential privacy: the contract may spend ρ = {rho}, one question at most ρ = {query}; delta is "
        "10^-{delta}; one unit counts in at most {groups} cells, with at most {rows} records in each.",
    ),
    "size_text": _Said(
        "一份结果最多 {dimensions} 个维度、{cells} 个单元格。",
        "A result has at most {dimensions} dimensions and {cells} cells.",
    ),
    "forbidden": _Said("禁止事项", "Forbidden"),
    "forbidden_text": _Said(
        "原始数据不出域：不得复制、传播任何一行原始记录，只有经保护的统计结果可以带走。",
        "Raw data stays: no raw record may be copied or passed on; only protected statistics leave.",
    ),
    "separator": _Said("、", ", "),
    "time": _Said("{at.year}年{at.month}月{at.day}日 {at:%H:%M}", "{at:%Y-%m-%d %H:%M}"),
}

_FUNCTIONS: Final = {Aggregate.COUNT: "count", Aggregate.SUM: "sum", Aggregate.AVG: "avg"}


def describe(terms: Terms, language: str, *, names: Mapping[str, str] | None = None) -> list[tuple[str, str]]:
    """(label, text) pairs in reading order: one per term, column of a dataset, and rule of protection.

    Neighbouring pairs of one label belong together; a page may show the label once.
    `language`: any tag that begins with "zh" gives Chinese, every other English. `names`: words to show for
    the uid of an organization or dataset and for a column (`"loans.amount"`); else the identity is shown.
    """
    return list(_Writer(language, names or {}).pairs(terms))


class _Writer:
    def __init__(self, language: str, names: Mapping[str, str]) -> None:
        self._chinese = language.lower().startswith("zh")
        self._names = names

    def pairs(self, terms: Terms) -> Iterator[tuple[str, str]]:
        yield self._say("provider"), self._list([self._name(uid) for uid in terms.assigners])
        yield self._say("consumer"), self._name(terms.assignee)
        yield self._say("purpose"), self._name(terms.purpose)
        yield self._say("scenario"), terms.scenario
        for dataset in terms.datasets:
            name = self._names.get(dataset.uid, "")
            label = f"{name} ({dataset.name})" if name else dataset.name
            for said in self._dataset(dataset):
                yield self._say("dataset", name=label), said
        yield self._say("joins"), self._joins(terms.joins)
        for said in self._protection(terms):
            yield self._say("protection"), said
        yield self._say("quota"), self._say("quota_text", runs=terms.max_runs)
        start, end = self._time(terms.valid_from), self._time(terms.valid_until)
        yield self._say("term"), self._say("term_text", start=start, end=end)
        yield self._say("retention"), self._say("retention_text", days=terms.retention_days)
        yield self._say("forbidden"), self._say("forbidden_text")

    def _dataset(self, dataset: DatasetTerm) -> Iterator[str]:
        for column in dataset.columns:
            yield self._column(dataset, column)
        if dataset.lanes != {Lane.TABLE}:
            yield from self._lanes(dataset)
        if dataset.unit is None:
            yield self._say("no_unit_text")

    def _column(self, dataset: DatasetTerm, column: ColumnTerm) -> str:
        meaning = self._names.get(f"{dataset.name}.{column.name}", "")
        name = f"{meaning} ({column.name})" if meaning else column.name
        if column.role is ColumnRole.DIMENSION:
            return self._say("dimension_text", column=name, values=self._values(column))
        functions = self._list([self._say(_FUNCTIONS[a]) for a in column.aggregates if a in _FUNCTIONS])
        return self._say(f"{column.role}_text", column=name, functions=functions)

    def _lanes(self, dataset: DatasetTerm) -> Iterator[str]:
        yield self._say("counts_lane_text", lane=self._say(f"lane_{dataset.lane}"))
        for column in dataset.columns:
            if column.role is ColumnRole.MEASURE:
                said = self._say(
                    "measure_lane_text", column=column.name, lane=self._say(f"lane_{column.lane}")
                )
                bounds = self._say("bounds_text", low=column.low, high=column.high)
                yield f"{said} {bounds}" if column.low or column.high else said
        if dataset.budget:
            yield self._say("budget_text", rho=_rho(dataset.budget))

    def _values(self, column: ColumnTerm) -> str:
        shown = self._list([_value(value, column.type) for value in column.domain[:SHOWN_VALUES]])
        if len(column.domain) <= SHOWN_VALUES:
            return shown
        return self._say("values_more", shown=shown, total=len(column.domain))

    def _joins(self, joins: tuple[JoinTerm, ...]) -> str:
        if not joins:
            return self._say("no_joins_text")
        equalities = [f"{'.'.join(join.left)} = {'.'.join(join.right)}" for join in joins]
        return self._say("joins_text", joins=self._list(equalities))

    def _protection(self, terms: Terms) -> Iterator[str]:
        rules = terms.disclosure
        yield self._say("k_text", n=rules.min_contributors)
        yield self._say("dominance_text", n=rules.dominance_n, percent=rules.dominance_percent)
        yield self._say("p_text", percent=rules.p_percent)
        yield self._say(
            "round_text" if rules.round_counts > 1 else "exact_counts_text", base=rules.round_counts
        )
        yield self._say("digits_text" if rules.sum_digits else "exact_sums_text", digits=rules.sum_digits)
        yield self._say("complement_text", n=rules.complement_contributors)
        yield self._say("zeros_text" if rules.show_zeros else "no_zeros_text")
        yield self._say("memory_text", answers=rules.max_releases, refusals=rules.max_refusals)
        if rules.allow_scripts:
            yield self._say("scripts_text")
        if (privacy := terms.privacy) is not None:
            yield self._say(
                "privacy_text", rho=_rho(privacy.contract_budget), query=_rho(privacy.query_budget),
                delta=privacy.delta_exponent, groups=privacy.max_groups, rows=privacy.max_rows,
            )  # fmt: skip
        yield self._say("size_text", dimensions=rules.max_dimensions, cells=rules.max_cells)

    def _say(self, key: str, **values: object) -> str:
        said = _WORDS[key]
        return (said.zh if self._chinese else said.en).format(**values)

    def _list(self, parts: list[str]) -> str:
        return self._say("separator").join(parts)

    def _name(self, uid: str) -> str:
        return self._names.get(uid, uid)

    def _time(self, moment: datetime) -> str:
        return self._say("time", at=moment.astimezone(BEIJING))


def _rho(micro: int) -> str:
    """Millionths of rho as a plain decimal."""
    return f"{micro // 1_000_000}.{micro % 1_000_000:06d}".rstrip("0").rstrip(".")


def _value(value: str, column_type: ColumnType) -> str:
    return f"“{value}”" if column_type is ColumnType.TEXT else value
