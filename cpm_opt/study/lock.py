"""Locks, `[LEVER=]RUN[@GROUP][:t1-t2[+k]]`: what an earlier run chose is kept, in whole or in part.

Written as a pin, with a run where a pin has the option. Without LEVER all levers are locked, without GROUP all groups,
without periods all periods. `+k` says that the run began k periods earlier, so that its period t + k is this plan's t:
after a period has passed, `:1-2+1` keeps what the last plan chose for its periods 2 and 3. Where several locks name a
choice the first one counts, and a pin (--fix, --forbid) that says otherwise goes before them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cpm_opt.faults import Fault, InputError, did_you_mean, shown
from cpm_opt.formulation.components import Pins
from cpm_opt.formulation.core import group_offers
from cpm_opt.formulation.locked import OPEN, Locked
from cpm_opt.formulation.pinned import FIX, Pin, read_pins
from cpm_opt.pipeline import Problem
from cpm_opt.portfolio.members import members_of
from cpm_opt.portfolio.portfolio import Indices, Lever, Numbers, Portfolio
from cpm_opt.runs.record import RunRecord, find_run

FORM = 'write [LEVER=]RUN[@GROUP][:t1-t2[+k]], with "" around a part that has = @ or : in it'
_QUOTED = r'"(?:[^"]|"")*"'
_LOCK = re.compile(
    rf"\s*(?:(?P<lever>{_QUOTED}|[^\"=@:][^=@:]*?)\s*=)?\s*(?P<run>{_QUOTED}|[^\"=@:][^=@:]*?)\s*"
    rf"(?:@\s*(?P<group>{_QUOTED}|[^\"@:][^@:]*?)\s*)?"
    rf"(?::\s*(?P<first>[0-9]+)\s*(?:-\s*(?P<last>[0-9]+)\s*)?(?:\+\s*(?P<later>[0-9]+)\s*)?)?"
)


@dataclass(frozen=True)
class Words:
    """The parts of a lock as written; `lever` and `group` are None for all, `first` 0 for every period."""

    text: str
    lever: str | None
    run: str
    group: str | None
    first: int
    last: int
    later: int

    def fault(self, message: str, remedy: str, code: str = "lock") -> Fault:
        """What is wrong with the lock."""
        return Fault("--lock", message, remedy, value=self.text, code=code)

    def named(self, run_id: str) -> str:
        """The lock with the id of its run, whatever it was called."""
        parts = [f"{_quoted(self.lever)}=" if self.lever is not None else "", run_id]
        parts.append(f"@{_quoted(self.group)}" if self.group is not None else "")
        parts.append(f":{self.first}-{self.last}" if self.first else "")
        parts.append(f"+{self.later}" if self.later else "")
        return "".join(parts)


def parse_lock(text: str) -> Words | Fault:
    """The parts of a lock, or what is wrong with the way it is written."""
    match = _LOCK.fullmatch(text)
    if match is None or not text.isprintable():
        return Fault("--lock", "cannot be read", FORM, value=text, code="lock")
    lever, run, group = (_unquoted(match[part]) for part in ("lever", "run", "group"))
    first = int(match["first"] or 0)
    last = int(match["last"] or first)
    if match["first"] is not None and not 1 <= first <= last:
        message, remedy = "has no periods in that order", "write :t1-t2 or :t, counted from 1"
        return Fault("--lock", message, remedy, value=text, code="lock")
    return Words(text, lever, run or "", group, first, last, int(match["later"] or 0))


def locked(problem: Problem, locks: Sequence[str], results: Path) -> Problem:
    """The problem with what the locks keep; runs are looked for in the folder `results`. Raises InputError with every
    fault: in the writing, runs that hold no plan, and levers, groups, options and periods that do not fit."""
    if not locks:
        return problem
    p = problem.portfolio
    faults: list[Fault] = []
    names: list[str] = []
    kept = _nothing(p)
    for text in dict.fromkeys(locks):
        words = parse_lock(text)
        if isinstance(words, Fault):
            faults.append(words)
            continue
        try:
            run = find_run(results, words.run)
        except InputError as error:
            faults += [replace(fault, table="--lock", value=text) for fault in error.faults]
            continue
        found = _Reading(p, words, run).apply(kept, len(names))
        faults += found
        names.append(words.named(run.id))
    if faults:
        raise InputError(faults)
    pins = problem.spec.components.get(Pins.name)
    if isinstance(pins, Pins):
        for pin in read_pins(p, pins.fix, pins.forbid)[0]:
            _give_way(p, pin, kept)
    component = Locked(tuple(names), *kept)
    components = {**problem.spec.components, Locked.name: component}
    return replace(problem, spec=replace(problem.spec, components=components))


_Kept = tuple[tuple[Indices, ...], Numbers, tuple[Indices, ...], Indices]


def _nothing(p: Portfolio) -> _Kept:
    """Nothing locked: `chosen`, `share`, and which lock each comes from."""
    shapes = [(len(lever.groups) if lever.single else 0, p.periods) for lever in p.levers]
    whole = (len(p.segments), len(p.options), p.periods)
    chosen, by_choice = (tuple(np.full(shape, OPEN) for shape in shapes) for _ in range(2))
    return chosen, np.full(whole, np.nan), by_choice, np.full(whole, OPEN)


def _give_way(p: Portfolio, pin: Pin, kept: _Kept) -> None:
    """Opens what a pin decides otherwise."""
    chosen, share, _, _ = kept
    lever, when = p.levers[pin.lever], np.arange(pin.first - 1, pin.last)
    cells = np.ix_(pin.targets, when)
    if lever.single:
        mine = chosen[pin.lever][cells]
        against = mine != pin.option if pin.words.kind == FIX else mine == pin.option
        chosen[pin.lever][cells] = np.where(against, OPEN, mine)
        return
    on_it = np.nan_to_num(share[np.ix_(pin.targets, np.array([pin.option]), when)])[:, 0]
    against = on_it < 1.0 if pin.words.kind == FIX else on_it > 0.0
    options = np.ix_(pin.targets, np.array(lever.options), when)
    share[options] = np.where(against[:, None, :], np.nan, share[options])


@dataclass(frozen=True)
class _Reading:
    """One lock read from its run on a portfolio."""

    p: Portfolio
    words: Words
    run: RunRecord

    def apply(self, kept: _Kept, lock: int) -> list[Fault]:
        """Locks what is open yet; the faults."""
        words, p = self.words, self.p
        if not self.run.shown:
            return [words.fault(f"run {self.run.id} holds no plan", "name a run that has one")]
        periods = self._periods()
        if isinstance(periods, Fault):
            return [periods, *self._unknown_group()]
        names = [lever.name for lever in p.levers]
        theirs = [str(lever["name"]) for lever in self.run.facts["portfolio"]["levers"]]
        wanted = [words.lever] if words.lever is not None else sorted({*names, *theirs})
        for name in wanted:
            if name not in names or name not in theirs:
                where = "the instance" if name not in names else f"run {self.run.id}"
                known = [each for each in names if each in theirs]
                remedy = did_you_mean(name, known)
                if words.lever is None:
                    remedy = "lock the others one by one with LEVER=RUN"
                lacking = words.fault(f"lever {shown(name)} is not in {where}", remedy, "unknown_reference")
                return [lacking, *self._unknown_group()]
        if unknown := self._unknown_group():
            return unknown
        levers = [number for number, name in enumerate(names) if name in wanted]
        choices, shares = self._choices(), self._shares()
        faults: list[Fault] = []
        for number in levers:
            targets = self._targets(p.levers[number])
            if targets is None:
                continue
            for t in periods:
                if p.levers[number].single:
                    faults += self._lock_choices(kept, lock, number, targets, t, choices)
                else:
                    faults += self._lock_shares(kept, lock, number, targets, t, shares)
        return list(dict.fromkeys(faults))

    def _unknown_group(self) -> list[Fault]:
        """The fault of a group that no lever that is meant has; none where the lever itself is unknown."""
        words = self.words
        levers = [lever for lever in self.p.levers if words.lever in (None, lever.name)]
        if not levers or any(self._targets(lever) is not None for lever in levers):
            return []
        group = shown(words.group or "")
        message = f"{group} is no group of {'the lever' if words.lever else 'any lever'}, and no segment"
        return [words.fault(message, "name a group or a segment of the instance", "unknown_reference")]

    def _periods(self) -> range | Fault:
        """Periods of the plan, from 0."""
        words, theirs = self.words, int(self.run.facts["instance"]["periods"])
        first, last = words.first or 1, words.last or self.p.periods
        if last > self.p.periods:
            return words.fault(f"there is no period {last}", f"the model's last period is {self.p.periods}")
        if last + words.later > theirs:
            most = theirs - words.later
            remedy = f"lock at most :1-{most}" + (f"+{words.later}" if words.later else "")
            remedy = remedy if most >= 1 else "name another run"
            return words.fault(f"run {self.run.id} has {theirs} periods only", remedy, "unknown_reference")
        return range(first - 1, last)

    def _targets(self, lever: Lever) -> Indices | None:
        """Positions of the groups (of segments on a `mix` lever) that are meant; None where the lever has none such."""
        group = self.words.group
        if group is None:
            return np.arange(len(lever.groups) if lever.single else len(self.p.segments))
        if lever.single:
            return np.array([lever.groups.index(group)]) if group in lever.groups else None
        members, problem = members_of(self.p, group)
        return None if problem else np.flatnonzero(members)

    def _choices(self) -> dict[tuple[str, str, int], str]:
        return {
            (row["lever"], row["group"], int(row["period"])): row["option"]
            for row in self.run.table("choices")
        }

    def _shares(self) -> dict[tuple[str, str, int], dict[str, float]]:
        """By lever, segment and period, the customers on each option."""
        found: dict[tuple[str, str, int], dict[str, float]] = {}
        for row in self.run.table("plan"):
            mine = found.setdefault((row["lever"], row["segment"], int(row["period"])), {})
            mine[row["option"]] = float(row["customers"])
        return found

    def _lock_choices(
        self,
        kept: _Kept,
        lock: int,
        number: int,
        targets: Indices,
        t: int,
        choices: dict[tuple[str, str, int], str],
    ) -> list[Fault]:
        lever, (chosen, _, by_choice, _) = self.p.levers[number], kept
        offers = group_offers(self.p, lever)
        for group in targets.tolist():
            option = choices.get((lever.name, lever.groups[group], t + 1 + self.words.later))
            place = self._place(lever, option)
            if option is None:
                return [self._strange(f"group {shown(lever.groups[group])} of lever {shown(lever.name)}")]
            if place is None or not offers[group, place]:
                return [self._not_offered(lever, option, f"group {shown(lever.groups[group])}")]
            if chosen[number][group, t] == OPEN:
                chosen[number][group, t] = lever.options[place]
                by_choice[number][group, t] = lock
        return []

    def _lock_shares(
        self,
        kept: _Kept,
        lock: int,
        number: int,
        targets: Indices,
        t: int,
        shares: dict[tuple[str, str, int], dict[str, float]],
    ) -> list[Fault]:
        p, lever, (_, share, _, by_share) = self.p, self.p.levers[number], kept
        options = np.array(lever.options)
        for segment in targets.tolist():
            if p.segments[segment] not in self.run.facts["portfolio"]["segments"]:
                return [self._strange(f"segment {shown(p.segments[segment])}")]
            served = shares.get((lever.name, p.segments[segment], t + 1 + self.words.later), {})
            total = sum(served.values())
            if total <= 0.0:  # nobody was there: nothing to keep
                continue
            row = np.zeros(len(options))
            for option, customers in served.items():
                place = self._place(lever, option)
                if place is None or not p.offered[segment, options[place]]:
                    return [self._not_offered(lever, option, f"segment {shown(p.segments[segment])}")]
                row[place] = customers / total
            if np.isnan(share[segment, options, t]).all():
                share[segment, options, t] = row
                by_share[segment, options, t] = lock
        return []

    def _place(self, lever: Lever, option: str | None) -> int | None:
        names = [self.p.options[position] for position in lever.options]
        return names.index(option) if option in names else None

    def _strange(self, what: str) -> Fault:
        message = f"{what} is not in run {self.run.id}"
        return self.words.fault(
            message, "lock the groups that are there one by one with @GROUP", "unknown_reference"
        )

    def _not_offered(self, lever: Lever, option: str, whom: str) -> Fault:
        message = f"the run has {whom} on option {shown(option)} of lever {shown(lever.name)}, which is not offered now"
        return self.words.fault(message, "leave that group or lever out of the lock", "not_offered")


def _quoted(part: str) -> str:
    doubled = part.replace('"', '""')
    return f'"{doubled}"' if re.search(r'[=@:"]', part) else part


def _unquoted(part: str | None) -> str | None:
    if part is None:
        return None
    return part[1:-1].replace('""', '"') if part.startswith('"') else part.strip()
