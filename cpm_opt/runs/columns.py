"""The columns of each table of a run folder, by the name of its file without `.csv`.

`segments` has further columns, one a measure. `share` is a fraction of the segment's customers; `limit` of a resource
is its capacity and extra capacity times the highest utilisation. A shadow price is what one more unit of the capacity,
or of the rule's limit, adds to the objective; it holds while that is between `range_low` and `range_high`. The amounts
of `waterfall_parts` part each step of `waterfall`, and add up to it; a blank segment is the firm as a whole.
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
    "range_high",
)  # fmt: skip
WATERFALL = ("source", "item", "amount", "total")
PARTS = ("source", "item", "lever", "segment", "amount")
SCENARIOS = (
    "scenario", "probability", "profit", "end_value", "objective", "today_profit", "today_end_value",
)  # fmt: skip

COLUMNS = {
    "plan": PLAN,
    "segments": SEGMENTS,
    "resources": RESOURCES,
    "choices": CHOICES,
    "rules": RULES,
    "waterfall": WATERFALL,
    "waterfall_parts": PARTS,
    "scenarios": SCENARIOS,
}
