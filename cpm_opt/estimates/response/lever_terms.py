"""What the options of levers are in a panel: which of its terms they set, in force and in the period of a change.

In: `[[estimates.response.levers]]` with `from = "panel"`, tables levers and options. Out: `LeverTerms`, or faults.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cpm_opt.estimates.moves.panel_design import PanelDesign
from cpm_opt.estimates.response.lever_rules import LeverRules
from cpm_opt.estimates.settings import rule_fault
from cpm_opt.faults import Fault, InputError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

Setting = Mapping[str, float | str]

PRICE, CHANGE = "price", "price_change"
TERMS = (PRICE, "service", "programme")
KEYS = ("lever", "source", "term", "options")
USUAL = ""  # what a blank cell of service or programme means


@dataclass(frozen=True)
class OptionTerms:
    """One option: the terms that it sets as long as it stands, and those besides in the period in which it comes
    (none where the panel cannot tell them, or the lever is a mix)."""

    lever: str
    option: str
    in_force: Setting
    on_change: Setting


@dataclass(frozen=True)
class LeverTerms:
    """`base`: every term that levers set, as things are today; `options`: all that are not the base of their lever,
    in the order of the table."""

    base: Setting
    options: tuple[OptionTerms, ...]

    @property
    def levers(self) -> tuple[str, ...]:
        """The levers that have options beside their base, in order."""
        return tuple(dict.fromkeys(option.lever for option in self.options))


def read_terms(
    rules: Sequence[LeverRules], frames: Mapping[str, pd.DataFrame], design: PanelDesign, panel: pd.DataFrame
) -> tuple[LeverTerms, tuple[Fault, ...]]:
    """The terms of all options, with a warning for each price beyond those of the panel.

    Raises InputError with every fault: an unknown lever, option or level, a term that the panel never varies, two
    levers for one term.
    """
    faults: list[Fault] = []
    base: dict[str, float | str] = {}
    found: list[OptionTerms] = []
    taken: dict[str, str] = {}
    for own in rules:
        wrong = [*_lever_faults(own, frames, design, taken), *idle_keys(own)]
        if not wrong:
            taken[str(own.term)] = own.lever
            read = _price if own.term == PRICE else _word
            setting, options, wrong = read(own, _options(own, frames), design, panel)
            base |= setting
            if any(option.on_change for option in options) and not _single(own, frames):
                options, wrong = [_standing(option) for option in options], [*wrong, _only_standing(own)]
            found += options
        faults += wrong
    if any(not fault.warning for fault in faults):
        raise InputError(faults)
    return LeverTerms(base, tuple(found)), tuple(faults)


def idle_keys(own: LeverRules) -> list[Fault]:
    """Faults of keys that say nothing of a lever from table panel or acquisitions."""
    return [
        rule_fault(
            f"response.levers.{name}",
            f"says nothing of lever {own.lever}, which comes from table {own.source}",
            "leave it out; such a lever has term and options",
            getattr(own, name),
        )
        for name in sorted(own.model_fields_set - set(KEYS))
    ]


def _only_standing(own: LeverRules) -> Fault:
    message = f"lever {own.lever} has choice mix, which has no answer to a change: price_change is left out"
    remedy = "give it choice single to have effects on_change"
    return Fault("levers", message, remedy, column="choice", code="on-change-left-out", warning=True)


def _standing(option: OptionTerms) -> OptionTerms:
    """Without the answer to a change, which a lever of choice mix cannot have."""
    return OptionTerms(option.lever, option.option, option.in_force, {})


def _options(own: LeverRules, frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    options = frames["options"]
    return options[options["lever"] == own.lever]


def _single(own: LeverRules, frames: Mapping[str, pd.DataFrame]) -> bool:
    levers = frames.get("levers")
    return levers is not None and bool(
        ((levers["lever"] == own.lever) & (levers["choice"] == "single")).any()
    )


def _lever_faults(
    own: LeverRules, frames: Mapping[str, pd.DataFrame], design: PanelDesign, taken: Mapping[str, str]
) -> list[Fault]:
    def fault(key: str, message: str, remedy: str, value: object) -> list[Fault]:
        return [rule_fault(f"response.levers.{key}", message, remedy, value)]

    known = sorted(set(frames["options"]["lever"])) if "options" in frames else []
    if own.lever not in known:
        return fault("lever", "is no lever of table options", did_you_mean(own.lever, known), own.lever)
    if own.term not in TERMS:
        remedy = 'write term = "price", "service" or "programme"'
        return fault("term", f"is needed of lever {own.lever}: what it moves in the panel", remedy, own.term)
    if own.term in taken:
        message = f"is moved by lever {taken[own.term]} already, and the panel cannot tell two apart"
        return fault("term", message, "leave one of them out", own.term)
    numbers = {PRICE: (PRICE, CHANGE)}.get(own.term, ())
    if not set(numbers) & set(design.numbers) and len(design.levels(own.term)) < 2:
        message = f"cannot be estimated: column {own.term} of table panel never varies"
        return fault("term", message, "leave the lever out, or state its effects", own.term)
    named = sorted(set(_options(own, frames)["option"]))
    return [
        told
        for option in own.options
        if option not in named
        for told in fault(
            "options", f"is no option of lever {own.lever}", did_you_mean(option, named), option
        )
    ]


def _price(
    own: LeverRules, options: pd.DataFrame, design: PanelDesign, panel: pd.DataFrame
) -> tuple[Setting, list[OptionTerms], list[Fault]]:
    """A price step: price = 1 + price_change of table options, unless `options` states it; the change against the
    base's price."""
    prices, faults = {}, []
    for option, change in zip(options["option"], options["price_change"], strict=True):
        stated = own.options.get(option, 1.0 + float(change))
        if isinstance(stated, str) or stated <= 0:
            remedy = "write a price, today's as 1"
            faults.append(rule_fault("response.levers.options", "is no price above 0", remedy, stated))
            continue
        prices[str(option)] = float(stated)
    base_name = str(options.loc[options["base"], "option"].iloc[0])
    if faults or base_name not in prices:
        return {}, [], faults
    today = prices[base_name]
    base = {name: value for name, value in ((PRICE, today), (CHANGE, 0.0)) if name in design.numbers}
    found = []
    for option, price in prices.items():
        if option == base_name:
            continue
        step = price / today - 1.0
        in_force = {PRICE: price} if PRICE in design.numbers else {}
        found.append(
            OptionTerms(own.lever, option, in_force, {CHANGE: step} if CHANGE in design.numbers else {})
        )
        for name, value in ((PRICE, price), (CHANGE, step)):
            if name in design.numbers:
                faults += _beyond(own.lever, option, name, value, panel)
    return base, found, faults


def _beyond(lever: str, option: str, name: str, value: float, panel: pd.DataFrame) -> list[Fault]:
    low, high = float(panel[name].min()), float(panel[name].max())
    if low - 1e-9 <= value <= high + 1e-9:
        return []
    message = f"{lever} {option}: {name} {value:.4g} is outside what the data hold, {low:.4g} to {high:.4g}"
    remedy = "take a smaller step, or gather data there"
    return [Fault("panel", message, remedy, column=name, code="outside-range", warning=True)]


def _word(
    own: LeverRules, options: pd.DataFrame, design: PanelDesign, panel: pd.DataFrame
) -> tuple[Setting, list[OptionTerms], list[Fault]]:
    """A service level or programme: by its own name in the panel, unless `options` states another. A base whose name
    the panel does not hold is the blank one."""
    term = str(own.term)
    known = design.levels(term)
    found, faults = [], []
    base: Setting = {}
    for option, is_base in zip(options["option"], options["base"], strict=True):
        level = own.options.get(option, str(option))
        if is_base and option not in own.options and level not in known and USUAL in known:
            level = USUAL
        if level not in known:
            message = f"of option {option} is in no row of table panel, column {term}"
            remedy = did_you_mean(str(level), tuple(name or "(blank)" for name in known))
            faults.append(rule_fault("response.levers.options", message, remedy, level))
        elif is_base:
            base = {term: level}
        else:
            found.append(OptionTerms(own.lever, str(option), {term: level}, {}))
    return base, found, faults
