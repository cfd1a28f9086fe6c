"""Do 95 % intervals cover the truth? Data sets are made with known answers, and estimated again and again.

    python benchmarks/coverage.py [--sets 2000]

Prints for each estimator (unshrunken; at least 40 clusters) how often its interval held the truth; wanted are 93.5 to
96.5 %. At the end the same of shrunken values, of which docs/response.md tells what to expect. tests/estimates hold
short versions.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import t

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cpm_opt.estimates.moves.hazard import fit_hazard
from cpm_opt.estimates.moves.move_effects import leaving_rates, move_effects
from cpm_opt.estimates.response.choices import fit_choices, slopes_of, spread_of
from cpm_opt.estimates.response.effort import fit_effort
from cpm_opt.estimates.response.elasticity import fit_elasticities
from cpm_opt.estimates.response.lever_rules import LeverRules
from cpm_opt.estimates.response.lever_terms import LeverTerms, OptionTerms
from cpm_opt.estimates.response.offers import fit_offers
from cpm_opt.estimates.response.price_points import fit_demand
from cpm_opt.estimates.response.shrinkage import shrink
from cpm_opt.estimates.response.trials import arm_effects
from tests.estimates.test_choices import made as choices_made
from tests.estimates.test_choices import rules as choice_rules
from tests.estimates.test_move_effects import by_logit
from tests.estimates.test_move_effects import truth as true_moves
from tests.estimates.test_offers import made
from tests.estimates.test_response import panel

Hits = Iterator[tuple[str, bool]]


def elasticity(seed: int) -> Hits:
    """45 clusters with a shock of their own on price and volume."""
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(45), 6)
    price = np.exp(rng.normal(0, 0.2, 45)[cluster] + rng.normal(0, 0.1, 270))
    log = 1 - 1.2 * np.log(price) + rng.normal(0, 0.3, 45)[cluster] + rng.normal(0, 0.3, 270)
    rows = pd.DataFrame({"segment": "all", "price": price, "volume": np.exp(log), "cluster": cluster})
    (found,) = fit_elasticities(rows)
    yield "elasticity", found.interval[0] <= -1.2 <= found.interval[1]


def demand(seed: int) -> Hits:
    """Elasticities of two segments in one design, and a covariate; 60 shops with shocks of their own."""
    return _demand(seed, 60, 0.1, 0.15, "demand")


def demand_between(seed: int) -> Hits:
    """The same with 45 shops, prices differing mostly between them: at the edge of what is wanted."""
    return _demand(seed, 45, 0.2, 0.1, "demand, prices between 45 shops,")


def _demand(seed: int, shops: int, between: float, within: float, what: str) -> Hits:
    rng = np.random.default_rng(seed)
    shop, segment = np.repeat(np.arange(shops), 6), np.tile([0, 1], 3 * shops)
    price = np.exp(rng.normal(0, between, shops)[shop] + rng.normal(0, within, 6 * shops))
    age = rng.normal(0, 1, 6 * shops)
    log = 1 - np.array([1.2, 2.0])[segment] * np.log(price) + 0.1 * age + rng.normal(0, 0.3, shops)[shop]
    volume = np.exp(log + rng.normal(0, 0.3, 6 * shops))
    points = pd.DataFrame(
        {"segment": np.array(["a", "b"])[segment], "price": price, "volume": volume, "potential": np.nan,
         "cluster": shop.astype(str), "lever": "", "age": age}
    )  # fmt: skip
    fit = fit_demand(points, LeverRules(**{"from": "price_points", "lever": "fee", "covariates": ["age"]}))
    reach = t.ppf(0.975, fit.df) * np.sqrt(np.diag(fit.covariance))
    for name, truth in (("elasticity[a]", -1.2), ("elasticity[b]", -2.0), ("age", 0.1)):
        k = fit.names.index(name)
        yield f"{what} {name}", bool(abs(fit.values[k] - truth) <= reach[k])


def choice(seed: int) -> Hits:
    """Slopes of two segments, a shelf and a brand, and what a price 10 % higher leaves of a share; 60 shops."""
    rows = choices_made(400, seed)
    fit = fit_choices(rows, choice_rules(covariates=["shelf"], constants="common", reference="nothing"))
    error = np.sqrt(np.diag(fit.covariance))
    for name, truth in {"price[a]": -0.4, "price[b]": -0.8, "shelf": 0.5, "constant[gold]": 3.8}.items():
        k = fit.names.index(name)
        yield f"choice {name}", bool(abs(fit.values[k] - truth) <= 1.96 * error[k])
    true = np.array([3.8, 3.0, 3.3, -0.4, -0.8, 0.5])  # by the names of constants, prices, shelf
    values, size = fit.nudged()
    price = np.array([6.6])
    ratio = fit.ratio("gold", price, 6.0, ("gold",))[:, 0, 0]
    reach = 1.96 * spread_of(
        slopes_of(fit.ratio("gold", price, 6.0, ("gold",), values)[:, :, 0, 0], size), fit.covariance
    )
    for off, own in zip(
        ratio - fit.ratio("gold", price, 6.0, ("gold",), true[None])[0, :, 0, 0], reach, strict=True
    ):
        yield "choice, share at a higher price", bool(abs(off) <= own)


def effort(seed: int) -> Hits:
    """What efforts of 2 and of 8 bring, by a logarithmic curve of 200 observations."""
    rng = np.random.default_rng(seed)
    made_effort = rng.uniform(0, 10, 200)
    fit = fit_effort(made_effort, 5 + 4 * np.log1p(made_effort / 2) + rng.normal(0, 1, 200), "log")
    amounts = np.array([2.0, 8.0])
    change, error = fit.difference(amounts, 0.0)
    for hit in np.abs(change - 4 * np.log1p(amounts / 2)) <= 1.96 * error:
        yield "effort", bool(hit)


def take_up(seed: int) -> Hits:
    """Slopes of acceptance of two segments."""
    offers = made(900, seed=seed, clusters=60)[["segment", "stratum", "price", "accepted", "cluster"]]
    fit = fit_offers(offers)
    part = fit.slopes("take_up")
    error = np.sqrt(np.diag(fit.covariance))[part]
    for truth, value, se in zip((-0.3, -0.1), fit.values[part], error, strict=True):
        yield "take_up", bool(abs(value - truth) <= 1.96 * se)


def churn(seed: int) -> Hits:
    """Terms of the hazard of 300 customers."""
    model = fit_hazard(panel(300, seed=seed).assign(tenure=np.nan)).model
    for name, truth in {"price": 4.0, "price_change": 2.0, "satisfaction[5]": -0.5}.items():
        yield f"churn {name}", abs(model.parameters[name] - truth) <= 1.96 * model.standard_errors[name]


def leaving_effect(seed: int) -> Hits:
    """What a price 10 % higher does to leaving, in force and when it comes: means over 300 customers' own terms."""
    data = panel(300, seed=seed).assign(tenure=np.nan)
    option = OptionTerms("tariff", "up", {"price": 1.1}, {"price_change": 0.1})
    terms = LeverTerms({"price": 1.0, "price_change": 0.0}, (option,))
    found = move_effects(leaving_rates(fit_hazard(data), data, np.eye(2), terms.base), terms)
    for s, segment in enumerate(("gold", "silver")):
        own = -2.5 - 0.5 * (data.loc[data["segment"] == segment, "satisfaction"] == 5)
        base, up, changed = (float((1 / (1 + np.exp(-(own + by)))).mean()) for by in (0.0, 0.4, 0.6))
        for e, (name, change) in enumerate((("in force", up - base), ("on change", changed - up))):
            error = 1.96 * found.se[e, s, -1]
            yield f"leaving, {name}", abs(found.changes[e, s, -1] - change) <= error


def moves(seed: int) -> Hits:
    """Rates of moves and what options do to them, by logits, 400 customers: 24 figures."""
    found, true = by_logit(400, seed), true_moves()
    values = np.concatenate([found.base[None], found.changes])
    errors = np.concatenate([found.base_se[None], found.se])
    hits = np.abs(values - true) <= 1.96 * errors
    for name, own in zip(("base", "price in force", "price change", "service"), hits, strict=True):
        for hit in own.ravel():
            yield f"moves, {name}", bool(hit)


def programme(seed: int) -> Hits:
    """A rate of 30 % that a call lifts by 10 points, 300 customers."""
    rng = np.random.default_rng(seed)
    treated = np.arange(300) % 2
    trials = pd.DataFrame(
        {"programme": "call", "segment": "", "cluster": "", "arm": np.where(treated, "phone", "control"),
         "outcome": (rng.random(300) < 0.3 + 0.1 * treated).astype(float)}
    )  # fmt: skip
    (found,) = arm_effects(trials)
    yield "programme", found.low <= 0.1 <= found.high


def shrunken(seed: int) -> Hits:
    """Values of segments that were drawn about one mean, once shrunken to it: by how many there are and how unlike."""
    rng = np.random.default_rng(seed)
    for segments in (2, 5, 20):
        for spread in (0.0, 1.0, 3.0):
            error = rng.uniform(0.5, 1.6, segments)
            true = rng.normal(5, spread, segments)
            found = shrink(true + rng.normal(0, error), error)
            for hit in np.abs(found.values - true) <= 1.96 * found.errors:
                yield f"shrunken, {segments} segments that differ by {spread:g} errors", bool(hit)


def main() -> None:
    """Prints a line an estimator."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=2000)
    sets = parser.parse_args().sets
    estimators: tuple[Callable[[int], Hits], ...] = (
        elasticity,
        demand,
        demand_between,
        choice,
        effort,
        take_up,
        churn,
        leaving_effect,
        moves,
        programme,
        shrunken,
    )
    for estimator in estimators:
        held: dict[str, list[bool]] = {}
        for seed in range(sets):
            for name, hit in estimator(seed):
                held.setdefault(name, []).append(hit)
        for name, hits in held.items():
            print(f"{name}: {np.mean(hits):.2%} of {len(hits)} intervals", flush=True)


if __name__ == "__main__":
    main()
