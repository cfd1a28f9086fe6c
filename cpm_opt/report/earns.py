"""What a plan earns, beside doing nothing and beside the greedy plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cpm_opt.report.explanation import NUMBER, Cell, Column, Section, Table
from cpm_opt.report.words import Units, counted, names, percent
from cpm_opt.runs.record import RunRecord

# Two plans of one worth differ by what the solver's search leaves open.
SAME = 1e-6


def earns(run: RunRecord, units: Units, greedy: Mapping[str, Any] | None = None) -> Section:
    """The section on what the plan earns; `greedy` are the greedy plan's figures, else those that the run holds."""
    facts = run.facts if greedy is None else {**run.facts, "greedy": greedy}
    today, scenarios = facts["today"], facts["scenarios"]
    sentences = [_profit(facts, units)]
    if scenarios:
        chance = percent(scenarios[0]["probability"])
        case = f"the most probable scenario, {scenarios[0]['scenario']} (probability {chance})"
        sentences.append("These figures are means over the scenarios.")
        sentences.append(f"What to do and what limits it are shown for {case}.")
    rate = facts["model"]["horizon"]["discount_rate"]
    if rate:
        sentences.append(f"Later money counts less: {percent(rate)} a {units.period}.")
    sentences.append(_proof(run, units))
    somewhere = " in some scenario" if scenarios else ""
    if broken := _unpinned(facts, today["broken"]):
        sentences.append(f"Leaving all as it is would break {_broken(broken)}{somewhere}.")
    sentences.extend(_greedy(facts, units))
    return Section("earns", "What it earns", tuple(sentences), (_table(facts, units),))


def _profit(facts: Mapping[str, Any], units: Units) -> str:
    profit, today = facts["profit"], facts["today"]["profit"]
    gain = profit - today
    so_much = f"The plan earns {units.worth(profit)} over {units.horizon}"
    if abs(gain) <= 1e-9 * max(1.0, abs(today)):
        return f"{so_much}: as much as if all stays as it is today."
    than = f"{units.worth(abs(gain))} {'more' if gain >= 0 else 'less'} than if all stays as it is today"
    if today > 0:
        than += f" ({'+' if gain >= 0 else '-'}{percent(abs(gain) / today)})"
    if gain < 0 and facts["objective"] > facts["today"]["objective"]:
        than += "; it pays all the same, by what counts beside profit (below)"
    return f"{so_much}: {than}."


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
    how = "which takes, year by year, the best ratio of gain to scarce capacity first".replace(
        "year", facts["instance"]["period"]
    )
    gain, size = facts["objective"] - greedy["objective"], max(1.0, abs(facts["objective"]))
    counting = "All counted that the plan is judged by, it" if _weighs_more(facts) else "It"
    missed = _unpinned(facts, greedy["broken"])
    somewhere = " in some scenario" if facts["scenarios"] else ""
    broken = [f"The greedy plan breaks {_broken(missed)}{somewhere}."] if missed else []
    if abs(gain) <= SAME * size:
        return [f"{counting} is worth as much as the greedy plan, {how}.", *broken]
    more = f"{units.worth(abs(gain))} {'more' if gain > 0.0 else 'less'}"
    return [f"{counting} is worth {more} than the greedy plan, {how}.", *broken]


def _weighs_more(facts: Mapping[str, Any]) -> bool:
    """Whether the plan is judged by more than its profit."""
    return bool(abs(facts["objective"] - facts["profit"]) > 1e-6 * max(1.0, abs(facts["objective"])))


def _unpinned(facts: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Limits without pins and locks: these say what this plan has to be, not what is allowed."""
    pinned = set((facts.get("pins") or {"names": ()})["names"])
    return [row for row in rows if row["rule"] not in pinned]


def _broken(rows: list[Mapping[str, Any]]) -> str:
    rules = names(sorted({f"{row['rule']} {row['subject']}".strip() for row in rows}))
    return f"{counted(len(rows), 'limit')} ({rules})"


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
    if facts["penalties"] or greedy.get("penalties"):
        missed = greedy.get("penalties")
        theirs = None if missed is None else -missed
        figures.append(("penalties for missed rules", 0.0, theirs, -facts["penalties"]))
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
