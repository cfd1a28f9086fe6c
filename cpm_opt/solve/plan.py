"""What a solve hands on: `Plan`, plain values that outlive the solver."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cpm_opt.formulation.audit import Decisions, RuleRow
from cpm_opt.portfolio.portfolio import Numbers, Portfolio

__all__ = [
    "STATUSES",
    "Certificate",
    "Decisions",
    "Plan",
    "Recount",
    "RuleRow",
    "ScenarioPlan",
    "ShadowPrice",
]

STATUSES = ("optimal", "feasible", "infeasible", "unbounded", "no_solution")


@dataclass(frozen=True)
class Recount:
    """The plan recomputed from the portfolio's arrays and the decisions alone.

    `customers[S, T + 1]`; `use[R, T]`; `flows[measure][S, T]`; `money[(source, item)] = [T]`: undiscounted postings
    to profit by who posts them and about what (`("margin", "")`, `("effects", LEVER)`, `("fixed cost", LEVER)`,
    `("change cost", LEVER)`, `("resource cost", RESOURCE)`, ...); they add up to the profit of each period.
    `discount[T + 1]`: worth today of money of period t, and last of the end value. `profit` is discounted, without
    penalties and end value; `end_value` is discounted, too, but not weighted; `objective` is the model's own.
    `deductions` are money of today that rules take from the objective, but not from profit, by rule.
    """

    customers: Numbers
    use: Numbers
    flows: Mapping[str, Numbers]
    money: Mapping[tuple[str, str], Numbers]
    penalties: Mapping[str, Numbers]
    discount: Numbers
    end_value: float
    profit: float
    objective: float
    rows: tuple[RuleRow, ...]
    deductions: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Certificate:
    """Whether the plan keeps what it promises, found without Pyomo and without a solver.

    `largest_violation` is in units of `max(1, |right side|)`, `where` names the row; the certificate passes at 1e-6.
    `objective` is recomputed; `bound` is the solver's proof, that no plan is better than it. `checked`: how many
    conditions were looked at.
    """

    passed: bool
    largest_violation: float
    where: str
    objective: float
    solver_objective: float
    bound: float | None
    checked: int


@dataclass(frozen=True)
class ShadowPrice:
    """What one more unit on the right side of a row is worth in the objective, and the range of right sides over which
    that holds (None: no end to it). `right` is that side as the solver has it, None where scenarios have their own."""

    price: float
    low: float | None
    high: float | None
    right: float | None = None


@dataclass(frozen=True)
class ScenarioPlan:
    """What the plan does and brings in one scenario, and what doing nothing brings in it (`today`); what is decided
    before it is known which one comes is the same in all of them. `portfolio` holds the scenario's own numbers."""

    name: str
    probability: float
    decisions: Decisions
    recount: Recount
    today: Recount
    portfolio: Portfolio


@dataclass(frozen=True)
class PinEffect:
    """What fixed and forbidden choices cost. `biting` are those of `names` that the best plan without pins breaks,
    where that is worth more; `objective` and `bound` are that plan's, None where the time was too short for it."""

    names: tuple[str, ...]
    biting: tuple[str, ...] = ()
    objective: float | None = None
    bound: float | None = None


@dataclass(frozen=True)
class Plan:
    """The answer to one model on one portfolio.

    `status` is one of `STATUSES`; `decisions`, `recount` and `certificate` are None where there is no plan;
    `shadow_prices` are by the key of a row, `prices_from` says where they come from (`lp`, or `fixed integers`);
    `today` is the recount of doing nothing: everybody stays on what they have, no extra capacity, rules not enforced;
    `conflict` names rules that contradict each other where the status is infeasible; `irreducible`: each of them is
    needed for that. Under uncertainty, `scenarios` holds every scenario, and `portfolio`, `decisions`, `recount` and
    the profit of `today` are those of the first, the most probable one; `objective` weighs all. `pins` is there where
    choices were fixed or forbidden. `given_up` is what the plan is worth less than the best one found, to change less
    (component `least_change`).
    """

    portfolio: Portfolio
    status: str
    message: str
    objective: float | None
    bound: float | None
    gap: float | None
    decisions: Decisions | None
    recount: Recount | None
    certificate: Certificate | None
    today: Recount
    shadow_prices: Mapping[tuple[str, str, int], ShadowPrice] = field(default_factory=dict)
    prices_from: str = ""
    conflict: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    solver_log: str = ""
    solver: Mapping[str, object] = field(default_factory=dict)
    scenarios: tuple[ScenarioPlan, ...] = ()
    pins: PinEffect | None = None
    irreducible: bool = False
    given_up: float = 0.0

    @property
    def profit(self) -> float | None:
        """Discounted profit of periods 1..T, without penalties and end value; its mean over scenarios."""
        if self.scenarios:
            return sum(each.probability * each.recount.profit for each in self.scenarios)
        return None if self.recount is None else self.recount.profit

    @property
    def shown(self) -> bool:
        """Whether the plan may be shown as a plan: it is there, and its certificate passes."""
        return self.certificate is not None and self.certificate.passed
