"""Do 95 % intervals cover the truth? Data sets are made with known answers, and estimated again and again.

    python benchmarks/coverage.py [--sets 2000]

Prints for each estimator (unshrunken; at least 40 clusters) how often its interval held the truth; wanted are 93.5 to
96.5 %. tests/estimates hold short versions.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cpm_opt.estimates.elasticity import fit_elasticities
from cpm_opt.estimates.hazard import fit_hazard
from cpm_opt.estimates.offers import fit_offers
from cpm_opt.estimates.trials import arm_effects
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


def main() -> None:
    """Prints a line an estimator."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=2000)
    sets = parser.parse_args().sets
    estimators: tuple[Callable[[int], Hits], ...] = (elasticity, take_up, churn, programme)
    for estimator in estimators:
        held: dict[str, list[bool]] = {}
        for seed in range(sets):
            for name, hit in estimator(seed):
                held.setdefault(name, []).append(hit)
        for name, hits in held.items():
            print(f"{name}: {np.mean(hits):.2%} of {len(hits)} intervals")


if __name__ == "__main__":
    main()
