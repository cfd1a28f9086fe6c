"""A tariff test in words and tables: the given tariff beside today's and the best one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from cpm_opt.estimates.value.model_estimate import NORMAL_95
from cpm_opt.formulation.audit import RuleRow
from cpm_opt.report.explanation import NUMBER, SHARE, Cell, Column, Explanation, Section, Table
from cpm_opt.report.limits import SENSES
from cpm_opt.report.ways_out import ways_out
from cpm_opt.report.words import Units, amount, counted, names, percent
from cpm_opt.runs.money import unit_words
from cpm_opt.study.tariff_trial import Outcome, Trial
from cpm_opt.study.trial_error import even_margin, gain_error

# A resource is strained from this share of what is usable on.
STRAINED = 0.95
COLUMNS = ("as_is", "today", "tariff", "best")
HEADINGS = ("as things are", "today's tariff", "given tariff", "best tariff")
# Figures of which a reader is told only where there are any; rules besides those of table balance.
LEFT_OUT = frozenset({"end_value", "penalties", "churn"})
PORTFOLIO_RULES = frozenset({"cash", "concentration"})
NO_PLAN = {
    "infeasible": "No plan keeps all the rules with this tariff.",
    "unbounded": "With this tariff the profit can grow without end, so there is nothing to compare.",
    "no_solution": "The time ran out before any plan with this tariff was found; allow more with --time-limit.",
}


def trial_facts(trial: Trial) -> dict[str, object]:
    """The test as JSON-ready fields."""
    p, error = trial.problem.portfolio, gain_error(trial)
    return {
        "status": trial.status,
        "fix": list(trial.fix),
        "forbid": list(trial.forbid),
        "service": "stays" if trial.what_if else "answers",
        "conflict": list(trial.conflict),
        "figures": _dicts(_figures(trial)),
        "rules": _dicts(rules_table(trial)),
        "segments": _dicts(_segments(trial)),
        "capacity": _dicts(_capacity(trial)),
        "broken": [
            {
                "rule": row.rule,
                "subject": row.subject,
                "period": row.period,
                "missed_by": -row.slack,
                "unit": unit_words(p, row.unit),
            }
            for row in trial.broken
        ],
        "break_even_response": trial.break_even,
        "response_stated": trial.has_response,
        "gain_error": None if error is None else error._asdict(),
        "break_even_margin": even_margin(trial),
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
            sentences.extend(ways_out(trial.conflict, trial.problem.spec.components))
            sentences.append("With --what-if it is reckoned anyway, and what breaks is told.")
        return Explanation("", trial.status, title, (Section("tariff", "No answer", tuple(sentences)),))
    sections = [
        Section("tariff", "What the tariff does", tuple(_verdict(trial, units)), (_figures(trial, units),)),
        Section("segments", "By segment", (), (_segments(trial).without(_empty),)),
        *_rules_section(trial),
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
    money = Units.of_portfolio(trial.problem.portfolio).money
    people, taken = "customers", 1.0 if units is None else -1.0  # a reader adds the figures up
    figures: tuple[_Figure, ...] = (
        ("profit", "profit", money, lambda o: o.profit),
        ("end_value", "value of the customers at the end", money, lambda o: o.end_value),
        ("penalties", "penalties for missed rules", money, lambda o: taken * o.penalties),
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
        *_measures(trial),
    )
    rows: list[tuple[Cell, ...]] = []
    for key, label, unit, read in figures:
        values = [None if outcome is None else float(read(outcome)) for outcome in _outcomes(trial)]
        before = None if trial.before is None else float(read(trial.before))
        change = None if values[2] is None or before is None else values[2] - before
        if key in LEFT_OUT and units is not None and not any(values):
            continue
        rows.append((label if units is not None else key, *values, change, unit))
    columns = (
        Column("figure", "figure"),
        *(Column(key, heading, NUMBER) for key, heading in zip(COLUMNS, HEADINGS, strict=True)),
        Column("difference", "given against today's", NUMBER),
        Column("unit", "unit"),
    )
    return Table("figures", columns, tuple(rows))


_Figure = tuple[str, str, str, Callable[[Outcome], float]]


def _measures(trial: Trial) -> Iterator[_Figure]:
    """A figure for each measure of the instance: what it comes to in a period, the mean over the horizon."""

    def total(name: str) -> Callable[[Outcome], float]:
        return lambda outcome: float(outcome.measure(name).sum())

    for name, title, unit in own_measures(trial):
        yield name, title, unit, total(name)


def own_measures(trial: Trial) -> Iterator[tuple[str, str, str]]:
    """Name, title and unit of each measure that the instance declares and its tables hold; a mean of the periods."""
    p, told = trial.problem.portfolio, trial.problem.tables.info.measures
    for name in (each for each in p.flows if each in told):
        title = f"{told[name].title or name}, mean of a {p.period_name}"
        yield name, title, unit_words(p, p.measure_units[name]) or "units"


def _segments(trial: Trial) -> Table:
    columns = [Column("segment", "segment")]
    money = Units.of_portfolio(trial.problem.portfolio).money
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


def _empty(cells: Sequence[Cell]) -> bool:
    """Whether a column of figures holds nothing but zeros."""
    return all(cell == 0 for cell in cells)


def rules_table(trial: Trial) -> Table:
    """Each rule on the portfolio in the period in which the given tariff comes nearest to its limit, or breaks it most;
    a rule on a share or a mean as it is stated. Of several scenarios, in the most probable."""
    columns = (
        Column("rule", "rule"),
        Column("period", trial.problem.portfolio.period_name),
        *(Column(key, heading, NUMBER) for key, heading in zip(COLUMNS, HEADINGS, strict=True)),
        Column("sense", "has to be"),
        Column("limit", "limit", NUMBER),
        Column("unit", "unit"),
    )
    outcomes = _outcomes(trial)
    found = [
        {} if outcome is None else {row.key: row for row in outcome.recounts[0].rows} for outcome in outcomes
    ]
    named = {rule.name for rule in trial.problem.portfolio.balance} | PORTFOLIO_RULES
    nearest: dict[tuple[str, str], RuleRow] = {}
    for key, row in found[COLUMNS.index("tariff")].items():
        if row.rule in named:
            nearest[key[:2]] = min(nearest.get(key[:2], row), row, key=_room)
    rows: list[tuple[Cell, ...]] = []
    for row in nearest.values():
        values = (each.get(row.key) for each in found)
        cells = [None if each is None else each.ratio if row.basis else each.value for each in values]
        words = unit_words(trial.problem.portfolio, row.unit)
        unit = {"share": "share", "mean": f"{words} a customer"}.get(row.basis, words)
        limit = row.stated if row.basis else row.limit
        rows.append((f"{row.rule} {row.subject}".strip(), row.period, *cells, row.sense, limit, unit))
    return Table("rules", columns, tuple(rows))


def _room(row: RuleRow) -> float:
    """Room left before the limit, as a part of it."""
    return row.slack / max(1.0, abs(row.limit))


def _rules_section(trial: Trial) -> list[Section]:
    """The rules for a reader: shares in percent; nothing where there are none."""
    table = rules_table(trial)
    if not table.rows:
        return []
    shown = []
    for rule, period, *values, sense, limit, unit in table.rows:
        share = unit == "share"
        cells = [percent(each) if share and isinstance(each, float) else each for each in (*values, limit)]
        shown.append((rule, period, *cells[:-1], SENSES.get(str(sense), sense), cells[-1], unit))
    return [Section("rules", "Rules, where nearest to the limit", (), (replace(table, rows=tuple(shown)),))]


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
    return [*sentences, *_response_words(trial, units)]


def _rules(rows: Sequence[RuleRow]) -> list[str]:
    return sorted({f"{row.rule} {row.subject}".strip() for row in rows})


def _response_words(trial: Trial, units: Units) -> list[str]:
    """How sure the gain is, and what would make it nothing."""
    told = _error_words(trial, units)
    margin = even_margin(trial)
    if margin:
        more = "more" if margin > 0.0 else "less"
        told.append(
            f"It breaks even where each customer on something else brings {units.worth(abs(margin))} a {units.period} "
            f"{more} than estimated."
        )
    if not trial.has_response:
        told.append(
            "That customers leave or move because of it is not stated (no rows of migration_effects)."
        )
    elif trial.break_even is None:
        told.append(
            "However strongly customers answer to it, within what rates allow, the verdict stays the same."
        )
    else:
        times = f"{amount(trial.break_even)} times as strongly as estimated"
        told.append(f"It breaks even where customers answer to it {times}, all else kept.")
    return told


def _error_words(trial: Trial, units: Units) -> list[str]:
    """The interval of the gain by the standard errors of the effects; nothing where none are stated."""
    error, tried, before = gain_error(trial), trial.tried, trial.before
    if error is None or tried is None or before is None:
        return []
    gain = tried.objective - before.objective
    near, far = (
        f"{amount(gain - NORMAL_95 * size)} to {units.worth(gain + NORMAL_95 * size)}" for size in error
    )
    told = f"By the standard errors of the effects on margin (margin_se) the difference is {near} in 95 of 100 cases"
    if error.most > error.independent * (1.0 + 1e-9):
        told += (
            f" if their errors are independent of each other, and at most {far} whatever they have in common"
        )
    return [f"{told}."]


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
