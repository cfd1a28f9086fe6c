"""Doubts about estimates and about effects that are stated: told, and never repaired.

In: estimates, or planning tables. Out: `Lint`s with these codes:

- `positive-price-effect`: a higher price seems to sell more, or to lose fewer customers;
- `weak-estimate`: |t| below 2, so the sign itself is in doubt;
- `outside-range`: a price step beyond the prices that the data hold;
- `few-observations`: fewer than 10 customers (accepted or refused offers, rows) beyond the parameters;
- `percent-not-fraction`: a figure that looks like a percent where a fraction or a ratio belongs;
- `counted-twice`: a cost that stands in the margin and as use of a resource with a unit cost too;
- `few-clusters`: errors that rest on fewer than 40 clusters;
- `blank-figures`: figures of accepted offers that are blank, or of others that are stated;
- `no-error`: data that do not vary, so that no error is known;
- `gross-margin`: margin over revenue that is no gross margin, where none is stated;
- `near-doubles`: two alternatives between which more goes than their shares say;
- `impossible-rate`: effects that add to a rate of migration below 0 or above 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cpm_opt.estimates.lint.doubts import LINE
from cpm_opt.estimates.lint.words import PERCENT, WEAK, beyond, weak
from cpm_opt.estimates.response.choices import ChoiceFit
from cpm_opt.estimates.response.effort import EffortFit
from cpm_opt.estimates.response.elasticity import Elasticity
from cpm_opt.estimates.response.independence import Double
from cpm_opt.estimates.response.offer_faults import told_by
from cpm_opt.estimates.response.offers import CONDITIONAL, TAKE_UP, OfferFit
from cpm_opt.estimates.response.price_points import ELASTICITY, DemandFit
from cpm_opt.estimates.response.trials import ArmEffect
from cpm_opt.estimates.value.model_estimate import Lint, ModelEstimate

if TYPE_CHECKING:
    import pandas as pd

CLUSTERS = 40  # below this, errors summed within clusters are known to be too small
FREE = 10  # observations beyond the parameters, below which errors come out too small; see `few_left`
OF_A_CURVE = 2  # parameters of a segment's own in one curve: level and slope
FEW = 10  # customers of an arm below which outcomes that are not normal, such as 0 and 1, make intervals too short


def lint_elasticities(
    found: Iterable[Elasticity], steps: Sequence[float] = (), base: float = 0.0
) -> tuple[Lint, ...]:
    """Doubts about elasticities, and about price steps (fractions of the price `base`) to be planned with them."""
    told = []
    for e in found:
        place = ("observations", "price")
        if e.own_value > 0:
            told.append(Lint("positive-price-effect", *place, f"segment {e.segment}: elasticity {e.own_value:.4g} is "
                             "positive, so a higher price seems to sell more"))  # fmt: skip
        if abs(e.t) < WEAK:
            told.append(weak(*place, f"segment {e.segment}: elasticity", e.value, e.se))
        told += few_left(*place, e.segment, e.n, e.n - e.parameters)
        if abs(e.own_value) > PERCENT:
            told.append(Lint("percent-not-fraction", *place, f"segment {e.segment}: elasticity {e.own_value:.4g} is "
                             "far beyond any market's; are prices in percent?"))  # fmt: skip
        told += beyond(*place, e.segment, [base * (1.0 + step) for step in steps], e.low, e.high)
    return tuple(told)


def lint_offers(fit: OfferFit, prices: Mapping[str, Sequence[float]] | None = None) -> tuple[Lint, ...]:
    """Doubts about fitted offers; `prices` are those to be planned by segment."""
    told = []
    slopes = fit.slopes(TAKE_UP)
    value, error = fit.values[slopes], np.sqrt(np.diag(fit.covariance))[slopes]
    told += few_in_segments("offers", fit.segments, fit.clusters, fit.clusters_in if fit.by_segment else ())
    for s, name in enumerate(fit.segments):
        place = ("offers", "price")
        if value[s] > 0:
            told.append(Lint("positive-price-effect", *place, f"segment {name}: acceptance rises with the price "
                             f"({value[s]:.4g} in log-odds)"))  # fmt: skip
        if abs(value[s]) < WEAK * error[s]:
            told.append(weak(*place, f"segment {name}: slope of acceptance", value[s], error[s]))
        bring = fit.told[s] if len(fit.outcomes) > 1 else fit.accepted[s]
        least, kind = min(
            (fit.accepted[s], "accepted offers"),
            (bring, "accepted offers at the price that was offered"),
            (fit.offers[s] - fit.accepted[s], "refused offers"),
        )
        told += few_left(*place, name, int(least), least - OF_A_CURVE, kind)
        told += beyond(*place, name, (prices or {}).get(name, ()), fit.seen[s, 0], fit.seen[s, 1])
    return tuple(told)


def lint_offer_rows(offers: pd.DataFrame) -> tuple[Lint, ...]:
    """Doubts about what offers brought: blank where they were accepted, stated where they were not, and 0 in all of a
    segment or stratum, whose curve is then 0 there for certain."""
    import pandas as pd

    told = []
    taken = pd.Series(told_by(offers), index=offers.index)
    for name in CONDITIONAL:
        for part in ("segment", "stratum"):
            brought = offers[taken].groupby(part)[name].sum()
            nothing = [str(level) for level in brought.index[brought == 0.0]]
            if nothing and len(nothing) < len(brought):
                text = (
                    f"no accepted offer of {part} {', '.join(nothing[:5])} has a {name}, so a {name} of 0 counts as "
                    "certain there, and no error is known"
                )
                told.append(Lint("no-error", "offers", name, text))
    for name in CONDITIONAL:
        stated = offers[name].notna()
        blank = int((taken & ~stated).sum())
        idle = int(((offers["accepted"] == 0) & (offers[name].fillna(0.0) != 0.0)).sum())
        if blank and stated.any():
            text = f"{blank} of {int(taken.sum())} accepted offers have no {name}, and count as {name} 0"
            told.append(Lint("blank-figures", "offers", name, text))
        if idle:
            text = f"{idle} offers that were not accepted state {name}, which is not read"
            told.append(Lint("blank-figures", "offers", name, text))
    return tuple(told)


def lint_demand(fit: DemandFit, prices: Mapping[str, Sequence[float]] | None = None) -> tuple[Lint, ...]:
    """Doubts about curves of price points; `prices` are those to be planned by segment of the plan."""
    told = []
    place = ("price_points", "price")
    value = fit.values[fit.slopes]
    error = np.sqrt(np.diag(fit.covariance))[fit.slopes] if len(fit.values) else value
    elastic = fit.form == ELASTICITY
    told += few_in_segments(
        "price_points", fit.segments, fit.clusters, fit.clusters_in if fit.by_segment else ()
    )
    what = "elasticity" if elastic else "slope of the price"
    for s, name in enumerate(fit.segments):
        who = f"segment {name}" if name else "all segments"
        for planned in [list(row) for key, row in (prices or {}).items() if name in (key, "")]:
            # A stated curve refuses what is beyond its points where effects are made of it.
            told += beyond(*place, name, planned, fit.seen[s, 0], fit.seen[s, 1])
        if not len(value):
            told += _rising(fit, s, who)
            continue
        if value[s] > 0:
            told.append(Lint("positive-price-effect", *place, f"{who}: {what} {value[s]:.4g} is positive, so a higher "
                             "price seems to sell more"))  # fmt: skip
        if abs(value[s]) < WEAK * error[s]:
            told.append(weak(*place, f"{who}: {what}", value[s], error[s]))
        if fit.by_segment and not fit.clusters:  # few clusters are told by themselves
            told += few_left(*place, name, int(fit.counts[s]), fit.free[s])
        if elastic and abs(value[s]) > PERCENT:
            told.append(Lint("percent-not-fraction", *place, f"{who}: elasticity {value[s]:.4g} is far beyond any "
                             "market's; are prices in percent?"))  # fmt: skip
    if not fit.by_segment and not fit.clusters and len(value):
        told += few_left(*place, "", fit.n, sum(fit.free))
    return tuple(dict.fromkeys(told))


def lint_choices(
    fit: ChoiceFit,
    alternative: str | None = None,
    prices: Mapping[str, Sequence[float]] | None = None,
    relative: bool = False,
) -> tuple[Lint, ...]:
    """Doubts about a logit of choices; `prices` are those to be planned for the alternative, by segment of the plan
    (`relative`: so many times the mean of those that stood)."""
    design, place = fit.design, ("choices", "price")
    apart = fit.clusters > 0 and design.prices.stop - design.prices.start > 1
    segment = design.of_row[design.begins]
    own = [len(np.unique(design.cluster[segment == s])) for s in range(len(design.segments))] if apart else []
    told = few_in_segments("choices", design.segments, fit.clusters, own)
    error = np.sqrt(np.diag(fit.covariance))
    seen = {} if alternative is None else design.seen(alternative)
    count = np.bincount(design.of_row[design.begins], weights=design.weight)
    for s, name in enumerate(design.segments):
        k, who = design.slope_of(s), f"segment {name}" if name else "all segments"
        for planned in [
            list(row) for key, row in (prices or {}).items() if name in (key, "") and name in seen
        ]:
            low, mean, high = seen[name]
            told += beyond(
                *place, name, [price * (mean if relative else 1.0) for price in planned], low, high
            )
        if fit.values[k] > 0:
            told.append(Lint("positive-price-effect", *place, f"{who}: utility rises with the price "
                             f"({fit.values[k]:.4g}), so a higher price seems to sell more"))  # fmt: skip
        if abs(fit.values[k]) < WEAK * error[k]:
            told.append(weak(*place, f"{who}: price in the utility", fit.values[k], error[k]))
        parameters = sum(f"[{name}]" in column for column in design.names) if name else len(design.names)
        told += few_left(*place, name, int(count[s]), count[s] - parameters)
    return tuple(dict.fromkeys(told))


def lint_doubles(found: Iterable[Double]) -> tuple[Lint, ...]:
    """Doubts about a logit in which two alternatives are nearly one thing."""
    told = []
    for double in found:
        text = (
            f"{' and '.join(double.alternatives)} are chosen as if they were nearly one thing (score {double.z:.1f} "
            "standard errors off a logit's), so more than their shares say goes from one to the other"
        )
        told.append(Lint("near-doubles", "choices", "alternative", text))
    return tuple(told)


def _rising(fit: DemandFit, s: int, who: str) -> list[Lint]:
    """A stated curve on which a higher price sells more."""
    own = fit.observed[fit.observed[:, 0] == s]
    own = own[np.argsort(own[:, 1])]
    if (np.diff(own[:, 2]) <= 0).all():
        return []
    text = f"{who}: of the stated points one with a higher price sells more"
    return [Lint("positive-price-effect", "price_points", "volume", text)]


def lint_effort(fit: EffortFit, segment: str, efforts: Sequence[float] = ()) -> tuple[Lint, ...]:
    """Doubts about a curve of effort; `efforts` are those of the options to be planned."""
    told = []
    who = f"segment {segment}" if segment else "all segments"
    scale, error = float(fit.values[1]), float(fit.errors[1])
    told += few_clusters("efforts", f"{who}: ", fit.clusters)
    if abs(scale) < WEAK * error:
        told.append(weak("efforts", "effort", f"{who}: scale of the {fit.form} curve", scale, error))
    planned = [fit.nearly_seen(effort) for effort in efforts]
    told += beyond("efforts", "effort", segment, planned, fit.low, fit.high)
    return tuple(told)


def lint_arms(arms: Iterable[ArmEffect]) -> tuple[Lint, ...]:
    """Doubts about effects of programmes: outcomes that do not vary, and errors that rest on few clusters."""
    told = []
    for arm in arms:
        who = f"programme {arm.programme}, {arm.arm}{f'[{arm.segment}]' if arm.segment else ''}"
        told += few_clusters("trials", f"{who}: ", arm.clusters)
        if min(arm.treated, arm.control) < FEW:
            text = (
                f"{who}: {arm.treated} customers against {arm.control}; with fewer than {FEW} an interval is right "
                "only where outcomes are about normal"
            )
            told.append(Lint("few-observations", "trials", "outcome", text))
        if np.isnan(arm.se):
            text = (
                f"{who}: the outcomes of the arm and of the control do not vary ({arm.treated} and {arm.control} "
                "customers), or not between clusters, so no standard error is known"
            )
            told.append(Lint("no-error", "trials", "outcome", text))
    return tuple(told)


def few_clusters(table: str, who: str, clusters: int) -> list[Lint]:
    """The doubt about errors that rest on few clusters (0: errors rest on none)."""
    if not 0 < clusters < CLUSTERS:
        return []
    text = f"{who}errors rest on {clusters} clusters, and with fewer than {CLUSTERS} they come out too small"
    return [Lint("few-clusters", table, "cluster", text)]


def few_in_segments(table: str, segments: Sequence[str], whole: int, own: Sequence[int]) -> list[Lint]:
    """The same where slopes are by segment: each rests on the clusters that its segment lies in, `own[S]`."""
    if all(count == whole for count in own):  # each segment lies in all of them, or a slope is common to all
        return few_clusters(table, "", whole)
    return [
        doubt
        for name, count in zip(segments, own, strict=True)
        for doubt in few_clusters(table, f"segment {name}: " if name else "", count)
    ]


def lint_model(model: ModelEstimate, table: str) -> tuple[Lint, ...]:
    """Doubts about a model of leaving: weak terms, a price whose rise seems to keep customers, too few rows."""
    told = []
    if not model.converged:
        return (Lint("not-converged", table, "", f"model {model.name}: {model.message}"),)
    for name, value in model.parameters.items():
        if name.startswith("intercept"):
            continue
        column = name.partition("[")[0]
        error = model.standard_errors[name]
        if name in ("price", "price_change") and value < 0:
            told.append(Lint("positive-price-effect", table, column, f"model {model.name}: fewer leave at a higher "
                             f"{name} ({value:.4g} in log-odds)"))  # fmt: skip
        if abs(value) < WEAK * error:
            told.append(weak(table, column, f"model {model.name}: {name}", value, error))
    return tuple(told)


def lint_panel(panel: pd.DataFrame) -> tuple[Lint, ...]:
    """Doubts about the panel itself: prices that are no ratios, segments with too few rows."""
    told = []
    prices = panel["price"].fillna(0.0)
    if float(prices.max()) > PERCENT:
        first = panel.iloc[int(np.argmax(prices.to_numpy()))]
        text = f"is {float(first['price']):.4g} times today's price; 1 is today's, 1.05 is 5 % more"
        row = int(first[LINE]) if LINE in panel else None
        told.append(Lint("percent-not-fraction", "panel", "price", text, row, f"{float(first['price']):.6g}"))
    counts = panel.groupby("segment")["customer"].nunique()
    for (
        name,
        n,
    ) in counts.items():  # rows of one customer hang together, and a level of leaving is the segment's own
        told += few_left("panel", "segment", str(name), int(n), n - 1, "customers")
    return tuple(told)


def few_left(
    table: str, column: str, segment: str, n: int, free: float, kind: str = "customers or observations"
) -> list[Lint]:
    """The doubt about `n` observations that leave fewer than 10 beyond the parameters, `free`.

    Errors are read with 1.96 of them as 95 %. With f observations beyond the parameters that is Student's t with f
    degrees of freedom at best (of least squares with equal variance), which holds the truth 92.2 % of the time at 10,
    89.3 % at 5 and 81.1 % at 2; robust errors and likelihoods do worse.
    """
    if free >= FREE:
        return []
    who = f"segment {segment}" if segment else "all segments"
    text = f"{who}: {n} {kind}, {free:.3g} more than parameters: with fewer than {FREE} errors come out too small"
    return [Lint("few-observations", table, column, text)]
