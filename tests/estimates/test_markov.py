"""The value of a Markov chain against the figures of its authors, and against what must hold of any chain."""

from __future__ import annotations

import numpy as np
import pytest

from cpm_opt.estimates.value.markov import Numbers, chain_value, chain_value_error

PURCHASE, CONTACT, RATE = 40.0, 4.0, 0.2
BUYS = (0.3, 0.2, 0.15, 0.05)


def published(contacted: int = 4) -> tuple[Numbers, Numbers]:
    """Pfeifer and Carraway (2000): recency 1 to 4 and the former customer; who is not contacted buys no more."""
    rates, flow = np.zeros((5, 5)), np.zeros(5)
    for recency in range(4):
        buys = BUYS[recency] if recency < contacted else 0.0
        rates[recency, 0], rates[recency, recency + 1] = buys, 1.0 - buys
        flow[recency] = -CONTACT if recency < contacted else 0.0
    flow[0] += PURCHASE
    rates[4, 4] = 1.0
    return rates, flow


def test_published_value_over_four_periods() -> None:
    """Pfeifer and Carraway (2000), horizon T = 4: the flows of t = 0 to 4."""
    value = chain_value(*published(), RATE, periods=5)
    assert value == pytest.approx([50.115, 4.220, 0.592, -1.980, 0.0], abs=5e-4)


def test_published_endless_value() -> None:
    """Pfeifer and Carraway (2000), infinite horizon."""
    assert chain_value(*published(), RATE) == pytest.approx([52.320, 5.554, 1.251, -1.820, 0.0], abs=5e-4)


def test_published_value_without_contact_at_recency_4() -> None:
    """Pfeifer and Carraway (2000): giving up the customers of recency 4 is worth more."""
    assert chain_value(*published(contacted=3), RATE)[0] == pytest.approx(53.149, abs=5e-4)


def test_finite_value_grows_to_the_endless_one_and_leavers_are_worth_nothing() -> None:
    draw = np.random.default_rng(3)
    rates = draw.random((6, 6))
    rates *= 0.9 / rates.sum(axis=1, keepdims=True)  # one customer in ten leaves each period
    flow = draw.normal(size=6)
    endless = chain_value(rates, flow, 0.0)
    assert chain_value(rates, flow, 0.0, periods=500) == pytest.approx(endless)
    assert endless == pytest.approx(flow + rates @ endless)
    assert chain_value(rates, np.ones(6), 0.0) == pytest.approx(np.full(6, 10.0))  # 1 + 0.9 + 0.81 + ...


def test_an_endless_sum_without_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="no limit"):
        chain_value(*published(), 0.0)


@pytest.mark.parametrize("periods", [None, 1, 6])
def test_standard_errors_are_those_of_chains_drawn_anew(periods: int | None) -> None:
    draw = np.random.default_rng(11)
    truth = np.array([[0.5, 0.3, 0.1], [0.2, 0.5, 0.2], [0.05, 0.05, 0.9]])  # 10 % of the first two leave
    observed, flow, flow_se = (
        np.array([400, 300, 900]),
        np.array([10.0, 4.0, 0.5]),
        np.array([0.4, 0.2, 0.05]),
    )
    told = chain_value_error(truth, observed.astype(float), flow, flow_se, 0.1, periods)
    values = []
    for _ in range(2000):
        rows = [
            draw.multinomial(n, [*row, max(0.0, 1.0 - row.sum())])[:3] / n
            for n, row in zip(observed, truth, strict=True)
        ]
        values.append(chain_value(np.array(rows), draw.normal(flow, flow_se), 0.1, periods))
    assert told == pytest.approx(np.std(values, axis=0), rel=0.08)
