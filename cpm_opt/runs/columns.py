"""The columns of each table of a run folder, by the name of its file without `.csv`.

`segments` has further columns, one a measure. `share` is a fraction of the segment's customers; `limit` of a resource
is its capacity and extra capacity times the highest utilisation. A shadow price is what one more unit of the capacity
(before its own capacity_cost), or of the rule's limit, adds to the objective; it holds while that is between
`range_low` and `range_high`. The amounts of `waterfall_parts` part each step of `waterfall`, and add up to it; a blank
segment is the firm as a whole.
`scenarios` is there only where the model weighs risk; the other tables then show the most probable scenario.
"""

from __future__ import annotations

PLAN = ("segment", "period", "lever", "option", "customers", "share")
SEGMENTS = ("segment", "period", "customers", "margin", "cash")
RESOURCES = (
    "resource", "unit", "period", "use", "capacity", "extra", "limit", "shadow_price", "range_low", "range_high",
)  # fmt: skip
CHOICES = ("group", "period", "lever", "option")
RULES = (
    "rule", "subject", "period", "value", "sense", "limit", "slack", "unit", "penalty", "shadow_price", "range_low",
    "range_high", "share", "share_limit", "mean", "mean_limit",
)  # fmt: skip
WATERFALL = ("source", "item", "amount", "total")
PARTS = ("source", "item", "lever", "segment", "amount")
SCENARIOS = (
    "scenario", "probability", "profit", "end_value", "objective", "today_profit", "today_end_value",
)  # fmt: skip

COLUMNS: dict[str, tuple[str, ...]] = {
    "plan": PLAN,
    "segments": SEGMENTS,
    "resources": RESOURCES,
    "choices": CHOICES,
    "rules": RULES,
    "waterfall": WATERFALL,
    "waterfall_parts": PARTS,
    "scenarios": SCENARIOS,
}

# Columns that the tables of older runs lack.
LATER = {"rules": frozenset({"share", "share_limit", "mean", "mean_limit"})}

# What a row of each table is, and what each column means; `table.column` where it means
# something of its own in a table.
ROWS = {
    "plan": "the customers of a segment on an option in a period",
    "segments": "a segment in a period, up to the end of the horizon (period T + 1)",
    "resources": "a resource in a period",
    "choices": "the option that a group has of a lever of choice `single` in a period",
    "rules": "a rule, or a part of it, in a period",
    "waterfall": "a step from today's profit to the plan's",
    "waterfall_parts": "a part of such a step",
    "scenarios": "a scenario",
}
MEANINGS = {
    "segment": "segment",
    "waterfall_parts.segment": "segment; blank: the firm as a whole",
    "period": "period of the plan, 1 is its first",
    "lever": "lever",
    "waterfall_parts.lever": "lever; blank: none",
    "option": "option of the lever",
    "group": "group of segments that has one choice, by the lever's scope",
    "resource": "resource",
    "rule": "name of the rule, or of the component that makes it",
    "subject": "what the rule is about",
    "source": "who posted to profit, such as effects or fixed cost; first `today`, last `plan`",
    "item": "about what: a lever or a resource",
    "scenario": "scenario",
    "customers": "customers",
    "share": "fraction of the segment's customers",
    "rules.share": "the fraction that the plan has, of a rule on a share; blank where the total is not positive",
    "share_limit": "the share that the rule states",
    "mean": "of a rule on a mean: what the plan has per customer, in the row's unit",
    "mean_limit": "the mean that the rule states",
    "margin": "money of the period, before resources, fixed and change costs",
    "cash": "money of the period",
    "unit": "unit of the figures of the row",
    "use": "units of the resource used",
    "capacity": "units there",
    "extra": "units of extra capacity bought",
    "value": "what the plan has, in the row's unit",
    "sense": "min or max",
    "limit": "right side of the rule, of a share or a mean times the total; of a resource capacity and extra capacity "
    "times max_utilisation",
    "slack": "distance to the limit, in the row's unit; negative where it is missed against a penalty",
    "penalty": "money per unit missed; blank: a wall",
    "shadow_price": "money of today that one more unit of the limit adds to the objective",
    "resources.shadow_price": "money of today that one more unit of the capacity adds to the objective, before its own "
    "capacity_cost",
    "range_low": "the capacity or limit down to which that price holds; blank: no end",
    "range_high": "the one up to which it holds; blank: no end",
    "amount": "money of today that the step adds",
    "total": "profit after the step, money of today",
    "probability": "fraction",
    "profit": "discounted profit of the plan, without penalties and end value",
    "end_value": "discounted value of the customers at the end",
    "objective": "what the model maximises",
    "today_profit": "the same profit if all stays as today",
    "today_end_value": "the same value if all stays as today",
}
