"""What a plan earns, beside doing nothing and beside the greedy plan."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from cpm_opt.report.explanation import NUMBER, Cell, Column, Section, Table
from cpm_opt.report.run_facts import penalties_today
from cpm_opt.report.words import Units, amount, counted, names, percent, spans
from cpm_opt.runs.record import RunRecord

# Two plans of one worth differ by what the solver's search leaves open.
SAME = 1e-6


def earns(run: RunRecord, units: Units, greedy: Mapping[str, Any] | None = None) -> Section:
    """The section on what the plan earns; `greedy` are the greedy plan's figures, else those that the run holds."""
    facts = run.facts if greedy is None else {**run.facts, "greedy": greedy}
    today, scenarios = facts["today"], facts["scenarios"]
    sentences = [_profit(facts, units), *_all_that_counts(facts, units)]
    if scenarios:
        chance = percent(scenarios[0]["probability"])
        case = f"the most probable scenario, {scenarios[0]['scenario']} (probability {chance})"
        sentences.append("These figures are means over the scenarios.")
        sentences.append(f"What to do and what limits it are shown for {case}.")
    rate = facts["model"]["horizon"]["discount_rate"]
    if rate:
        sentences.append(f"Later money counts less: {percent(rate)} a {units.period}.")
    sentences.append(_proof(run, units))
    if (broken := _unpinned(facts, today["broken"])) and not _less_than_today(facts):
        sentences.append(f"Leaving all as it is would break {_broken(broken, facts, units)}.")
    sentences.extend(_greedy(facts, units))
    return Section("earns", "What it earns", tuple(sentences), (_table(facts, units),))


def _profit(facts: Mapping[str, Any], units: Units) -> str:
    profit, today = facts["profit"], facts["today"]["profit"]
    gain = profit - today
    so_much = f"The plan earns {units.worth(profit)} over {units.horizon}"
    if abs(gain) <= 1e-9 * max(1.0, abs(today)):
        return f"{so_much}: as much as if all stays as it is today."
    share = f" ({'+' if gain >= 0 else '-'}{percent(abs(gain) / today)})" if today > 0 else ""
    broken = _unpinned(facts, facts["today"]["broken"])
    if _less_than_today(facts) and broken:
        return (
            f"Leaving all as it is would break {_broken(broken, facts, units)}. {so_much}: "
            f"{units.worth(abs(gain))} less than if all stays as it is today{share}, which is not allowed."
        )
    than = (
        f"{units.worth(abs(gain))} {'more' if gain >= 0 else 'less'} than if all stays as it is today{share}"
    )
    if gain < 0 and facts["objective"] > facts["today"]["objective"]:
        than += "; it pays all the same, by what counts beside profit"
    return f"{so_much}: {than}."


def _less_than_today(facts: Mapping[str, Any]) -> bool:
    today = facts["today"]["profit"]
    return bool(facts["profit"] - today < -1e-9 * max(1.0, abs(today)))


def _all_that_counts(facts: Mapping[str, Any], units: Units) -> list[str]:
    """By how much the plan is better where profit is not all that it is judged by, and what makes that up."""
    if not _weighs_more(facts):
        return []
    *parts, (_, before, _, after) = _figures(facts, {}, units)
    gain = after - before
    if abs(gain) <= SAME * max(1.0, abs(after)):
        return ["All counted that it is judged by, it is worth as much as leaving all as it is."]
    told = f"All counted that it is judged by, it is worth {units.worth(abs(gain))} "
    told += f"{'more' if gain > 0.0 else 'less'} than leaving all as it is"
    steps = [(label, own - first) for label, first, _, own in parts]
    # Weights other than 1 and risk make the parts say nothing about their sum.
    if abs(sum(step for _, step in steps) - gain) <= SAME * max(1.0, abs(after)):
        steps = [(label, step) for label, step in steps if abs(step) > SAME * max(1.0, abs(after))]
        signed = [f"{label} {'+' if step > 0.0 else '-'}{amount(abs(step))}" for label, step in steps]
        told += f": {names(signed)}" if len(signed) > 1 else f", by {steps[0][0]}" if signed else ""
    return [f"{told}."]


def _greedy(facts: Mapping[str, Any], units: Units) -> list[str]:
    """What the model earns over a planner who goes by ratios; nothing where that was not computed."""
    greedy = facts.get("greedy")
    if not greedy:
        return []
    if greedy["objective"] is None:
        moves = f"{greedy['moves']:,}"
        return [
            f"The greedy plan was left out for its size ({moves} choices to weigh); `cpm explain --deep` makes it."
        ]
    period = facts["instance"]["period"]
    how = f"takes, {period} by {period}, the best ratio of gain to scarce capacity first"
    gain, size = facts["objective"] - greedy["objective"], max(1.0, abs(facts["objective"]))
    missed = _unpinned(facts, greedy["broken"])
    breaks = [f"breaks {_broken(missed, facts, units)}"] if missed else []
    if len(missed) < len(greedy["broken"]):
        breaks.append("does not keep what is pinned or locked")
    counting = "all counted that the plan is judged by, " if _weighs_more(facts) else ""
    if gain < -SAME * size and breaks:
        only = "only because it" if facts["status"] == "optimal" and not facts.get("given_up") else "but"
        told = f"The greedy plan, which {how}, is no plan that may be carried out: {counting}it is worth"
        return [f"{told} {units.worth(-gain)} more, {only} {' and '.join(breaks)}."]
    so_much = "as much as" if abs(gain) <= SAME * size else f"{units.worth(abs(gain))} "
    so_much += "" if abs(gain) <= SAME * size else f"{'more' if gain > 0.0 else 'less'} than"
    told = f"{counting}it is worth {so_much} the greedy plan, which {' and '.join([how, *breaks])}."
    return [told[0].upper() + told[1:], *_ahead_by_profit(facts, greedy, units, breaks)]


def _ahead_by_profit(
    facts: Mapping[str, Any], greedy: Mapping[str, Any], units: Units, breaks: Sequence[str]
) -> list[str]:
    """Where the greedy plan has more profit though it is worth no more: that, and that it breaks rules."""
    more = greedy["profit"] - facts["profit"]
    if more <= SAME * max(1.0, abs(facts["profit"])) or not _weighs_more(facts):
        return []
    while_it = ", while it breaks what the plan has to keep" if breaks else ""
    return [f"By profit alone the greedy plan is {units.worth(more)} ahead{while_it}."]


def _weighs_more(facts: Mapping[str, Any]) -> bool:
    """Whether the plan, or leaving all as it is, is judged by more than its profit."""
    return any(
        abs(of["objective"] - of["profit"]) > 1e-6 * max(1.0, abs(of["objective"]))
        for of in (facts, facts["today"])
    )


def _unpinned(facts: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Limits without pins and locks: these say what this plan has to be, not what is allowed."""
    pinned = set((facts.get("pins") or {"names": ()})["names"])
    return [row for row in rows if row["rule"] not in pinned]


def _broken(rows: Sequence[Mapping[str, Any]], facts: Mapping[str, Any], units: Units) -> str:
    """The rules that are broken, each with its periods: `2 rules (keep gold in year 1 and ...)`."""
    periods: dict[str, set[int]] = defaultdict(set)
    for row in rows:
        found = periods[f"{row['rule']} {row['subject']}".strip()]
        if row["period"] is not None:
            found.add(int(row["period"]))
    told = [
        f"{rule} in {names([units.when(*span) for span in spans(sorted(when))])}" if when else rule
        for rule, when in sorted(periods.items())
    ]
    somewhere = ", in some scenario" if facts["scenarios"] else ""
    return f"{counted(len(periods), 'rule')} ({names(told)}{somewhere})"


def _table(facts: Mapping[str, Any], units: Units) -> Table:
    greedy = facts.get("greedy") or {}
    beside = greedy.get("objective") is not None
    columns = [
        Column("figure", "figure"),
        Column("today", "as today", NUMBER, units.money),
        *([Column("greedy", "greedy plan", NUMBER, units.money)] if beside else []),
        Column("plan", "plan", NUMBER, units.money),
        Column("difference", "plan over today" if beside else "difference", NUMBER, units.money),
        *([Column("over_greedy", "plan over greedy", NUMBER, units.money)] if beside else []),
    ]
    rows: list[tuple[Cell, ...]] = []
    for name, before, other, after in _figures(facts, greedy, units):
        row: list[Cell] = [
            name,
            before,
            other,
            after,
            after - before,
            None if other is None else after - other,
        ]
        rows.append(tuple(row) if beside else (name, before, after, after - before))
    return Table("earns", tuple(columns), tuple(rows))


def _figures(
    facts: Mapping[str, Any], greedy: Mapping[str, Any], units: Units
) -> list[tuple[str, float, float | None, float]]:
    """Rows (figure, today, greedy plan, plan)."""
    today, objective, profit = facts["today"], facts["objective"], facts["profit"]
    figures: list[tuple[str, float, float | None, float]] = [
        ("profit", today["profit"], greedy.get("profit"), profit)
    ]
    if today["end_value"] or facts["end_value"]:
        label = f"value of the customers after {units.period} {units.periods}"
        figures.append((label, today["end_value"], greedy.get("end_value"), facts["end_value"]))
    before, theirs = penalties_today(facts), greedy.get("penalties")
    if facts["penalties"] or theirs or before:
        of_greedy = None if theirs is None else -theirs
        figures.append(("penalties for missed rules", -before, of_greedy, -facts["penalties"]))
    for rule, taken in (facts.get("deductions") or {}).items():
        label = f"reserve for effects that fall short ({rule})"
        before = today["deductions"].get(rule, 0.0)
        if before or taken:
            figures.append((label, -before, None, -taken))
    if _weighs_more(facts):
        every = ", over all scenarios" if facts["scenarios"] else ""
        label = f"all that counts, as the model weighs it{every}"
        figures.append((label, today["objective"], greedy.get("objective"), objective))
    return figures


def _proof(run: RunRecord, units: Units) -> str:
    bound, gap = run.facts["bound"], run.facts["gap"]
    given_up = run.facts.get("given_up") or 0.0
    if run.status == "optimal" and given_up > 0.0:
        share = percent(given_up / max(1.0, abs(run.facts["objective"] + given_up)))
        return (
            f"It changes least of all plans that are nearly as good as the best one: for that it gives up "
            f"{units.worth(given_up)} ({share}) of what the best plan is worth."
        )
    if run.status == "optimal":
        best = "It is the best plan that the rules allow"
        return f"{best}: proven." if not gap or gap < 1e-9 else f"{best}: proven to within {percent(gap)}."
    if bound is None:
        return "It keeps all rules; how much better a plan could be is not known."
    return (
        f"The time ran out before it was proven the best: no plan can be worth more than {units.worth(bound)}, "
        f"which is {percent(gap)} above this one."
    )
