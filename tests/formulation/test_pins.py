"""Pins: how they are written, and everything that can be wrong with them."""

from __future__ import annotations

import pytest

from cpm_opt.faults import Fault
from cpm_opt.formulation.components import Pins
from cpm_opt.formulation.pinned import Words, parse_pin
from tests.portfolio.small import DECISION, built

NOT_OFFERED = "segment,lever,option,offered\ngold,service,plus,false\nsilver,tariff,up5,false"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("tariff=up5", ("tariff", "up5", None, 0, 0)),
        ("tariff=up5@top", ("tariff", "up5", "top", 0, 0)),
        ("tariff=up5:2", ("tariff", "up5", None, 2, 2)),
        ("tariff=up5@top:1-2", ("tariff", "up5", "top", 1, 2)),
        (" the tariff = up 5 @ top : 1 - 12 ", ("the tariff", "up 5", "top", 1, 12)),
        ("service=plus@tier=low", ("service", "plus", "tier=low", 0, 0)),
        ('"a=b"="c@d:1"@"e:f"":3":2-3', ("a=b", "c@d:1", 'e:f":3', 2, 3)),
        ('say "hi"=+5 %', ('say "hi"', "+5 %", None, 0, 0)),
    ],
)
def test_a_pin_is_read(text: str, parts: tuple[object, ...]):
    read = parse_pin("fix", text)
    assert isinstance(read, Words)
    assert (read.lever, read.option, read.group, read.first, read.last) == parts


@pytest.mark.parametrize(
    "text",
    ["", "tariff", "=up5", "tariff=", "a=b=c", "tariff=up5@", "tariff=up5:", "tariff=up5:x", "tariff=up5:2-",
     "tariff=up5:3-2", "tariff=up5:0", "tariff=up5@top@low", 'tariff="up5', "tariff=up5:1:2", "tariff=up\n5"],
)  # fmt: skip
def test_a_pin_that_cannot_be_read_is_a_fault(text: str):
    read = parse_pin("forbid", text)
    assert isinstance(read, Fault)
    assert (read.table, read.code) == ("--forbid", "pin")


@pytest.mark.parametrize(
    ("pins", "code", "says"),
    [
        (Pins(fix=("tarif=up5",)), "unknown_reference", "did you mean 'tariff'?"),
        (Pins(fix=("tariff=up",)), "unknown_reference", "did you mean 'up5'?"),
        (Pins(fix=("tariff=up5@tops",)), "unknown_reference", "did you mean 'top'?"),
        (Pins(fix=("tariff=up5@tier=top",)), "unknown_reference", "did you mean 'top'?"),
        (Pins(forbid=("service=plus@golden",)), "unknown_reference", "did you mean 'gold'?"),
        (Pins(forbid=("service=plus@tier=topp",)), "unknown_reference", "did you mean 'tier=top'?"),
        (Pins(forbid=("service=plus:2-3",)), "unknown_reference", "last period is 2"),
        (Pins(fix=("service=plus@gold",)), "not_offered", "segment 'gold' is not offered option 'plus'"),
        (Pins(fix=("tariff=up5",)), "not_offered", "group 'low' is not offered option 'up5'"),
        (Pins(forbid=("service=basic@gold",)), "contradiction", "is offered no other"),
        (Pins(forbid=("tariff=keep:2",)), "contradiction", "group 'low'"),
        (
            Pins(("tariff=up5@top",), ("tariff=up5:2",)),
            "contradiction",
            "in period 2, together with fix tariff=up5@top",
        ),
        (
            Pins(
                ("tariff=up5@top:1", "tariff=keep@top"),
            ),
            "contradiction",
            "period 1, together with fix tariff=up5@top:1",
        ),
    ],
)
def test_what_a_pin_cannot_mean_is_a_fault(pins: Pins, code: str, says: str):
    (fault,) = pins.check(built({**DECISION, "effects": NOT_OFFERED}))
    assert fault.code == code
    assert says in fault.line()


def test_pins_that_go_together_are_no_fault():
    p = built({**DECISION, "effects": NOT_OFFERED})
    pins = Pins(
        fix=("tariff=up5@top:1", "tariff=keep@top:2", "service=plus@silver", "service=plus@silver"),
        forbid=("tariff=up5:2", "service=plus@gold", "service=basic@tier=low"),
    )
    assert pins.check(p) == ()
    assert len(pins.names(p)) == 6


def test_a_group_without_customers_is_not_suggested_again():
    tables = {**DECISION, "segments": DECISION["segments"].rstrip("\n") + "\ngone,0,0,lost,none"}
    (fault,) = Pins(fix=("service=plus@tier=none",)).check(built(tables))
    assert "holds no active segment; name a group that holds one" in fault.line()
    (fault,) = Pins(fix=("service=plus@tier=non",)).check(built(tables))
    assert "tier=none" not in fault.remedy
