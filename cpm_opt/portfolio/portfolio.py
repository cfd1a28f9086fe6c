"""The problem as numbers only.

`Portfolio` is what every later stage reads: arrays whose axes are segment, option, resource and period, every number
finite and in range, every name resolved, every factor applied. Segments, resources, levers and options stand in the
sorted order of their names, so the order of rows in the tables never matters.

Axes: S segments, T periods, O options (of all levers, one after another), R resources, K rows of a sparse table.
Money is in the tables' own unit; a rate is a fraction; figures per customer are per customer and period.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cpm_opt.faults import Fault

Numbers = NDArray[np.float64]
Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Lever:
    """One thing that can be decided: a service level, the tariff of one product, one programme.

    `options` are positions on the option axis (sorted by name), `base` is the one that stands for things as they are
    today. `groups` are the sorted names of those who must choose together (the segments themselves for scope
    `segment`, `all`, or the values of a grouping column) and `group_of[S]` is each segment's position in them; both
    matter where `choice` is `single`. `hold`: a group's choice may change only in periods 1, 1 + hold, 1 + 2 hold, ...
    """

    name: str
    choice: str
    scope: str
    hold: int
    options: tuple[int, ...]
    base: int
    groups: tuple[str, ...]
    group_of: Indices

    @property
    def single(self) -> bool:
        """Whether a group takes one option for all its customers."""
        return self.choice == "single"


@dataclass(frozen=True)
class Flow:
    """A figure per customer and period: `per_customer[S, T]` and what each option changes, `per_option[S, O, T]`."""

    per_customer: Numbers
    per_option: Numbers


@dataclass(frozen=True)
class Usage:
    """Use of resources per customer and period: row k has `resource[K]`, `segment[K]`, `option[K]` (-1: base need of
    every customer of the segment) and `amount[K, T]` in units of the resource; at most one row a triple."""

    resource: Indices
    segment: Indices
    option: Indices
    amount: Numbers


@dataclass(frozen=True)
class Migration:
    """Moves between segments per period: `rate[K, T]` of the customers of `source[K]` are in `target[K]` next period;
    the rest of them leaves. Without a migration table it is the identity and `stated` is False."""

    source: Indices
    target: Indices
    rate: Numbers
    stated: bool


@dataclass(frozen=True)
class MigrationEffects:
    """What an option adds to a rate of migration: `rate[K, T]` from `source[K]` to `target[K]` for customers on
    `option[K]`; where `on_change[K]`, only in a period in which the group's option differs from the one before."""

    source: Indices
    target: Indices
    option: Indices
    on_change: Flags
    rate: Numbers


@dataclass(frozen=True)
class Resources:
    """Resources by period, each `[R, T]`: capacity in units (inf: unlimited), unit_cost per unit used, capacity_cost
    per unit there, extra_capacity that may be bought at extra_cost per unit (already 0 in periods up to the lead
    time), max_utilisation as a fraction; repair_cost per unit (nan: not negotiable); lead_time in periods."""

    names: tuple[str, ...]
    units: tuple[str, ...]
    capacity: Numbers
    unit_cost: Numbers
    capacity_cost: Numbers
    extra_capacity: Numbers
    extra_cost: Numbers
    max_utilisation: Numbers
    repair_cost: Numbers
    lead_time: Numbers


@dataclass(frozen=True)
class BalanceRule:
    """One row of table `balance`, its members resolved.

    `measure` is `customers`, a key of `Portfolio.flows`, or `use:RESOURCE` (then `resource` is its position, else -1).
    `members[S]` marks the segments; periods run from `first` to `last`, 1-based and inclusive, within the horizon.
    `penalty` and `repair_cost` are per unit of the row and period; None means a wall, or not negotiable.
    """

    name: str
    measure: str
    resource: int
    member_text: str
    members: Flags
    sense: str
    value: float
    basis: str
    first: int
    last: int
    penalty: float | None
    repair_cost: float | None


@dataclass(frozen=True)
class PriceRule:
    """One row of table `price_rules`: a rule on the prices of lever `lever` (its position), whose choice is `single`.

    `kind` is step, total_step, order, equal or max_changes; `groups` are positions of the lever's groups that it is
    about; `other` is the group that they are compared with (order, equal; else -1). `value` is a fraction of the base
    price (step, total_step), a ratio of base prices (order), a number of groups (max_changes), nan for equal.
    """

    name: str
    lever: int
    kind: str
    groups: Indices
    other: int
    value: float


@dataclass(frozen=True)
class OptionRule:
    """One row of table `option_rules`: a rule on who is on `option`, a position on the option axis, of lever `lever`.

    `kind` is min, max, floor, needs, excludes or once; `other` is the other option on that axis (needs, excludes; else
    -1); `value` is customers (min, max), a fraction (floor), else nan. `members[S]` marks whom it is about.
    """

    name: str
    lever: int
    option: int
    kind: str
    other: int
    value: float
    member_text: str
    members: Flags


@dataclass(frozen=True)
class Portfolio:
    """A planning problem, checked and complete; see the module's text for axes and units.

    - `customers[S]` at the start of period 1; `arrivals[S, T]` are present from the period after theirs on;
    - `flows` by measure: `margin`, `revenue`, `cash` and each measure that the instance declares; `margin_se[S, O]`:
      standard error of each option's effect on margin (0 where none is stated);
    - `offered[S, O]`: whether the segment may get the option (for a lever of choice `single`: whether its whole group
      may); `current[S, O]`: customers on each option before period 1, adding up to `customers` within each lever;
    - `price_change[O]` fraction of the base price, `fixed_cost[O, T]` per group and period, `change_cost[O, T]` per
      customer newly on the option;
    - `ceiling[S, T + 1]`: a valid upper bound on the customers of each segment at the start of each period;
    - `warnings`: what is doubtful in the input, but no fault.
    """

    name: str
    title: str
    currency: str
    money_unit: float
    period_name: str
    periods: int
    segments: tuple[str, ...]
    kinds: tuple[str, ...]
    groupings: Mapping[str, tuple[str, ...]]
    customers: Numbers
    whole: Flags
    end_value: Numbers
    arrivals: Numbers
    flows: Mapping[str, Flow]
    margin_se: Numbers
    measure_units: Mapping[str, str]
    levers: tuple[Lever, ...]
    options: tuple[str, ...]
    lever_of: Indices
    offered: Flags
    current: Numbers
    price_change: Numbers
    fixed_cost: Numbers
    change_cost: Numbers
    resources: Resources
    usage: Usage
    migration: Migration
    migration_effects: MigrationEffects
    balance: tuple[BalanceRule, ...]
    ceiling: Numbers
    price_rules: tuple[PriceRule, ...] = ()
    option_rules: tuple[OptionRule, ...] = ()
    warnings: tuple[Fault, ...] = field(default=(), repr=False)

    @property
    def active(self) -> Flags:
        """`[S]`: segments of kind `active`, the customers of today."""
        return np.array([kind == "active" for kind in self.kinds], dtype=bool)

    @property
    def can_move(self) -> bool:
        """Whether customers can change segment or leave: there is a migration table, or effects on migration."""
        return self.migration.stated or len(self.migration_effects.option) > 0
