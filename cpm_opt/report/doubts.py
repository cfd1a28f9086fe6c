"""Doubts about the estimates that a plan rests on, in two sentences. In: the facts of a run. Out: `Explanation`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cpm_opt.faults import Fault
from cpm_opt.report.explanation import Explanation, Section

# Codes of doubts about estimates, the gravest first: a plan follows a wrong sign or unit whatever its size.
GRAVEST = (
    "positive-price-effect", "far-off", "percent", "percent-not-fraction", "no-price-effect", "not-in-plan",
    "outside-range", "counted-twice", "gross-margin", "impossible-rate", "impossible-combination", "never-varies",
    "counts-off-base", "last-period", "near-doubles", "thin-cell", "repeated-customers", "few-observations",
    "few-clusters", "no-error", "several-chosen", "blank-figures", "weak-estimate",
)  # fmt: skip


def with_doubts(explanation: Explanation, facts: Mapping[str, Any]) -> Explanation:
    """The explanation, and last how many doubts of which kind there are about the run's estimates, and the gravest."""
    told = [warning for warning in facts["warnings"] if warning["code"] in GRAVEST]
    if not told:
        return explanation
    told.sort(key=lambda warning: GRAVEST.index(warning["code"]))
    counts = Counter(str(warning["code"]) for warning in told)
    kinds = ", ".join(f"{code} {count}" for code, count in counts.items())
    names = ("table", "message", "remedy", "row", "column", "value", "code")
    first = Fault(**{name: told[0][name] for name in names}).line()
    sentences = (
        f"There are doubts about the estimates behind this plan ({kinds}); `cpm check` and `cpm estimate` list them.",
        f"The gravest: {first}.",
    )
    section = Section("doubts", "How far the estimates carry it", sentences)
    return replace(explanation, sections=(*explanation.sections, section))
