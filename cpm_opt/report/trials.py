"""A tariff test in words and tables: the given tariff beside today's and the best one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cpm_opt.formulation.audit import RuleRow
from cpm_opt.report.explanation import NUMBER, SHARE, Cell, Column, Explanation, Section, Table
from cpm_opt.report.words import Units, amount, counted, names, percent
from cpm_opt.study.tariff_trial import Outcome, Trial

# A resource is strained from this share of what is usable on.
STRAINED = 0.95
COLUMNS = ("as_is", "today", "tariff", "best")
NO_PLAN = {
    "infeasible": "No plan keeps all the rules with this tariff.",
    "unbounded": "With this tariff the profit can grow without end, so there is nothing to compare.",
    "no_solution": "The time ran out before any plan with this tariff was found; allow more with --time-limit.",
}


def trial_facts(trial: Trial) -> dict[str, object]:
    """The test as JSON-ready fields."""
    p = trial.problem.portfolio
    return {
        "status": trial.status,
        "fix": list(trial.fix),
        "forbid": list(trial.forbid),
        "service": "stays" if trial.what_if else "answers",
        "conflict": list(trial.conflict),
        "figures": _dicts(_figures(trial)),
        "segments": _dicts(_segments(trial)),
        "capacity": _dicts(_capacity(trial)),
        "broken": [
            {
                "rule": row.rule,
                "subject": row.subject,
                "period": row.period,
                "missed_by": -row.slack,
                "unit": row.unit,
            }
            for row in trial.broken
        ],
        "break_even_response": trial.break_even,
        "response_stated": trial.has_response,
        "chance_of_loss": trial.chance_of_loss,
        "chance_of_less_profit": trial.chance_of_less_profit,
        "scenarios": _dicts(_scenarios(trial)),
        "best_status": trial.best_status or None,
        "instance": trial.problem.tables.info.name,
        "model": trial.problem.spec.name,
        "currency": p.currency,
        "money_unit": p.money_unit,
    }


def trial_report(trial: Trial) -> Explanation:
    """The test for a reader."""
    p = trial.problem.portfolio
    units = Units.of_portfolio(p)
    title = f"Tariff test, model {trial.problem.spec.name}: {p.title or p.name}"
    if trial.tried is None:
        sentences = [
            NO_PLAN.get(trial.status, "A plan was found but did not pass its check, so it is not shown.")
        ]
        if trial.conflict:
            sentences.append(f"In its way: {names(trial.conflict, 20)}.")
            sentences.append("With --what-if it is reckoned anyway, and what breaks is told.")
        return Explanation("", trial.status, title, (Section("tariff", "No answer", tuple(sentences)),))
    sections = [
        Section("tariff", "What the tariff does", tuple(_verdict(trial, units)), (_figures(trial, units),)),
        Section("segments", "By segment", (), (_segments(trial, units),)),
        _strain(trial),
    ]
    if trial.scenarios:
        sections.append(_chances(trial, units))
    return Explanation("", trial.status, title, tuple(sections))


def _dicts(table: Table) -> object:
    return table.as_dict()["rows"]


def _outcomes(trial: Trial) -> tuple[Outcome | None, ...]:
    return trial.as_is, trial.today, trial.tried, trial.best


def _figures(trial: Trial, units: Units | None = None) -> Table:
    """One row a figure: as things are, today's tariff, the given one, the best, and what the given one changes."""
    money = units.money if units is not None else trial.problem.portfolio.currency
    people = "customers"
    figures = (
        ("profit", "profit", money, lambda o: o.profit),
        ("end_value", "value of the customers at the end", money, lambda o: o.end_value),
        ("penalties", "penalties for missed rules", money, lambda o: o.penalties),
        ("objective", "all that counts", money, lambda o: o.objective),
        ("margin", "margin before resources and fixed costs", money, lambda o: float(o.margin.sum())),
        (
            "customers",
            "customers at the end",
            people,
            lambda o: float(o.customers[o.portfolios[0].active].sum()),
        ),
        ("churn", "customers who leave", people, lambda o: float(o.churn.sum())),
        ("moved", "customers on something else than today", people, lambda o: float(o.moved.sum())),
    )
    rows: list[tuple[Cell, ...]] = []
    for key, label, unit, read in figures:
        values = [None if outcome is None else float(read(outcome)) for outcome in _outcomes(trial)]
        before = None if trial.before is None else float(read(trial.before))
        change = None if values[2] is None or before is None else values[2] - before
        if key == "penalties" and units is not None and not any(values):
            continue
        rows.append((label if units is not None else key, *values, change, unit))
    headings = ("as things are", "today's tariff", "given tariff", "best tariff")
    columns = (
        Column("figure", "figure"),
        *(Column(key, heading, NUMBER) for key, heading in zip(COLUMNS, headings, strict=True)),
        Column("difference", "given against today's", NUMBER),
        Column("unit", "unit"),
    )
    return Table("figures", columns, tuple(rows))


def _segments(trial: Trial, units: Units | None = None) -> Table:
    columns = [Column("segment", "segment")]
    money = units.money if units is not None else trial.problem.portfolio.currency
    words = {
        "margin": ("margin", money),
        "customers": ("at the end", ""),
        "churn": ("who leave", ""),
    }
    for key, (heading, unit) in words.items():
        columns.append(Column(f"{key}_today", f"{heading}, today", NUMBER, unit))
        columns.append(Column(key, f"{heading}, given", NUMBER, unit))
    columns.append(Column("moved", "on something else", NUMBER))
    rows: list[tuple[Cell, ...]] = []
    before, tried = trial.before, trial.tried
    if before is not None and tried is not None:
        each = [getattr(outcome, key) for key in words for outcome in (before, tried)]
        for position, segment in enumerate(trial.problem.portfolio.segments):
            rows.append(
                (segment, *(float(values[position]) for values in each), float(tried.moved[position]))
            )
    return Table("segments", tuple(columns), tuple(rows))


def _capacity(trial: Trial, only_strained: bool = False) -> Table:
    """Use of each limited resource and period with the given tariff and before, and what is usable."""
    columns = (
        Column("resource", "resource"),
        Column("period", trial.problem.portfolio.period_name),
        Column("use_today", "use, today", NUMBER),
        Column("use", "use, given", NUMBER),
        Column("usable", "usable", NUMBER),
        Column("share", "share in use", SHARE),
        Column("unit", "unit"),
    )
    rows: list[tuple[Cell, ...]] = []
    if trial.tried is not None and trial.before is not None and "capacity" in trial.problem.spec.components:
        use, before = (outcome.mean(lambda _, __, r: r.use) for outcome in (trial.tried, trial.before))
        r = trial.problem.portfolio.resources
        extra = trial.tried.mean(lambda _, d, __: d.extra)
        usable = r.max_utilisation * (np.where(np.isfinite(r.capacity), r.capacity, np.nan) + extra)
        for i, t in np.argwhere(np.isfinite(r.capacity)).tolist():
            limit, used = float(usable[i, t]), float(use[i, t])
            share = used / limit if limit > 0.0 else None
            if only_strained and (share is None or share < STRAINED) and not (limit <= 0.0 < used):
                continue
            rows.append((r.names[i], t + 1, float(before[i, t]), used, limit, share, r.units[i]))
    return Table("capacity", columns, tuple(rows))


def _scenarios(trial: Trial, units: Units | None = None) -> Table:
    money = units.money if units is not None else ""
    columns = (
        Column("scenario", "scenario"),
        Column("probability", "probability", SHARE),
        Column("profit_today", "profit, today", NUMBER, money),
        Column("profit", "profit, given", NUMBER, money),
        Column("objective_today", "all that counts, today", NUMBER, money),
        Column("objective", "all that counts, given", NUMBER, money),
    )
    rows = tuple(
        (each.name, each.probability, each.profit_today, each.profit, each.objective_today, each.objective)
        for each in trial.scenarios
    )
    return Table("scenarios", columns, rows)


def _verdict(trial: Trial, units: Units) -> list[str]:
    tried, before, best = trial.tried, trial.before, trial.best
    assert tried is not None
    assert before is not None
    stays = "everything else stays as it is today" if trial.what_if else "the service part answers as is best"
    sentences = [f"Given: {names([*trial.fix, *(f'not {pin}' for pin in trial.forbid)], 20)}; {stays}."]
    against = "today's tariff" if trial.today is not None else "leaving all as it is"
    change = tried.objective - before.objective
    if abs(change) <= 1e-6 * max(1.0, abs(before.objective)):
        sentences.append(f"It is worth as much as {against}.")
    else:
        more = "more" if change > 0 else "less"
        sentences.append(f"All in all it is worth {units.worth(abs(change))} {more} than {against}.")
    if trial.today is None:
        sentences.append(
            "Today's tariff cannot be kept under the rules, so things as they are stand in its place."
        )
    if best is not None:
        short = max(0.0, best.objective - tried.objective)
        proven = "" if trial.best_status == "optimal" else " found in the time"
        sentences.append(f"The best tariff{proven} is worth {units.worth(short)} more than the given one.")
    if trial.broken:
        rules = _rules(trial.broken)
        already = [rule for rule in _rules(before.broken) if rule in rules]
        too = f" (as things are, {names(already, 10)} {'is' if len(already) == 1 else 'are'} broken, too)"
        sentences.append(
            f"It breaks {counted(len(rules), 'rule')}: {names(rules, 10)}{too if already else ''}."
        )
    return [*sentences, *_response_words(trial)]


def _rules(rows: Sequence[RuleRow]) -> list[str]:
    return sorted({f"{row.rule} {row.subject}".strip() for row in rows})


def _response_words(trial: Trial) -> list[str]:
    if not trial.has_response:
        return [
            "No answer of customers to the change is stated (migration_effects), so there is no break-even of it."
        ]
    if trial.break_even is None:
        return [
            "However strongly customers answer to it, within what rates allow, the verdict stays the same."
        ]
    times = f"{amount(trial.break_even)} times as strongly as estimated"
    return [f"It breaks even where customers answer to it {times}, all else kept."]


def _strain(trial: Trial) -> Section:
    table = _capacity(trial, True)
    if not table.rows:
        sentence = f"No resource is in use by {percent(STRAINED)} or more of what is usable."
        return Section("capacity", "Capacity strained", (sentence,))
    return Section("capacity", "Capacity strained", (), (table,))


def _chances(trial: Trial, units: Units) -> Section:
    loss, less = trial.chance_of_loss or 0.0, trial.chance_of_less_profit or 0.0
    sentences = [
        f"The chance that the change is worth less than no change is {percent(loss)}; that the profit of the "
        f"{units.period}s alone falls, {percent(less)}."
    ]
    if "risk" not in trial.problem.spec.components:
        sentences.append("What was decided for the expected case is carried through each scenario as it is.")
    return Section("scenarios", "If things turn out otherwise", tuple(sentences), (_scenarios(trial, units),))
