"""The loan offers of Karlan and Zinman (2008): planning tables of `instances/consumer-credit`, and tests of its tariff.

    python benchmarks/consumer_credit.py OFFERS.csv.gz [--tables FOLDER]     writes the tables, prints the studies

The raw file (openICPSR project 113240, CC BY 4.0) is not part of this project. What the README states is printed here;
what a tighter rule costs, by the `cpm sweep` that stands there. Tests compute the anchor, the tables, the split half.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from cpm_opt.estimates.response.offer_tables import (
    TariffPlan,
    flows,
    option_name,
    planning_frames,
    scenario_frame,
)
from cpm_opt.estimates.response.offers import OfferFit, acceptance_line, fit_offers, shrink_slopes

STANDARD = {"low": 7.75, "medium": 9.75, "high": 11.75}
BASE = 7.75
RATES = (3.75, 4.75, 5.75, 6.75, 7.75, 8.75, 9.75, 10.75, 11.75)
HOURS_PER_LOAN, HOUR, FUNDS = 1.5, 40.0, 0.05  # assumed: see the instance's README.md
DRAWS, SCENARIOS, SEED, SPLIT_SEED = 1000, 8, 2008, 2008
WINDOW = 0.5
MONEY = ("amount", "revenue", "loss")


def read_offers(path: Path) -> pd.DataFrame:
    """All offers: segment, band, stratum, cluster, price, accepted, amount, revenue, loss, within (the standard rate).

    Customers whose number of earlier loans is not known have segment "". `female` is not read.
    """
    columns = ["risk", "wave", "branchuse", "offer4", "tookup", "loansize", "grossinterest", "pstdue_average",
               "trcount", "normrate_less"]  # fmt: skip
    raw = pd.read_csv(path, usecols=columns)
    band = raw["risk"].str.lower()
    history = np.select([raw["trcount"] <= 1, raw["trcount"] <= 4], ["once", "few"], "many")
    history = np.where(
        (band != "high") & (history == "once"), "few", history
    )  # 10 loans, too few for a segment
    segment = np.where(raw["trcount"].notna(), band + "-" + history, "")
    return pd.DataFrame(
        {
            "segment": segment,
            "band": band,
            "stratum": raw["wave"].astype(str),
            "cluster": raw["branchuse"],
            "price": raw["offer4"],
            "accepted": raw["tookup"].astype(float),
            "amount": raw["loansize"].astype(float),
            "revenue": raw["grossinterest"],
            "loss": raw["pstdue_average"].fillna(0.0),
            "within": raw["normrate_less"] == 1,
        }
    )


def tariff(offers: pd.DataFrame) -> TariffPlan:
    """The plan of the instance: rates from 3.75 % a month up to each band's standard rate, one rate a band."""
    customers = offers[offers["segment"] != ""].groupby("segment").size()
    group = {str(name): str(name).split("-")[0] for name in customers.index}
    return TariffPlan(
        lever="rate",
        prices=RATES,
        base=BASE,
        highest={name: STANDARD[band] for name, band in group.items()},
        group=group,
        grouping="band",
        customers={str(name): float(n) for name, n in customers.items()},
        uses={"branch-hours": ("take_up", HOURS_PER_LOAN), "lending-capital": ("amount", 1.0)},
        current=STANDARD,
    )


def fitted(offers: pd.DataFrame) -> OfferFit:
    """Curves of the offers at or below the standard rate, slopes shrunk, errors clustered by branch."""
    return shrink_slopes(fit_offers(offers[offers["within"] & (offers["segment"] != "")]))


def profit_by_rate(
    fit: OfferFit, plan: TariffPlan, values: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """By band: profit of all its customers at each rate `[P]` (`[N, P]` for draws), net of arrears, hours and funds."""
    flow = flows(fit, plan, values)
    net = flow["margin"] - HOUR * HOURS_PER_LOAN * flow["take_up"] - FUNDS * flow["amount"]
    found = {}
    for band in STANDARD:
        share = np.array([plan.customers[s] * (plan.group[s] == band) for s in fit.segments])
        found[band] = np.einsum("...sp,s->...p", net, share)
    return found


def best_rates(fit: OfferFit, plan: TariffPlan) -> dict[str, float]:
    """The rate of each band that earns most, of those up to its standard rate; no rule binds bands together here."""
    profit = profit_by_rate(fit, plan)
    return {
        band: max(
            (p for p in plan.prices if p <= STANDARD[band]), key=lambda p: profit[band][plan.prices.index(p)]
        )
        for band in STANDARD
    }


def survival(fit: OfferFit, plan: TariffPlan) -> dict[str, tuple[float, float, float, float]]:
    """By band, over the draws: share in which the best rate stays the best; and what it earns more than the base rate
    (for low, which has the base as its standard rate, than the lowest), mean and 2.5 and 97.5 % points."""
    drawn = profit_by_rate(fit, plan, fit.draw(DRAWS, SEED))
    found = {}
    for band, rate in best_rates(fit, plan).items():
        allowed = [k for k, p in enumerate(plan.prices) if p <= STANDARD[band]]
        best = plan.prices.index(rate)
        other = plan.prices.index(BASE) if rate != BASE else allowed[0]
        gain = drawn[band][:, best] - drawn[band][:, other]
        kept = float((drawn[band][:, allowed].argmax(axis=1) == allowed.index(best)).mean())
        found[band] = (kept, float(gain.mean()), *(float(q) for q in np.quantile(gain, [0.025, 0.975])))
    return found


def split_half(offers: pd.DataFrame) -> tuple[dict[str, float], float, float, int]:
    """Rates chosen on one half; on the other, what an offer earns near them less what it earned at the rates as drawn.

    Near is within half a point below and above, up to the standard rate. Offers are compared within band and wave,
    where rates were drawn, and weighted by the cells of the half. Returns the rates, the gain per offer, its standard
    error, and the offers near. Profit is net of arrears, hours and funds, as in the plan.
    """
    used = offers[offers["within"] & (offers["segment"] != "")].reset_index(drop=True)
    first = np.random.default_rng(SPLIT_SEED).permutation(len(used)) < len(used) // 2
    rates = best_rates(shrink_slopes(fit_offers(used[first])), tariff(used[first]))
    half = used[~first]
    net = half["revenue"] - half["loss"] - FUNDS * half["amount"] - HOUR * HOURS_PER_LOAN * half["accepted"]
    near = (half["price"] - half["band"].map(rates)).abs() <= WINDOW + 1e-9
    gain, variance = 0.0, 0.0
    for _, cell in half.groupby(["band", "stratum"]):
        own, close = net[cell.index], near[cell.index]
        weight = len(cell) / len(half)
        apart = own[close].mean() - own.mean()
        influence = np.where(close, (own - own[close].mean()) / close.mean(), 0.0) - (own - own.mean())
        gain += weight * apart
        variance += weight**2 * float((influence**2).sum()) / len(cell) ** 2
    return rates, float(gain), float(np.sqrt(variance)), int(near.sum())


def audit(path: Path, rates: dict[str, float]) -> dict[str, tuple[int, float, float]]:
    """Of women and men: offers, mean rate as drawn, mean rate of the tariff. The one place that reads `female`."""
    raw = pd.read_csv(path, usecols=["female", "risk", "offer4"])
    planned = raw["risk"].str.lower().map(rates)
    found = {}
    for name, flag in (("women", 1), ("men", 0)):
        own = raw["female"] == flag
        found[name] = (int(own.sum()), float(raw["offer4"][own].mean()), float(planned[own].mean()))
    return found


def near_standard(offers: pd.DataFrame) -> dict[str, list[tuple[float, int, float, float]]]:
    """Without any curve, by band: for each of three points up to the standard rate, (upper end, offers, mean profit of
    an offer, its standard error)."""
    used = offers[offers["within"] & (offers["segment"] != "")]
    net = used["revenue"] - used["loss"] - FUNDS * used["amount"] - HOUR * HOURS_PER_LOAN * used["accepted"]
    found: dict[str, list[tuple[float, int, float, float]]] = {}
    for band, standard in STANDARD.items():
        for upper in (standard - 2, standard - 1, standard):
            own = net[
                (used["band"] == band) & (used["price"] > upper - 1 + 1e-9) & (used["price"] <= upper + 1e-9)
            ]
            found.setdefault(band, []).append((upper, len(own), float(own.mean()), float(own.sem())))
    return found


def write_tables(offers: pd.DataFrame, folder: Path) -> None:
    """Writes the estimated tables; resources, balance and instance.toml are stated and stay as they are."""
    fit, plan = fitted(offers), tariff(offers)
    frames = {**planning_frames(fit, plan), "scenarios": scenario_frame(fit, plan, DRAWS, SCENARIOS, SEED)}
    for name, frame in frames.items():
        for flag in frame.select_dtypes(bool):
            frame[flag] = frame[flag].map({True: "true", False: "false"})
        if "offered" in frame:
            frame["offered"] = frame["offered"].map(
                {True: "true", False: "false", "true": "true", "false": "false"}
            )
        frame.to_csv(folder / f"{name}.csv", index=False, float_format="%.7g", lineterminator="\n")


def main() -> None:
    """Prints the studies; with --tables, writes the tables first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("offers", type=Path)
    parser.add_argument("--tables", type=Path)
    chosen = parser.parse_args()
    offers = read_offers(chosen.offers)
    if chosen.tables:
        write_tables(offers, chosen.tables)
    for name, rows in (("at or below standard", offers[offers["within"]]), ("all", offers)):
        for clustered in (False, True):
            print(name, acceptance_line(rows, ("band", "stratum"), clustered))
    print("customers left out, earlier loans not known:", int((offers["segment"] == "").sum()))
    fit, plan = fitted(offers), tariff(offers)
    for outcome, found in fit.shrunken.items():
        print(f"slope of {outcome}: {found.mean:.4f} ({found.mean_se:.4f}), spread {found.spread:.4f}")
    profit, rates = profit_by_rate(fit, plan), best_rates(fit, plan)
    for band, by_rate in profit.items():
        line = {
            option_name(p): round(float(v))
            for p, v in zip(plan.prices, by_rate, strict=True)
            if p <= STANDARD[band]
        }
        print(band, "best", rates[band], line)
    print("survival", survival(fit, plan))
    print("without a curve", near_standard(offers))
    print("audit", audit(chosen.offers, rates))
    rates, gain, error, n = split_half(offers)
    low, high = gain - 1.96 * error, gain + 1.96 * error
    print(f"split half: {rates}, gain {gain:.2f} an offer ({low:.2f} to {high:.2f}), {n} offers near")


if __name__ == "__main__":
    main()
