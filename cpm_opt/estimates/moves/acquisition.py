"""New customers by type: table arrivals, or moves out of a segment of prospects and what options do to them.

In: raw table acquisitions, `[estimates.acquisition]`. Out: `NewCustomers`, checked frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cpm_opt.estimates.moves.answer_rules import AcquisitionRules
from cpm_opt.estimates.moves.attraction import INTERVENTIONS, Attraction, fit_attraction
from cpm_opt.estimates.response.lever_rules import LeverRules
from cpm_opt.estimates.response.lever_terms import idle_keys
from cpm_opt.estimates.settings import ResponseRules, rule_fault
from cpm_opt.estimates.uncertainty.draws import Draws, factors, key, normal_draws
from cpm_opt.faults import Fault, InputError, did_you_mean, shown
from cpm_opt.tables import Tables, check_frame

if TYPE_CHECKING:
    import pandas as pd

Numbers = NDArray[np.float64]

ACQUISITIONS, ARRIVALS, MIGRATION, EFFECTS = "acquisitions", "arrivals", "migration", "migration_effects"
OWN = ""
STEP = 1e-4  # of a standard error, for slopes by the parameters


@dataclass(frozen=True)
class NewCustomers:
    """`frames`: those that are made or changed; `faults` are warnings; `notes`."""

    frames: Mapping[str, pd.DataFrame]
    faults: tuple[Fault, ...]
    notes: tuple[str, ...]


def new_customers(
    tables: Tables, frames: Mapping[str, pd.DataFrame], response: ResponseRules, rules: AcquisitionRules
) -> NewCustomers:
    """Who comes, by the mix of the own firm's new customers, `rules.customers` in a period.

        arrivals[k, t]       = customers mix_k(x)                                           with `periods`
        rate[prospects, k]   = customers / prospects mix_k(x)                               with `prospects`
        change by an option  = customers / prospects (mix_k(x with the option) - mix_k(x))

    x: what stands today (`at`, levers on their base), else the means. How many come is stated, so an option changes who
    they are and not how many. Raises InputError with every fault.
    """
    types = fit_attraction(frames[ACQUISITIONS][frames[ACQUISITIONS]["firm"] == OWN])
    if not types:
        message = "holds no row of the own firm, whose firm is blank"
        raise InputError([Fault(ACQUISITIONS, message, "add them, or leave [estimates.acquisition] out",
                                column="firm", code="no-own-firm")])  # fmt: skip
    (fit,) = types
    levers = response.of(ACQUISITIONS)
    faults = [
        *_type_faults(fit, frames["segments"]),
        *_at_faults(rules),
        *_lever_faults(levers, frames, fit, rules),
    ]
    if not fit.model.converged and levers:
        faults.append(Fault(ACQUISITIONS, f"whom levers attract cannot be fitted: {fit.model.message}",
                            "leave the levers out", code="not-converged"))  # fmt: skip
    if faults:
        raise InputError(faults)
    x = _today(fit, rules, levers, frames)
    mix, error = _mix(fit, x, frames[ACQUISITIONS])
    told = (
        f"new customers: {rules.customers:g} a period, who they are by {fit.model.n} rows of {ACQUISITIONS}"
    )
    doubts = _outside(fit, x, levers, frames[ACQUISITIONS])
    if rules.prospects is None:
        made = _arrivals(tables, fit, rules, mix, told)
    else:
        made = _out_of_prospects(tables, frames, fit, rules, levers, (x, mix, error), told)
    return replace(made, faults=(*made.faults, *doubts))


def mix_draws(
    frames: Mapping[str, pd.DataFrame],
    response: ResponseRules,
    rules: AcquisitionRules,
    count: int,
    seed: tuple[int, ...],
) -> Draws | None:
    """Joint draws of the mix: `arrivals.customers` by segment, or what options do to moves out of the prospects.

    None without a curve, and with prospects and no lever: table scenarios has no key for where prospects go. Money: new
    customers times margin.
    """
    (fit,) = fit_attraction(frames[ACQUISITIONS][frames[ACQUISITIONS]["firm"] == OWN])
    levers = response.of(ACQUISITIONS)
    if not fit.model.converged or (rules.prospects is not None and not levers):
        return None
    x = _today(fit, rules, levers, frames)
    drawn = normal_draws(fit.values.ravel(), fit.covariance, count, seed)
    mix, mixes = fit.mix(x), fit.mixes(x, drawn)
    margin = (
        frames["segments"].set_index("segment")["margin"].reindex(list(fit.types)).to_numpy(dtype=np.float64)
    )
    keys: list[Mapping[str, str]] = []
    found: list[Numbers] = []
    money: list[Numbers] = []
    if rules.prospects is None:
        for k, name in enumerate(fit.types):
            keys.append(key(f"{ARRIVALS}.customers", name))
            found.append(mixes[:, k] / mix[k])
            money.append(rules.customers * mixes[:, k] * margin[k])
    for lever in levers:
        for option, there in _settings(fit, x, lever):
            change, changes = fit.mix(there) - mix, fit.mixes(there, drawn) - mixes
            keys.append(key(f"{EFFECTS}.rate", str(rules.prospects), lever.lever, option))
            found.append(factors(changes, change)[0])
            money.append(rules.customers * changes @ margin)
    return Draws(tuple(keys), np.column_stack(found), np.column_stack(money)) if keys else None


def _settings(fit: Attraction, x: Numbers, lever: LeverRules) -> list[tuple[str, Numbers]]:
    """Options that set an intervention otherwise than `x`, and all interventions then."""
    place = fit.interventions.index(str(lever.term))
    found = []
    for option, value in lever.options.items():
        there = x.copy()
        there[place] = float(value)
        if (there != x).any():
            found.append((option, there))
    return found


def _arrivals(
    tables: Tables, fit: Attraction, rules: AcquisitionRules, mix: Numbers, told: str
) -> NewCustomers:
    import pandas as pd

    rows = [
        {"segment": name, "period": period, "customers": rules.customers * mix[k]}
        for name, k in zip(fit.types, range(len(mix)), strict=True)
        for period in range(1, (rules.periods or 0) + 1)
    ]
    frame, faults = check_frame(ARRIVALS, pd.DataFrame(rows), tables.info)
    return NewCustomers({ARRIVALS: frame}, tuple(faults), (f"{told}; {ARRIVALS} of {rules.periods} periods",))


def _out_of_prospects(
    tables: Tables,
    frames: Mapping[str, pd.DataFrame],
    fit: Attraction,
    rules: AcquisitionRules,
    levers: tuple[LeverRules, ...],
    today: tuple[Numbers, Numbers, Numbers],
    told: str,
) -> NewCustomers:
    """Rows of migration and migration_effects from the prospects; all other moves stay as they are."""
    import pandas as pd

    x, mix, error = today
    segments, name = frames["segments"], str(rules.prospects)
    part = rules.customers / float(segments.loc[segments["segment"] == name, "customers"].iloc[0])
    others = [other for other in segments["segment"] if other != name]
    stay = pd.DataFrame({"from": others, "to": others, "rate": 1.0})
    old = frames.get(MIGRATION, stay)
    kept = old[old["from"] != name].drop(columns="line", errors="ignore")
    rows: list[dict[str, Any]] = [{"from": name, "to": name, "rate": 1.0 - part, "se": np.nan}]
    rows += [
        {"from": name, "to": kind, "rate": part * mix[k], "se": part * error[k]}
        for k, kind in enumerate(fit.types)
    ]
    made = {MIGRATION: pd.concat([kept, pd.DataFrame(rows)], ignore_index=True)}
    changes = [
        {"from": name, "to": kind, "lever": lever.lever, "option": option, "rate": part * change[k],
         "when": "in_force", "source": "estimated", "se": part * spread[k]}
        for lever in levers
        for option, change, spread in _changes(fit, x, lever)
        for k, kind in enumerate(fit.types)
    ]  # fmt: skip
    if changes:
        before = frames.get(EFFECTS)
        fresh = pd.DataFrame(changes)
        made[EFFECTS] = (
            fresh if before is None else pd.concat([before.drop(columns="line"), fresh], ignore_index=True)
        )
    checked: dict[str, pd.DataFrame] = {}
    faults: list[Fault] = []
    for table, frame in made.items():
        checked[table], wrong = check_frame(table, frame, tables.info)
        faults += wrong
    if any(not fault.warning for fault in faults):
        raise InputError(faults)
    return NewCustomers(checked, tuple(faults), (f"{told}; they come out of segment {name}",))


def _changes(fit: Attraction, x: Numbers, lever: LeverRules) -> list[tuple[str, Numbers, Numbers]]:
    """By option, the change of the mix against `x`, and its standard error by the delta method."""
    found = []
    for option, there in _settings(fit, x, lever):
        change = fit.mix(there) - fit.mix(x)
        found.append(
            (
                option,
                change,
                _error(fit, lambda values, at=there: fit.mixes(at, values) - fit.mixes(x, values)),
            )
        )
    return found


def _mix(fit: Attraction, x: Numbers, acquisitions: pd.DataFrame) -> tuple[Numbers, Numbers]:
    """Shares of the types with their errors; by counts where there is no curve."""
    if fit.model.converged:
        return fit.mix(x), _error(fit, lambda values: fit.mixes(x, values))
    own = acquisitions[acquisitions["firm"] == OWN]["segment"].value_counts()
    mix = np.array([float(own[name]) for name in fit.types]) / len(acquisitions)
    mix = mix / mix.sum()
    return mix, np.sqrt(mix * (1.0 - mix) / float(own.sum()))


def _error(fit: Attraction, figures: Any) -> Numbers:
    """Standard errors of figures of the parameters, by the delta method."""
    values = fit.values.ravel()
    size = np.sqrt(np.diag(fit.covariance)) * STEP
    slope = (figures(values + np.diag(size)) - figures(values - np.diag(size))) / (2.0 * size[:, None])
    variance = (slope * (fit.covariance @ slope)).sum(axis=0)
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)), dtype=np.float64)


def _today(
    fit: Attraction,
    rules: AcquisitionRules,
    levers: tuple[LeverRules, ...],
    frames: Mapping[str, pd.DataFrame],
) -> Numbers:
    """What stands today, by intervention: a lever's base, `at`, else the mean."""
    x = np.array([rules.at.get(what, mean) for what, mean in zip(fit.interventions, fit.at, strict=True)])
    for lever in levers:
        own = frames["options"][frames["options"]["lever"] == lever.lever]
        base = str(own.loc[own["base"], "option"].iloc[0])
        x[fit.interventions.index(str(lever.term))] = float(lever.options[base])
    return x


def _outside(
    fit: Attraction, x: Numbers, levers: tuple[LeverRules, ...], acquisitions: pd.DataFrame
) -> list[Fault]:
    """What stands today, and options, beyond what new customers of the own firm met."""
    own = acquisitions[acquisitions["firm"] == OWN]
    told = []
    for what, today in zip(fit.interventions, x.tolist(), strict=True):
        low, high = float(own[what].min()), float(own[what].max())
        planned = [(f"{what} of today", today)]
        planned += [
            (f"{lever.lever} {option}: {what}", float(value))
            for lever in levers
            if lever.term == what
            for option, value in lever.options.items()
            if float(value) != today
        ]
        for name, value in planned:
            if not low - 1e-9 <= value <= high + 1e-9:
                message = f"{name} {value:.4g} is outside what the data hold, {low:.4g} to {high:.4g}"
                told.append(Fault(ACQUISITIONS, message, "take one in between, or gather data there", column=what,
                                  code="outside-range", warning=True))  # fmt: skip
    return told


def _type_faults(fit: Attraction, segments: pd.DataFrame) -> list[Fault]:
    known = sorted(segments["segment"])
    return [
        Fault(ACQUISITIONS, f"type {shown(name)} is no segment of the plan", did_you_mean(name, known),
              column="segment", value=name, code="segments-differ")
        for name in fit.types
        if name not in known
    ]  # fmt: skip


def _at_faults(rules: AcquisitionRules) -> list[Fault]:
    return [
        rule_fault("acquisition.at", "is no intervention", did_you_mean(name, INTERVENTIONS), name)
        for name in rules.at
        if name not in INTERVENTIONS
    ]


def _lever_faults(
    levers: tuple[LeverRules, ...],
    frames: Mapping[str, pd.DataFrame],
    fit: Attraction,
    rules: AcquisitionRules,
) -> list[Fault]:
    faults = [] if rules.prospects is None else _prospect_faults(frames["segments"], rules)
    known = sorted(set(frames["options"]["lever"])) if "options" in frames else []
    place = "response.levers"
    for lever in levers:
        faults += idle_keys(lever)
        if rules.prospects is None:
            message = f"of lever {lever.lever} moves who comes, and table arrivals has no options"
            faults.append(
                rule_fault(f"{place}.from", message, "name acquisition.prospects instead of periods")
            )
        elif lever.lever not in known:
            remedy = did_you_mean(lever.lever, known)
            faults.append(rule_fault(f"{place}.lever", "is no lever of table options", remedy, lever.lever))
        elif lever.term not in fit.interventions:
            message = f"of lever {lever.lever} is no intervention that table acquisitions varies"
            remedy = f"name one of {', '.join(fit.interventions) or 'none'}"
            faults.append(rule_fault(f"{place}.term", message, remedy, lever.term))
        else:
            named = frames["options"][frames["options"]["lever"] == lever.lever]["option"].tolist()
            faults += [
                rule_fault(f"{place}.options", f"does not say what option {option} of lever {lever.lever} is",
                           f"write a number of {lever.term}, such as {{ {option} = 1 }}")
                for option in named
                if not isinstance(lever.options.get(option), int | float)
            ]  # fmt: skip
            faults += _two_todays(lever, frames, rules)
            faults += [
                rule_fault(
                    f"{place}.options",
                    f"is no option of lever {lever.lever}",
                    did_you_mean(option, named),
                    option,
                )
                for option in lever.options
                if option not in named
            ]
    return faults


def _two_todays(
    lever: LeverRules, frames: Mapping[str, pd.DataFrame], rules: AcquisitionRules
) -> list[Fault]:
    """`at` and the base of a lever both say what stands today."""
    own = frames["options"][frames["options"]["lever"] == lever.lever]
    base = str(own.loc[own["base"], "option"].iloc[0])
    term, stands = str(lever.term), lever.options.get(base)
    if term not in rules.at or stands == rules.at[term]:
        return []
    message = f"says {term} = {rules.at[term]:g}, but {base}, the base of lever {lever.lever}, is {stands}"
    remedy = f"leave {term} out of at, or correct one of the two"
    return [rule_fault("acquisition.at", message, remedy, rules.at[term])]


def _prospect_faults(segments: pd.DataFrame, rules: AcquisitionRules) -> list[Fault]:
    kinds = dict(zip(segments["segment"], segments["kind"], strict=True))
    if kinds.get(rules.prospects) != "prospect":
        known = sorted(name for name, kind in kinds.items() if kind == "prospect")
        remedy = did_you_mean(str(rules.prospects), known) if known else "give a segment of kind prospect"
        return [
            rule_fault("acquisition.prospects", "is no segment of kind prospect", remedy, rules.prospects)
        ]
    there = float(segments.loc[segments["segment"] == rules.prospects, "customers"].iloc[0])
    if rules.customers > there:
        message = f"is more than the {there:g} prospects of segment {rules.prospects}"
        return [
            rule_fault("acquisition.customers", message, "lower it, or correct the segment", rules.customers)
        ]
    return []
