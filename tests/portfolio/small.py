"""Small instances written as text: `frames` types them the way the reader does, `built` makes a portfolio of them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from types import MappingProxyType

import pandas as pd

from cpm_opt.faults import Fault, InputError
from cpm_opt.portfolio import Portfolio, build_portfolio
from cpm_opt.tables import InstanceInfo, Measure, check_frame

INFO = InstanceInfo(
    name="small",
    title="A small one",
    currency="EUR",
    period="quarter",
    measures={"satisfaction": Measure(title="Satisfaction", unit="points")},
)

# Two active segments that are served, and one of prospects.
SEGMENTS = """
segment,customers,margin,kind,tier
gold,100,50,active,top
silver,400,10,active,low
later,30,0,prospect,low
"""
LEVERS = """
lever,choice,scope
service,mix,segment
tariff,single,tier
"""
OPTIONS = """
lever,option,base
service,basic,true
service,plus,false
tariff,keep,true
tariff,up5,false
"""
DECISION = MappingProxyType({"segments": SEGMENTS, "levers": LEVERS, "options": OPTIONS})


def frames(texts: Mapping[str, str]) -> dict[str, pd.DataFrame]:
    """Typed frames of tables that stand as comma-separated text; the tables must be sound in themselves."""
    typed = {}
    for name, text in texts.items():
        cells = pd.read_csv(io.StringIO(text.strip()), dtype=str, keep_default_na=False)
        typed[name], wrong = check_frame(name, cells, INFO)
        assert wrong == [], [fault.line() for fault in wrong]
    return typed


def built(texts: Mapping[str, str], periods: int = 2, **more: str) -> Portfolio:
    """The portfolio of the tables; keyword arguments add tables or replace them."""
    return build_portfolio(frames({**texts, **more}), INFO, periods)


def faults(texts: Mapping[str, str], periods: int = 2, **more: str) -> list[Fault]:
    """The faults of the tables, without warnings."""
    try:
        built(texts, periods, **more)
    except InputError as error:
        return [fault for fault in error.faults if not fault.warning]
    return []


def only_fault(texts: Mapping[str, str], periods: int = 2, **more: str) -> Fault:
    """The one fault of the tables, which must be only one."""
    found = faults(texts, periods, **more)
    assert len(found) == 1, [fault.line() for fault in found]
    return found[0]
