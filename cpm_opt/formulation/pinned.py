"""Pins as they are written on the command line, `LEVER=OPTION[@GROUP][:t1-t2]`, and what they mean on a portfolio.

A part with `=`, `@` or `:` in it is quoted with "", a quote inside doubled: `tariff="up=5"@"tier:a":2-3`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from cpm_opt.faults import Fault, did_you_mean, shown
from cpm_opt.formulation.core import group_offers
from cpm_opt.portfolio.members import members_of, members_remedy
from cpm_opt.portfolio.portfolio import Flags, Indices, Lever, Portfolio

FIX, FORBID = "fix", "forbid"
FORM = 'write LEVER=OPTION[@GROUP][:t1-t2], with "" around a part that has = @ or : in it'
_QUOTED = r'"(?:[^"]|"")*"'
# After @ nothing but a period can follow, so COLUMN=VALUE needs no quotes there.
_PIN = re.compile(
    rf"\s*(?P<lever>{_QUOTED}|[^\"=@:][^=@:]*)=\s*(?P<option>{_QUOTED}|[^\"=@:][^=@:]*?)\s*"
    rf"(?:@\s*(?P<group>{_QUOTED}|[^\"@:][^@:]*?)\s*)?(?::\s*(?P<first>[0-9]+)\s*(?:-\s*(?P<last>[0-9]+)\s*)?)?"
)


@dataclass(frozen=True)
class Words:
    """The parts of a pin as written; `group` is None for every group, `first` 0 for every period."""

    kind: str
    text: str
    lever: str
    option: str
    group: str | None
    first: int
    last: int

    def fault(self, message: str, remedy: str, code: str = "pin") -> Fault:
        """What is wrong with the pin."""
        return Fault(f"--{self.kind}", message, remedy, value=self.text, code=code)


@dataclass(frozen=True)
class Pin:
    """A pin on a portfolio: `targets` are positions of the groups of a `single` lever, or of segments on a `mix` one;
    `option` is a position on the option axis; periods `first` to `last` are 1-based and inclusive."""

    words: Words
    lever: int
    option: int
    targets: Indices
    first: int
    last: int

    @property
    def name(self) -> str:
        """The pin as reports name it."""
        return f"{self.words.kind} {self.words.text}"


def parse_pin(kind: str, text: str) -> Words | Fault:
    """The parts of a pin, or what is wrong with the way it is written."""
    match = _PIN.fullmatch(text)
    if match is None or not text.isprintable():
        return Fault(f"--{kind}", "cannot be read", FORM, value=text, code="pin")
    lever, option, group = (_unquoted(match[part]) for part in ("lever", "option", "group"))
    first = int(match["first"] or 0)
    last = int(match["last"] or first)
    if match["first"] is not None and not 1 <= first <= last:
        message, remedy = "has no periods in that order", "write :t1-t2 or :t, counted from 1"
        return Fault(f"--{kind}", message, remedy, value=text, code="pin")
    return Words(kind, text, lever or "", option or "", group, first, last)


def _unquoted(part: str | None) -> str | None:
    if part is None:
        return None
    return part[1:-1].replace('""', '"') if part.startswith('"') else part.strip()


def pin_faults(fix: Iterable[str], forbid: Iterable[str]) -> list[Fault]:
    """What is wrong with the way that pins are written, before any table is looked at."""
    return [read for read in _parsed(fix, forbid) if isinstance(read, Fault)]


def _parsed(fix: Iterable[str], forbid: Iterable[str]) -> list[Words | Fault]:
    texts = dict.fromkeys([*((FIX, text) for text in fix), *((FORBID, text) for text in forbid)])
    return [parse_pin(kind, text) for kind, text in texts]


def read_pins(
    portfolio: Portfolio, fix: Iterable[str], forbid: Iterable[str]
) -> tuple[tuple[Pin, ...], list[Fault]]:
    """The pins on a portfolio, and every fault: in the writing, unknown names, options that are not offered, pins that
    contradict each other."""
    pins: list[Pin] = []
    faults: list[Fault] = []
    for words in _parsed(fix, forbid):
        read = words if isinstance(words, Fault) else _placed(portfolio, words)
        if isinstance(read, Fault):
            faults.append(read)
        else:
            pins.append(read)
    return tuple(pins), [*faults, *_contradictions(portfolio, pins)]


def _placed(p: Portfolio, words: Words) -> Pin | Fault:
    names = [lever.name for lever in p.levers]
    if words.lever not in names:
        message = f"there is no lever {shown(words.lever)}"
        return words.fault(message, did_you_mean(words.lever, names), "unknown_reference")
    number = names.index(words.lever)
    lever = p.levers[number]
    options = {p.options[option]: option for option in lever.options}
    if words.option not in options:
        message = f"lever {shown(lever.name)} has no option {shown(words.option)}"
        return words.fault(message, did_you_mean(words.option, options), "unknown_reference")
    if words.last > p.periods:
        last = (
            "the model has one period only" if p.periods == 1 else f"the model's last period is {p.periods}"
        )
        return words.fault(f"there is no period {words.last}", last, "unknown_reference")
    targets = _group_targets(lever, words) if lever.single else _segment_targets(p, words)
    if isinstance(targets, Fault):
        return targets
    return Pin(words, number, options[words.option], targets, words.first or 1, words.last or p.periods)


def _group_targets(lever: Lever, words: Words) -> Indices | Fault:
    if words.group is None:
        return np.arange(len(lever.groups))
    if words.group in lever.groups:
        return np.array([lever.groups.index(words.group)])
    message = f"{shown(words.group)} is no group of lever {shown(lever.name)}, whose scope is {lever.scope}"
    near = did_you_mean(words.group.removeprefix(f"{lever.scope}="), lever.groups)
    return words.fault(message, near, "unknown_reference")


def _segment_targets(p: Portfolio, words: Words) -> Indices | Fault:
    if words.group is None:
        return np.arange(len(p.segments))
    members, problem = members_of(p, words.group)
    if not problem:
        return np.flatnonzero(members)
    remedy = members_remedy(p, words.group, problem)
    return words.fault(f"group {shown(words.group)}: {problem}", remedy, "unknown_reference")


def _contradictions(p: Portfolio, pins: Sequence[Pin]) -> list[Fault]:
    """Pins that leave a group no option in some period, one fault for each pin that closes the last."""
    faults = []
    left = {number: _open_to(p, lever) for number, lever in enumerate(p.levers)}
    before: list[Pin] = []
    for pin in pins:
        lever, mine = p.levers[pin.lever], left[pin.lever]
        offered = _open_to(p, lever)[:, lever.options.index(pin.option), 0]
        missing = [int(target) for target in pin.targets if not offered[target]]
        if pin.words.kind == FIX and missing:
            faults.append(pin.words.fault(*_not_offered(p, pin, missing), code="not_offered"))
            continue
        cells = np.ix_(pin.targets, np.arange(len(lever.options)), np.arange(pin.first - 1, pin.last))
        kept = np.array([(option == pin.option) == (pin.words.kind == FIX) for option in lever.options])
        now = mine[cells] & kept[None, :, None]
        closed = np.argwhere(~now.any(axis=1))
        if len(closed):
            target, period = int(pin.targets[closed[0, 0]]), int(closed[0, 1]) + pin.first
            others = [other.name for other in before if _covers(other, pin.lever, target, period)]
            whom = f"{'group' if lever.single else 'segment'} {shown(_target_name(p, lever, target))}"
            message = f"leaves {whom} no option of lever {shown(lever.name)} in period {period}"
            message += f", together with {' and '.join(others)}" if others else ": it is offered no other"
            remedy = "leave one of them out" if others else "leave it out"
            faults.append(pin.words.fault(message, remedy, "contradiction"))
            continue
        mine[cells] = now
        before.append(pin)
    return faults


def _open_to(p: Portfolio, lever: Lever) -> Flags:
    """`[targets, options of the lever, T]`: what is offered before any pin."""
    offers = group_offers(p, lever) if lever.single else p.offered[:, np.array(lever.options)]
    return np.repeat(offers[:, :, None], p.periods, axis=2)


def _covers(pin: Pin, lever: int, target: int, period: int) -> bool:
    return pin.lever == lever and target in pin.targets and pin.first <= period <= pin.last


def _target_name(p: Portfolio, lever: Lever, target: int) -> str:
    return lever.groups[target] if lever.single else p.segments[target]


def _not_offered(p: Portfolio, pin: Pin, missing: Sequence[int]) -> tuple[str, str]:
    lever = p.levers[pin.lever]
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    what = "group" if lever.single else "segment"
    whom = f"{what} {shown(_target_name(p, lever, missing[0]))}{more}"
    message = f"{whom} {'are' if more else 'is'} not offered option {shown(p.options[pin.option])}"
    return message, f"name a {what} that is offered it after @, or change table effects"
