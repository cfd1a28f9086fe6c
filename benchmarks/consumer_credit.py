"""The loan offers of Karlan and Zinman (2008): planning tables of `instances/consumer-credit`, and tests of its tariff.

    python benchmarks/consumer_credit.py OFFERS [--tables FOLDER]     prints the studies, and writes the tables

OFFERS is the file of openICPSR project 113240 (kz_demandelasts_aer08.dta, or the same as .csv or .csv.gz), which is not
part of this project. Figures of money rest on the contracts at the rate that was offered (`contract_price` of table
offers). What the README states is printed here; what a tighter rule costs, by the `cpm sweep` that stands there.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import statsmodels.formula.api as smf

from cpm_opt.estimates.response.offer_faults import SAME
from cpm_opt.estimates.response.offer_tables import TariffPlan, flows, planning_frames, tariff_scenarios
from cpm_opt.estimates.response.offers import OfferFit, acceptance_line, fit_offers, shrink_slopes
from cpm_opt.estimates.uncertainty.estimate_scenarios import Reduced

STANDARD = {"low": 7.75, "medium": 9.75, "high": 11.75}
BASE = 7.75
RATES = (3.75, 4.75, 5.75, 6.75, 7.75, 8.75, 9.75, 10.75, 11.75)
HOURS_PER_LOAN, HOUR, FUNDS = 1.5, 40.0, 0.05  # assumed: see the instance's README.md
DRAWS, SCENARIOS, SEED, SPLIT_SEED = 1000, 8, 2008, 2008
WINDOW = 0.5
POINTS = 4  # up to the standard rate that are looked at without a curve
CONTROLS = ("band", "stratum")
# Slope and standard error as the paper prints them, and who they are of (its tables 3, 4 and 5).
PAPER = {
    "take-up": ("accepted", "within", -0.0024, 0.0005),
    "loan, an offer": ("amount", "contract", -4.368, 1.093),
    "loan, a borrower": ("amount", "borrowers", -25.876, 12.994),
    "gross interest, an offer": ("revenue", "contract", 2.553, 0.438),
    "past due, a borrower": ("loss", "borrowers", 12.161, 3.523),
}


def read_raw(path: Path, columns: list[str]) -> pd.DataFrame:
    """Columns of the file, .dta or .csv."""
    if path.suffix == ".dta":
        return pd.read_stata(path, columns=columns)
    return pd.read_csv(path, usecols=columns)


def read_offers(path: Path) -> pd.DataFrame:
    """All offers: segment, band, stratum, cluster, price, contract_price, accepted, amount, revenue, loss, within (the
    standard rate), same (contract and offer).

    Customers whose number of earlier loans is not known have segment "". `female` is not read.
    """
    columns = ["risk", "wave", "branchuse", "offer4", "final4", "tookup", "loansize", "grossinterest", "pstdue_average",
               "trcount", "normrate_less"]  # fmt: skip
    raw = read_raw(path, columns)
    band = raw["risk"].astype(str).str.lower()
    history = np.select([raw["trcount"] <= 1, raw["trcount"] <= 4], ["once", "few"], "many")
    # Of low and medium customers 10 with one loan accepted at the contract that was offered: too few for a segment.
    history = np.where((band != "high") & (history == "once"), "few", history)
    price, contract = (raw[name].astype(float).round(6) for name in ("offer4", "final4"))
    return pd.DataFrame(
        {
            "segment": np.where(raw["trcount"].notna(), band + "-" + history, ""),
            "band": band,
            "stratum": raw["wave"].astype(str),
            "cluster": raw["branchuse"].astype(str),
            "price": price,
            "contract_price": contract,
            "accepted": raw["tookup"].astype(float),
            "amount": raw["loansize"].astype(float),
            "revenue": raw["grossinterest"].astype(float),
            "loss": raw["pstdue_average"].astype(float).fillna(0.0),
            "within": raw["normrate_less"] == 1,
            "same": (contract - price).abs() <= SAME,
        }
    )


def usable(offers: pd.DataFrame) -> pd.DataFrame:
    """Offers at or below the standard rate to customers whose earlier loans are known."""
    return offers[offers["within"] & (offers["segment"] != "")].reset_index(drop=True)


def net(offers: pd.DataFrame) -> pd.Series:
    """Profit of each offer: interest less arrears, funds and hours."""
    hours = HOUR * HOURS_PER_LOAN * offers["accepted"]
    return offers["revenue"] - offers["loss"] - FUNDS * offers["amount"] - hours


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
    """Curves of the usable offers, slopes shrunk, errors clustered by branch."""
    return shrink_slopes(fit_offers(usable(offers)))


def by_band(fit: OfferFit, plan: TariffPlan, of: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What figures per offer `[..., S, P, ...]` make of all customers of a band, net of arrears, hours and funds."""
    each = of["revenue"] - of["loss"] - HOUR * HOURS_PER_LOAN * of["take_up"] - FUNDS * of["amount"]
    share = {b: np.array([plan.customers[s] * (plan.group[s] == b) for s in fit.segments]) for b in STANDARD}
    axis = "spk,s->pk" if each.shape[-1] == len(fit.values) else "...sp,s->...p"
    return {band: np.einsum(axis, each, share[band]) for band in STANDARD}


def profit_by_rate(
    fit: OfferFit, plan: TariffPlan, values: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """By band: profit of all its customers at each rate `[P]` (`[N, P]` for draws)."""
    return by_band(fit, plan, flows(fit, plan, values))


def best_rates(fit: OfferFit, plan: TariffPlan) -> dict[str, float]:
    """The rate of each band that earns most, of those up to its standard rate; no rule binds bands together here."""
    profit = profit_by_rate(fit, plan)
    return {
        band: max((p for p in RATES if p <= STANDARD[band]), key=lambda p: profit[band][RATES.index(p)])
        for band in STANDARD
    }


def profits(fit: OfferFit, plan: TariffPlan) -> pd.DataFrame:
    """By band and in all, in money a quarter with joint standard errors (delta method): profit at the standard rate,
    what the last point of it brings, and in which part of the draws no lower rate is better (in all: in every band)."""
    profit, drawn = profit_by_rate(fit, plan), profit_by_rate(fit, plan, fit.draw(DRAWS, SEED))
    slopes = by_band(fit, plan, fit.jacobian(np.array(RATES)))
    rows, best = [], np.ones(DRAWS, dtype=bool)
    whole = {"profit": np.zeros(2), "step": np.zeros(2)}
    along = {name: np.zeros(len(fit.values)) for name in whole}
    for band, standard in STANDARD.items():
        at = RATES.index(standard)
        own = drawn[band][:, : at + 1].argmax(axis=1) == at
        best &= own
        of = {"profit": (profit[band][at], slopes[band][at]),
              "step": (profit[band][at] - profit[band][at - 1], slopes[band][at] - slopes[band][at - 1])}  # fmt: skip
        row: dict[str, object] = {"band": band}
        for name, (value, slope) in of.items():
            row |= {name: value, f"{name}_se": np.sqrt(slope @ fit.covariance @ slope)}
            whole[name][0] += value
            along[name] += slope
        rows.append({**row, "best": own.mean()})
    total = {name: value[0] for name, value in whole.items()}
    errors = {f"{name}_se": np.sqrt(slope @ fit.covariance @ slope) for name, slope in along.items()}
    rows.append({"band": "all", **total, **errors, "best": best.mean()})
    return pd.DataFrame(rows)


def weighted(offers: pd.DataFrame, which: pd.Series) -> tuple[float, np.ndarray]:
    """Mean profit of an offer of `which`, by band and wave, where rates were drawn, these weighted by all `offers`; and
    how far each offer moves it (their squares add to its variance)."""
    profit, mean, influence = net(offers), 0.0, np.zeros(len(offers))
    cells = offers.groupby(list(CONTROLS)).ngroup().to_numpy()
    for cell in range(cells.max() + 1):
        here = cells == cell
        own = here & which.to_numpy()
        level = profit[own].mean()
        mean += level * here.mean()
        influence[own] = (profit[own] - level) / own.sum() * here.mean()
    return float(mean), influence


def apart(offers: pd.DataFrame, which: pd.Series, other: pd.Series) -> tuple[float, float]:
    """`weighted` mean of `which` less that of `other`, and its standard error."""
    (mean, influence), (less, against) = weighted(offers, which), weighted(offers, other)
    return mean - less, float(np.sqrt(((influence - against) ** 2).sum()))


def split_half(offers: pd.DataFrame) -> tuple[dict[str, float], pd.DataFrame]:
    """Rates chosen on one half of the offers; on the other, by band and in all, what an offer near them earned more
    than one at the rates as drawn (`drawn`), and than one a point lower (`lower`), with standard errors.

    Near is within half a point below and above, up to the standard rate. Of the other half those offers count whose
    contract is at the rate offered.
    """
    used = usable(offers)
    first = np.random.default_rng(SPLIT_SEED).permutation(len(used)) < len(used) // 2
    rates = best_rates(fitted(used[first]), tariff(used[first]))
    half = used[~first & used["same"]]
    rows = []
    for band in (*STANDARD, "all"):
        own = half if band == "all" else half[half["band"] == band]
        distance = own["price"] - own["band"].map(rates)
        near = distance.abs() <= WINDOW + SAME
        lower = (distance + 1.0).abs() <= WINDOW + SAME
        gain = (apart(own, near, near | True), apart(own, near, lower & ~near))
        rows.append((band, int(near.sum()), *gain[0], *gain[1]))
    return rates, pd.DataFrame(rows, columns=["band", "near", "drawn", "drawn_se", "lower", "lower_se"])


def without_curve(offers: pd.DataFrame) -> pd.DataFrame:
    """By band, for each of four points up to the standard rate: offers, mean profit of an offer with its standard
    error, and what an offer of the last point earns more. Offers whose contract is at the rate offered."""
    used = usable(offers)
    used = used[used["same"]]
    rows = []
    for band, standard in STANDARD.items():
        own = used[used["band"] == band]
        below = np.floor((standard - own["price"]).round(6))
        for point in range(POINTS):
            mean, influence = weighted(own, below == point)
            more = apart(own, below == 0, below == point) if point else (np.nan, np.nan)
            error = float(np.sqrt((influence**2).sum()))
            rows.append((band, standard - point, int((below == point).sum()), mean, error, *more))
    return pd.DataFrame(rows, columns=["band", "rate", "offers", "profit", "profit_se", "last", "last_se"])


def bends(offers: pd.DataFrame) -> pd.DataFrame:
    """By band a parabola of profit by rate, within wave and segment, errors clustered by branch: its slope at the
    standard rate, in rand an offer and point, and the p-value of its bend."""
    used = usable(offers)
    used = used[used["same"]].assign(net=net)
    rows = []
    for band, standard in STANDARD.items():
        own = used[used["band"] == band]
        own = own.assign(x=own["price"] - standard)
        groups = {"groups": pd.factorize(own["cluster"])[0]}
        found = smf.ols("net ~ x + I(x**2) + C(stratum) + C(segment)", own).fit(
            cov_type="cluster", cov_kwds=groups
        )
        rows.append((band, found.params["x"], found.bse["x"], found.pvalues["I(x ** 2)"]))
    return pd.DataFrame(rows, columns=["band", "slope", "slope_se", "p"])


def paper_lines(offers: pd.DataFrame) -> pd.DataFrame:
    """Least squares on rate, band and wave as in the paper's tables 3 to 5: slope, its standard error, offers, and what
    the paper prints. Money of offers (or borrowers) whose contract is at the rate offered, errors by branch."""
    contract = offers["within"] & offers["same"]
    who = {"within": offers["within"], "contract": contract, "borrowers": contract & (offers["accepted"] > 0)}
    rows = []
    for name, (column, kind, *printed) in PAPER.items():
        own = offers[who[kind]]
        found = acceptance_line(own.assign(accepted=own[column]), CONTROLS, kind != "within")
        rows.append((name, found.n, found.slope, found.slope_se, *printed))
    return pd.DataFrame(rows, columns=["line", "n", "slope", "slope_se", "paper", "paper_se"])


def audit(path: Path, rates: dict[str, float]) -> pd.DataFrame:
    """Of women and men: offers, mean rate as drawn, mean rate of the tariff. The one place that reads `female`."""
    raw = read_raw(path, ["female", "risk", "offer4"])
    raw["tariff"] = raw["risk"].astype(str).str.lower().map(rates)
    found = raw.groupby(raw["female"].map({1: "women", 0: "men"})).agg(
        offers=("offer4", "size"), drawn=("offer4", "mean"), tariff=("tariff", "mean")
    )
    return found.rename_axis("who").reset_index()


def write_tables(offers: pd.DataFrame, folder: Path) -> None:
    """Writes the estimated tables; resources, balance and instance.toml are stated and stay as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    fit, plan = fitted(offers), tariff(offers)
    frames = {**planning_frames(fit, plan), "scenarios": scenarios(fit, plan).frame}
    for name, frame in frames.items():
        for flag in frame.select_dtypes(bool):
            frame[flag] = frame[flag].map({True: "true", False: "false"})
        if "offered" in frame:
            frame["offered"] = frame["offered"].map(
                {True: "true", False: "false", "true": "true", "false": "false"}
            )
        frame.to_csv(folder / f"{name}.csv", index=False, float_format="%.7g", lineterminator="\n")


def scenarios(fit: OfferFit, plan: TariffPlan) -> Reduced:
    """Those of the instance."""
    return tariff_scenarios(fit, plan, DRAWS, SCENARIOS, SEED)


def show(title: str, frame: pd.DataFrame, digits: int = 2) -> None:
    """Prints a table; a column NAME_se stands in brackets behind NAME."""
    told = pd.DataFrame(index=frame.index)
    for name, column in frame.items():
        if str(name).endswith("_se"):
            continue
        if not pd.api.types.is_float_dtype(column):
            told[name] = column.map(lambda cell: f"{cell:,}" if isinstance(cell, int) else cell)
            continue
        errors = frame.get(f"{name}_se", pd.Series(np.nan, frame.index))
        told[name] = [
            "" if np.isnan(cell) else f"{cell:,.{digits}f}" + ("" if np.isnan(se) else f" ({se:,.{digits}f})")
            for cell, se in zip(column, errors, strict=True)
        ]
    print(f"\n{title}\n\n{told.to_string(index=False)}")


def tell_fit(offers: pd.DataFrame, fit: OfferFit) -> None:
    """Prints what was fitted to what, and the slopes."""
    print(f"{len(offers):,} offers, {int((offers['segment'] == '').sum())} of them without earlier loans known, "
          f"{int(fit.offers.sum()):,} fitted; {int(fit.accepted.sum()):,} accepted, {int(fit.told.sum()):,} of them "
          "at the rate offered")  # fmt: skip
    known = offers[offers["segment"] != ""]
    lent = known.groupby("band")["amount"].sum()
    print(f"lent to the {len(known):,} customers, at whatever rate: {lent.sum():,.0f} rand, "
          f"{lent['high'] / lent.sum():.2%} of it to the high band")  # fmt: skip
    show("Least squares as in the paper (standard error)", paper_lines(offers), 4)
    for name, rows in (
        ("at or below the standard rate", offers[offers["within"]]),
        ("of all offers", offers),
    ):
        print(f"\nElasticity of acceptance {name}: {acceptance_line(rows, CONTROLS).elasticity:.2f}", end="")
    print()
    whole = [(name, found.mean, found.mean_se, found.spread) for name, found in fit.shrunken.items()]
    show("Slopes of the whole", pd.DataFrame(whole, columns=["curve", "slope", "slope_se", "spread"]), 3)
    own = fit_offers(usable(offers))
    slopes = {"segment": list(fit.segments)}
    for name, of in (("own", own), ("shrunken", fit)):
        part = of.slopes("take_up")
        slopes |= {name: of.values[part], f"{name}_se": np.sqrt(np.diag(of.covariance))[part]}
    show("Slopes of take-up by segment", pd.DataFrame(slopes), 3)


def tell_plan(fit: OfferFit, plan: TariffPlan) -> dict[str, float]:
    """Prints profit by rate and how sure it is; returns the best rates."""
    rates = best_rates(fit, plan)
    profit = {
        band: np.where(np.array(RATES) <= STANDARD[band], found / 1000.0, np.nan)
        for band, found in profit_by_rate(fit, plan).items()
    }
    table = pd.DataFrame.from_dict(profit, orient="index", columns=[f"{p:.2f}" for p in RATES])
    show("Profit a quarter by rate, thousand rand", table.rename_axis("band").reset_index(), 0)
    sure = profits(fit, plan)
    sure[["profit", "profit_se", "step", "step_se"]] /= 1000.0
    show("At the standard rates, and what their last point brings (joint standard error); part of the draws in which "
         "they are the best", sure)  # fmt: skip
    reduced = scenarios(fit, plan)
    print(f"\n{SCENARIOS} scenarios of {DRAWS:,} draws: by themselves they keep {reduced.spread[0]:.0%} of the draws' "
          f"standard deviation in money (median; least {reduced.spread[1]:.0%}); factors are moved to all draws' mean "
          f"and {reduced.stretch:.0%} of their spread")  # fmt: skip
    return rates


def main() -> None:
    """Prints the studies; with --tables, writes the tables first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("offers", type=Path)
    parser.add_argument("--tables", type=Path)
    chosen = parser.parse_args()
    if not chosen.offers.is_file():
        parser.error(f"{chosen.offers}: no such file; get it from openICPSR project 113240")
    offers = read_offers(chosen.offers)
    if chosen.tables:
        write_tables(offers, chosen.tables)
    fit = fitted(offers)
    tell_fit(offers, fit)
    rates = tell_plan(fit, tariff(offers))
    show("Without a curve, rand an offer: profit in the point up to a rate, and what the last point earns more",
         without_curve(offers))  # fmt: skip
    show(
        "A parabola of profit by rate: its slope at the standard rate, rand a point, and p of its bend",
        bends(offers),
        3,
    )
    best, held = split_half(offers)
    chosen_rates = ", ".join(f"{band} {rate}" for band, rate in best.items())
    show(f"Rates chosen on one half: {chosen_rates}. On the other half, rand that an offer near them earns more "
         "than at the rates as drawn, and than a point lower", held)  # fmt: skip
    terms = read_raw(chosen.offers, ["risk", "tookup", "term"])
    months = terms[terms["tookup"] == 1].groupby("risk")["term"].mean()
    print(
        "\nMonths that a loan runs: "
        + ", ".join(f"{band.lower()} {mean:.1f}" for band, mean in months.items())
    )
    show("Audit: mean rate", audit(chosen.offers, rates), 3)


if __name__ == "__main__":
    main()
