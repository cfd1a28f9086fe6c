"""What would change the advice, in words: nearest alternatives, flip points, what knowing better is worth."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cpm_opt.report.explanation import NUMBER, PERIODS, Cell, Column, Section, Table
from cpm_opt.report.words import Range, Units, amount, counted

if TYPE_CHECKING:
    from cpm_opt.study.advice import Advice, Choice

# So many choices are told in sentences; the table has all.
MOST_SENTENCES = 5
# What doing without a choice costs is nothing up to this share of what the plan is worth.
NOTHING = 1e-8
FLIPS_TITLE = "What would change the advice"
INDEPENDENT = "if the errors of its segments are independent of each other"
ALONE_NOTE = (
    "How far off a flip is counts the error of one effect, all others as estimated; where options were estimated "
    "together, as on one curve, their errors go together, and that is not in the tables."
)
NO_FLIPS_NOTE = (
    "How far estimates may err is not told for this plan: bad scenarios weigh more in it than others, or its "
    "profit does not count."
)


def advice_of(told: Mapping[str, Any]) -> Advice:
    """The advice as run.json holds it."""
    from cpm_opt.study.advice import Advice, Choice

    choices = tuple(Choice(**{**each, "periods": tuple(each["periods"])}) for each in told["choices"])
    return Advice(**{**told, "choices": choices})


def flips_section(advice: Advice, units: Units, scopes: dict[str, str]) -> Section:
    """The section; `scopes` gives each lever's scope, by which its groups are named."""
    nothing = NOTHING * max(1.0, abs(advice.objective))
    sentences = [_sentence(choice, units, scopes, nothing) for choice in advice.choices[:MOST_SENTENCES]]
    if not advice.choices and not advice.left:
        sentences.append("Nothing is left to choose.")
    if not advice.flips and advice.choices:
        sentences.append(NO_FLIPS_NOTE)
    late = advice.out_of_time and any(each.cost is not None and each.flip is None for each in advice.choices)
    if late and advice.flips:
        sentences.append("There was no time to find all flip points; --time-limit allows more.")
    if any(_away(each)[0] is not None and (each.cost or 0.0) > nothing for each in advice.choices):
        sentences.append(ALONE_NOTE)
    if advice.left:
        why = "the time ran out" if advice.out_of_time and not advice.choices else "--flips N looks into more"
        sentences.append(
            f"{counted(advice.left, 'further choice')} with less money at stake not looked into ({why})."
        )
    columns = (
        Column("lever", "decision"),
        Column("who", "for whom"),
        Column("option", "on option"),
        Column("periods", f"{units.period}s", PERIODS),
        Column("alternative", "next best"),
        Column("cost", "costs", NUMBER, units.money),
        Column("about", "flips with effect of"),
        Column("effect", "estimated", NUMBER, _per(units)),
        Column("begins", "begins to change at", NUMBER, _per(units)),
        Column("flip", "flips at", NUMBER, _per(units)),
        Column("standard_errors", "standard errors away", NUMBER),
        Column("standard_errors_least", "whatever errors have in common, at least", NUMBER),
        Column("worth_knowing", "knowing it is worth at most", NUMBER, units.money),
        Column("worth_knowing_most", "whatever errors have in common, at most", NUMBER, units.money),
    )
    rows = [_row(choice, scopes) for choice in advice.choices]
    filled = [place for place in range(len(columns)) if any(row[place] not in (None, "") for row in rows)]
    shown = tuple(tuple(row[place] for place in filled) for row in rows)
    tables = (Table("flips", tuple(columns[place] for place in filled), shown),) if rows else ()
    return Section("flips", FLIPS_TITLE, tuple(sentences), tables)


def _per(units: Units) -> str:
    return f"{units.money} per customer and {units.period}"


def _row(choice: Choice, scopes: dict[str, str]) -> tuple[Cell, ...]:
    periods = Range(min(choice.periods), max(choice.periods)) if choice.periods else None
    away, least = _away(choice)
    known = choice.flip is not None
    return (
        choice.lever,
        _who(choice, scopes),
        choice.option,
        periods,
        choice.alternative or ("" if choice.cost is not None else "none possible"),
        choice.cost,
        choice.about,
        choice.effect if known else None,
        choice.begins,
        choice.flip,
        away,
        None if away == least else least,
        None if choice.worth_knowing is None else _rounded_up(choice.worth_knowing),
        None if _most(choice) == (choice.worth_knowing or 0.0) else _rounded_up(_most(choice)),
    )


def _away(choice: Choice) -> tuple[float | None, float | None]:
    """How many standard errors the flip is away, and at least, however the errors of segments go together."""
    if choice.flip is None or not choice.error:
        return None, None
    apart, most = abs(choice.flip - choice.effect), max(choice.error, choice.error_most or 0.0)
    return apart / choice.error, apart / most


def _most(choice: Choice) -> float:
    """What knowing the effect is worth at most, however the errors of segments go together."""
    return max(choice.worth_knowing or 0.0, choice.worth_knowing_most or 0.0)


def _who(choice: Choice, scopes: dict[str, str]) -> str:
    scope = scopes.get(choice.lever, "segment")
    if scope == "all":
        return "everybody"
    return choice.who if scope == "segment" else f"{scope} {choice.who}"


def _sentence(choice: Choice, units: Units, scopes: dict[str, str], nothing: float) -> str:
    """One choice: keep it, unless; what else; what knowing is worth."""
    keep = f"{choice.lever}: keep {_who(choice, scopes)} on {choice.option}"
    if choice.cost is None:
        return f"{keep}: no plan that keeps the rules does without it."
    if choice.cost <= nothing:
        other = f" ({choice.alternative} instead)" if choice.alternative else ""
        return f"{choice.lever}: {_who(choice, scopes)} on {choice.option}: to do without it{other} costs nothing."
    grouped = scopes.get(choice.lever, "segment") != "segment"
    parts = [keep + _unless(choice, units, grouped)]
    if choice.alternative:
        parts.append(f"the next best is {choice.alternative}, which is worth {units.worth(choice.cost)} less")
    else:
        parts.append(f"the best plan without it is worth {units.worth(choice.cost)} less")
    if choice.worth_knowing is not None:
        parts.append(f"knowing the effect exactly would be worth {_known(choice, units)}")
    return "; ".join(parts) + "."


def _known(choice: Choice, units: Units) -> str:
    """What knowing the effect is worth: a bound in any case, and one for how its errors are taken to go together."""
    worth, most = _rounded_up(choice.worth_knowing or 0.0), _rounded_up(_most(choice))
    if most == 0.0:
        return "next to nothing"
    if worth == most:
        return f"at most {units.worth(most)}"
    less = "next to nothing" if worth == 0.0 else f"{amount(worth)}"
    return f"at most {units.worth(most)} ({less} {INDEPENDENT})"


def _unless(choice: Choice, units: Units, grouped: bool) -> str:
    """The flip of the effect, as the end of a sentence; empty where it is not known. Of a group the effect is the mean
    over its customers (`grouped`)."""
    if choice.flip is None:
        return ""
    now = f"now {amount(choice.effect)}"
    away, least = _away(choice)
    if away is not None and least is not None:
        told, worst = amount(round(away, 1)), amount(round(least, 1))
        now += f"; {told} standard errors away"
        if told != worst:
            now = f"now {amount(choice.effect)}; at least {worst} standard errors away, {told} {INDEPENDENT}"
    per = f"{_per(units)} ({now})"
    if grouped:
        per += ", a mean over the group: the same change in money applies to each of its segments"
    if choice.about != choice.option:
        return f" unless {choice.about} changes margin by more than {amount(choice.flip)} {per}"
    fewer = ""
    if choice.begins is not None and abs(choice.begins - choice.flip) > 1e-6 * max(1.0, abs(choice.flip)):
        fewer = f", with fewer customers on it from {amount(choice.begins)} down"
    return f" unless its effect on margin is below {amount(choice.flip)} {per}{fewer}"


def _rounded_up(value: float) -> float:
    """A bound with two digits, still a bound; nothing below a hundredth."""
    if value < 0.01:
        return 0.0
    digit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return math.ceil(value / digit - 1e-9) * digit
