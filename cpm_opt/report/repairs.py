"""A repair in words: what to change so that there is a plan, and which rules contradict each other."""

from __future__ import annotations

from cpm_opt.report.explanation import NUMBER, SHARE, Column, Explanation, Section, Table
from cpm_opt.report.ways_out import ways_out
from cpm_opt.report.words import Units, amount, counted, names
from cpm_opt.study.repair import BEYOND, BY_COST, FEASIBLE, OUT_OF_TIME, Change, Repair


def repair_facts(found: Repair) -> dict[str, object]:
    """The repair as JSON-ready fields; the plan is the one after the changes."""
    plan, p = found.plan, found.problem.portfolio
    return {
        "status": found.status,
        "basis": found.basis,
        "changes": [_facts(found, change) for change in found.changes],
        "total_cost": None if found.status in (BEYOND, OUT_OF_TIME) else found.total_cost,
        "conflict": list(found.conflict),
        "all_compared": found.complete,
        "plan": None
        if plan is None
        else {"status": plan.status, "objective": plan.objective, "profit": plan.profit},
        "instance": found.problem.tables.info.name,
        "model": found.problem.spec.name,
        "currency": p.currency,
        "money_unit": p.money_unit,
    }


def _facts(found: Repair, change: Change) -> dict[str, object]:
    number = change.number
    return {
        "rule": number.rule,
        "from": number.value,
        "to": change.to,
        "cost": change.cost,
        "table": number.table,
        "column": number.column,
        "period": number.period or None,
        "unit": _unit(change),
        "missing": change.missing,
        "relative": change.relative,
    }


def repair_report(found: Repair) -> Explanation:
    """What to do, for a reader."""
    p = found.problem.portfolio
    units = Units.of_portfolio(p)
    title = f"Repair, model {found.problem.spec.name}: {p.title or p.name}"
    if found.status == FEASIBLE:
        sentence = "There is a plan that keeps all the rules: nothing has to be changed."
        return Explanation("", found.status, title, (Section("changes", "What to change", (sentence,)),))
    if found.status == OUT_OF_TIME:
        sentence = "The time ran out before a repair was found. Allow more with --time-limit."
        return Explanation("", found.status, title, (Section("changes", "What to change", (sentence,)),))
    return Explanation("", found.status, title, (_conflict(found), _changes(found, units)))


def _conflict(found: Repair) -> Section:
    rules = found.conflict
    sentences: tuple[str, ...]
    if not rules:
        sentence = (
            "The customers and choices alone contradict themselves: no rule that can be left out is to blame."
        )
        sentences = (sentence,)
    elif len(rules) == 1:
        sentences = (f"Not even this rule alone can be kept: {rules[0]}.",)
    else:
        last = (
            "Leave out any one of them, and the rest of them can be kept; there may be other contradictions."
        )
        sentences = (f"These cannot all be kept: {names(rules, 20)}.", last)
    return Section("conflict", "Rules that contradict each other", sentences)


def _changes(found: Repair, units: Units) -> Section:
    if found.status == BEYOND:
        which = "with a repair_cost" if found.basis == BY_COST else "of capacities and balance rules"
        stated = ways_out(found.conflict, found.problem.spec.components)
        sentences = [f"No change of the numbers {which} makes a plan possible.", *stated]
        if len(stated) < len(found.conflict) or not found.conflict:
            sentences.append(
                "Ease or leave out one of the rules above; state a repair_cost for what may be changed."
            )
        return Section("changes", "What to change", tuple(sentences))
    by_cost = found.basis == BY_COST
    if by_cost:
        sentences = [f"The cheapest repair costs {units.worth(found.total_cost)}:"]
    else:
        count = counted(len({change.number.rule for change in found.changes}), "rule")
        sentences = [
            f"No repair_cost is stated, so the fewest rules are changed, by as little as will do: {count}."
        ]
    sentences += [_sentence(change) for change in found.changes]
    if not found.complete:
        sentences.append(
            "No fewer rules will do; of the other sets of so many, not all were compared by size."
        )
    plan = found.plan
    if plan is not None and plan.shown and plan.profit is not None:
        sentences.append(f"Solved anew with these changes: the best plan earns {units.worth(plan.profit)}.")
    elif plan is not None:
        sentences.append("With these changes all rules can be kept, but the profit has no limit.")
    else:
        sentences.append("The time ran out before a plan with these changes was found.")
    columns = (
        Column("rule", "rule"),
        Column("period", units.period),
        Column("from", "from", NUMBER),
        Column("to", "to", NUMBER),
        Column("unit", "unit"),
        Column("relative", "change", SHARE),
        *((Column("cost", "cost", NUMBER, units.money),) if by_cost else ()),
    )
    rows = tuple(
        (
            change.number.rule,
            str(change.number.period or "all"),
            change.number.value,
            change.to,
            _unit(change),
            change.relative,
            *((change.cost,) if by_cost else ()),
        )
        for change in found.changes
    )
    return Section("changes", "What to change", tuple(sentences), (Table("changes", columns, rows),))


def _unit(change: Change) -> str:
    number = change.number
    return f"share or mean of {number.unit}" if number.relational else number.unit


def _sentence(change: Change) -> str:
    number = change.number
    what = "Raise" if change.to > number.value else "Lower"
    when = f" in period {number.period}" if number.period else ""
    limit = f"the limit of {number.rule}" if number.table == "balance" else number.rule
    unit = f" {number.unit}" if number.unit and not number.relational else ""
    return f"{what} {limit}{when} from {amount(number.value)} to {amount(change.to)}{unit}."
