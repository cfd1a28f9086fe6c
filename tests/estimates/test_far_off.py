"""One price that is far off all others, as in percent: told with its row, and nothing else changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from cpm_opt.estimates.estimate import estimate
from cpm_opt.estimates.response.far_off import far_off
from cpm_opt.tables import read_instance


def points(prices: NDArray[np.float64], **other: object) -> dict[str, pd.DataFrame]:
    """Table price_points, or another, with nothing but prices."""
    lines = np.arange(2, len(prices) + 2)
    return {
        "price_points": pd.DataFrame({"lever": "", "segment": "a", "price": prices, "line": lines, **other})
    }


@pytest.mark.parametrize("times", [100.0, 0.01])
def test_a_price_in_percent_is_told_with_its_row(times: float) -> None:
    prices = np.random.default_rng(1).uniform(8, 12, 60)
    assert far_off(points(prices)) == ()
    prices[3] *= times
    (told,) = far_off(points(prices))
    assert (told.table, told.row, told.column, told.code, told.warning) == (
        "price_points",
        5,
        "price",
        "far-off",
        True,
    )
    assert told.value == f"{prices[3]:.6g}"
    assert f"{prices[3] / np.median(prices):.3g} times the median" in told.message
    assert "of 60 rows of segment a" in told.message


def test_prices_that_are_spread_wide_or_of_two_kinds_are_not_far_off() -> None:
    """Log-normal over four powers of ten, log-uniform over three, two kinds of 1 and 20, amounts from next to 0."""
    rng = np.random.default_rng(2)
    for n in (8, 60, 500):
        for prices in (
            np.exp(rng.normal(0, 1.5, n)),
            10 ** rng.uniform(0, 3, n),
            np.where(np.arange(n) % 3, 1.0, 20.0),
        ):
            assert far_off(points(prices)) == ()
    effort = points(np.ones(60))["price_points"].assign(effort=np.linspace(0.001, 9, 60))
    assert far_off({"efforts": effort}) == ()


def test_a_far_off_price_of_an_offer_does_not_keep_offers_from_the_plan(tmp_path: Path) -> None:
    """A warning is no fault: effects are made all the same, and the row is told with them."""
    rng = np.random.default_rng(3)
    price = rng.uniform(5, 10, 400).round(2)
    taken = rng.random(400) < 1 / (1 + np.exp(0.5 * (price - 7)))
    price[7], taken[7] = 0.07, True
    money = rng.gamma(9, 1 / 9, 400)
    rows = "".join(
        f"a,{p},{int(t)},{round(p * m, 2) if t else ''}\n"
        for p, t, m in zip(price, taken, money, strict=True)
    )
    rules = '[estimates.response]\nlever = "fee"\nbase_price = 7\n'
    files = {
        "instance.toml": '[instance]\nname = "x"\ntitle = "x"\ncurrency = "EUR"\nperiod = "month"\nsource = "x"\n'
        'licence = "x"\n' + rules,
        "offers.csv": "segment,price,accepted,revenue\n" + rows,
        "levers.csv": "lever,choice\nfee,single\n",
        "options.csv": "lever,option,base,price_change\nfee,now,true,0\nfee,up,false,0.1\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, "utf-8")
    found = estimate(read_instance(tmp_path))
    assert [fault.line() for fault in found.faults if not fault.warning] == []
    assert "effects" in found.frames
    assert [(fault.row, fault.value) for fault in found.faults if fault.code == "far-off"] == [(9, "0.07")]
