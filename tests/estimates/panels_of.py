"""Panels whose truth is known: customers who move between segments, or leave, by logits of price and service."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

SEGMENTS = ("gold", "silver")
# Log-odds against staying: (to the other segment, out), by segment; then what moves them.
INTERCEPT = {"gold": (-1.8, -2.2), "silver": (-2.0, -1.6)}
PRICE = {"gold": (2.0, 3.0), "silver": (1.0, 4.0)}  # per unit of price - 1
CHANGE = (0.0, 2.0)  # per unit of price_change
PERSONAL = {"gold": (-0.3, -0.8), "silver": (0.6, -0.5)}
PRICES = (0.9, 1.0, 1.1)


def true_rates(segment: str, price: float, change: float, personal: bool) -> Numbers:
    """`[3]`: to gold, to silver, out."""
    index = [
        INTERCEPT[segment][k]
        + PRICE[segment][k] * (price - 1)
        + CHANGE[k] * change
        + PERSONAL[segment][k] * personal
        for k in (0, 1)
    ]
    odds = np.exp([0.0, *index])
    stay, other, out = odds / odds.sum()
    return np.array([stay, other, out] if segment == "gold" else [other, stay, out])


def moving_panel(customers: int, seed: int, periods: int = 6) -> pd.DataFrame:
    """Prices change at random from period to period, a customer has one service all along."""
    rng = np.random.default_rng(seed)
    tables = {
        (segment, price, before, personal): true_rates(segment, price, price - before, personal).cumsum()
        for segment in SEGMENTS
        for price in PRICES
        for before in PRICES
        for personal in (False, True)
    }
    rows = []
    for customer in range(customers):
        segment, before = SEGMENTS[int(rng.random() < 0.5)], 1.0
        personal = bool(rng.random() < 0.4)
        for period in range(periods):
            price = PRICES[int(rng.integers(3))]
            draw = int((rng.random() > tables[segment, price, before, personal]).sum())
            rows.append((f"c{customer}", period, segment, int(draw == 2), price, price - before,
                         "personal" if personal else ""))  # fmt: skip
            if draw == 2:
                break
            segment, before = SEGMENTS[draw], price
    columns = ["customer", "period", "segment", "left", "price", "price_change", "service"]
    return pd.DataFrame(rows, columns=columns)


def read_shape(panel: pd.DataFrame) -> pd.DataFrame:
    """The panel as the reader hands it on, with the columns that it leaves out."""
    blank = {"satisfaction": 0, "complaints": 0.0, "tenure": np.nan, "programme": ""}
    return panel.assign(**{name: value for name, value in blank.items() if name not in panel})


RESPONSE = """
[[estimates.response.levers]]
lever = "tariff"
from = "panel"
term = "price"

[[estimates.response.levers]]
lever = "care"
from = "panel"
term = "service"
"""

TABLES: Mapping[str, str] = {
    "segments": "segment,customers,margin\ngold,1000,30\nsilver,2000,12\n",
    "levers": "lever,choice,scope\ntariff,single,all\ncare,mix,segment\n",
    "options": "lever,option,base,price_change\ntariff,today,true,0\ntariff,up,false,0.1\n"
    "care,usual,true,0\ncare,personal,false,0\n",
    "effects": "segment,lever,option,margin\ngold,tariff,up,6\nsilver,tariff,up,3\n"
    "gold,care,personal,-2\nsilver,care,personal,-1.5\n",
}


def instance(folder: Path, panel: pd.DataFrame, settings: str, **tables: str) -> Path:
    """An instance with a raw panel, levers tariff and care, and these settings after `[instance]`."""
    head = (
        '[instance]\nname = "moves"\ntitle = "Moves"\ncurrency = "EUR"\nperiod = "month"\nsource = "made"\n'
    )
    folder.mkdir(exist_ok=True)
    (folder / "instance.toml").write_text(f'{head}licence = "none"\n{settings}', "utf-8")
    for name, text in {**TABLES, **tables}.items():
        (folder / f"{name}.csv").write_text(text, "utf-8")
    panel.to_csv(folder / "panel.csv", index=False)
    return folder
