"""Raw tables to planning tables: what is estimated, what stands, what is told."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from cpm_opt.estimates import estimate, with_values
from cpm_opt.estimates.value.markov import chain_value
from tests.ledger import RULES, instance

SALES = [
    ("a", "2025-02-01", 1, 12),
    ("b", "2025-03-31", 1, 4),
    ("d", "2025-01-01", 1, 16),
    ("a", "2025-05-01", 1, 8),
    ("c", "2025-05-01", 1, 20),
    ("c", "2025-08-01", 1, 20),
    ("b", "2025-09-30", 1, 6),
    ("a", "2025-12-31", 1, 4),
]
SEGMENTS = "segment,customers,margin\nall,10,5\n"
SERVICE = {
    "resources": "resource,capacity,unit_cost,period\nhours,9,2,\nhours,9,7,2\nmoney,,1,\n",
    "levers": "lever\ncare\n",
    "options": "lever,option,base\ncare,plain,true\ncare,rich,false\n",
    "usage": (
        "resource,amount,segment,lever,option\n"
        "hours,0.5,,,\n"  # 1.00 of every active customer
        "money,0.25,gone,,\n"  # of the lost
        "hours,0.1,fresh-once,care,plain\n"  # 0.20 of these, on the base option
        "hours,5,,care,rich\n"  # a decision, no base cost
    ),
}


def test_segments_and_migration_come_out_in_the_form_of_the_catalogue(tmp_path: Path) -> None:
    tables = instance(tmp_path, SALES)
    found = estimate(tables)
    assert not found.faults
    assert not tables.faults
    segments = found.frames["segments"].set_index("segment")
    assert segments["customers"].to_dict() == {"fresh-once": 1.0, "idle-once": 2.0, "gone": 1.0}
    assert segments["kind"].to_dict() == {"fresh-once": "active", "idle-once": "active", "gone": "lost"}
    assert segments.loc["idle-once", ["recency", "frequency"]].tolist() == ["idle", "once"]
    assert segments.loc["gone", "frequency"] == "none"
    migration = found.frames["migration"].set_index(["from", "to"])
    assert migration.loc[("fresh-once", "fresh-once"), "rate"] == pytest.approx(2 / 7)
    assert migration.loc[("idle-once", "gone"), "rate"] == pytest.approx(1 / 3)
    assert migration["rate"].groupby("from").sum().tolist() == pytest.approx([1.0, 1.0, 1.0])
    assert any("8 transactions" in note for note in found.notes)


def test_end_values_are_those_of_the_chain_net_of_base_service(tmp_path: Path) -> None:
    gross = estimate(instance(tmp_path / "gross", SALES)).frames["segments"]
    net = estimate(instance(tmp_path / "net", SALES, tables=SERVICE))
    assert not net.faults
    assert net.chain is not None
    cost = {"fresh-once": 1.2, "idle-once": 1.0, "gone": 0.25}
    states = [state.name for state in net.chain.states]
    flow = net.chain.margin - [cost[name] for name in states]
    segments = net.frames["segments"].set_index("segment")
    assert segments.loc[states, "end_value"].tolist() == pytest.approx(
        chain_value(net.chain.rates, flow, 0.1, periods=3).tolist()
    )
    # The margin itself is before service: the plan pays for the resources.
    assert segments["margin"].tolist() == gross["margin"].tolist()
    values = [
        with_values(tables, estimate(tables)).values
        for tables in (instance(tmp_path / "a", SALES), instance(tmp_path / "b", SALES, tables=SERVICE))
    ]
    told = ["net of base service" in each.notes[0] for each in values if each is not None]
    assert told == [False, True]


def test_an_endless_value_is_the_default(tmp_path: Path) -> None:
    found = estimate(instance(tmp_path, SALES, RULES.replace("periods = 3", "")))
    chain = found.chain
    assert chain is not None
    value = chain_value(chain.rates, chain.margin, 0.1)
    assert found.frames["segments"]["end_value"].tolist() == pytest.approx(value.tolist())


def test_the_order_of_lines_does_not_change_a_bit(tmp_path: Path) -> None:
    draw = random.Random(2)
    lines = [
        (
            f"c{draw.randint(1, 40)}",
            f"2025-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d}",
            1,
            draw.random() * 50,
        )
        for _ in range(400)
    ]
    lines.append(("c1", "2025-12-31", 1, 1.0))
    first = estimate(instance(tmp_path / "a", lines)).frames
    draw.shuffle(lines)
    second = estimate(instance(tmp_path / "b", lines)).frames
    for name in ("segments", "migration"):
        pd.testing.assert_frame_equal(first[name], second[name], check_exact=True)


def test_a_stated_table_stands(tmp_path: Path) -> None:
    stated = {"migration": "from,to,rate\ngone,gone,1\n"}
    tables = instance(tmp_path, SALES, tables=stated)
    found = estimate(tables)
    assert found.frames["migration"] is tables.frames["migration"]
    assert len(found.frames["segments"]) == 3
    assert any("migration is stated" in note for note in found.notes)


def test_without_raw_tables_the_frames_are_handed_on_and_nothing_is_imported_for_it(tmp_path: Path) -> None:
    tables = instance(tmp_path, None, rules="", tables={"segments": SEGMENTS})
    found = estimate(tables)
    assert found.frames is tables.frames
    assert (found.faults, found.notes, found.chain) == ((), (), None)
    script = (
        "import sys; from pathlib import Path; from cpm_opt.tables import read_instance; "
        "from cpm_opt.estimates import estimate; before = set(sys.modules); "
        f"estimate(read_instance(Path({str(tmp_path)!r}))); "
        "assert not [m for m in sys.modules if m.startswith('cpm_opt.estimates.segments.from_sales') or 'markov' in m]"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def changed(old: str, new: str) -> str:
    assert old in RULES
    return RULES.replace(old, new)


END = "gross_margin = 0.25\nledger_end = "


@pytest.mark.parametrize(
    ("rules", "column", "words"),
    [
        (changed("gross_margin = 0.25", ""), "gross_margin", "is missing"),
        (changed("gross_margin = 0.25", "gross_margin = 30"), "gross_margin", "looks like a percent"),
        (changed("gross_margin = 0.25", "gros_margin = 0.25"), "gros_margin", "did you mean 'gross_margin'"),
        (changed("frequency = {", "frequencies = {"), "states.frequencies", "did you mean 'frequency'"),
        (changed("frequency = {", "frequencies = {"), "states.frequency", "is missing"),
        (changed("fresh = 0", "fresh = 1"), "states.recency", "begin with a band from 0"),
        (changed("often = 3", "often = 1"), "states.frequency", "do not rise"),
        (changed("often = 3", "often = 3.5"), "states.frequency.often", "integer"),
        (changed('["gone"]', '["gnoe"]'), "states.lost", "did you mean 'gone'"),
        (changed("frequency_periods = 2", "frequency_periods = 0"), "states.frequency_periods", "greater"),
        (changed("discount_rate = 0.1", "discount_rate = 10"), "value.discount_rate", "looks like a percent"),
        (changed("discount_rate = 0.1", "discount_rate = -0.1"), "value.discount_rate", "is negative"),
        (changed("discount_rate = 0.1\nperiods = 3", "discount_rate = 0"), "value.discount_rate", "no limit"),
        (changed("[estimates.value]\ndiscount_rate = 0.1\nperiods = 3", ""), "value", "is missing"),
        (changed("gross_margin = 0.25", END + "2024-12-31"), "ledger_end", "leaves no customer"),
        (changed("gross_margin = 0.25", END + "2026-03-31"), "ledger_end", "is after the ledger"),
        (changed("gross_margin = 0.25", END + '"soon"'), "ledger_end", "date"),
        (changed("gone = 2", "gone = 3"), "states", "nobody was in state 'idle' before"),
    ],
)
def test_faults_of_the_rules_name_their_key_and_line(
    tmp_path: Path, rules: str, column: str, words: str
) -> None:
    sales = SALES
    if "gone = 3" in rules:  # somebody who has just come to the state that nobody was seen to leave
        sales = [*(line for line in SALES if line[0] not in "bd"), ("b", "2025-06-30", 1, 1)]
    found = estimate(instance(tmp_path, sales, rules))
    fault = next(fault for fault in found.faults if fault.column == f"estimates.{column}")
    assert words in fault.line()
    assert fault.table == "instance.toml"
    assert fault.remedy
    assert fault.row is not None or column in ("gross_margin", "value")
    assert "segments" not in found.frames


def test_rules_are_told_all_at_once(tmp_path: Path) -> None:
    rules = "[estimates]\ngross_margin = 30\nfoo = 1\n[estimates.value]\ndiscount_rate = 5\n"
    columns = {fault.column for fault in estimate(instance(tmp_path, SALES, rules)).faults if fault.column}
    assert columns == {"estimates.gross_margin", "estimates.foo", "estimates.value.discount_rate"}
    bare = estimate(instance(tmp_path / "b", SALES, rules="")).faults
    assert [fault.column for fault in bare if fault.table == "instance.toml"] == [
        "estimates.states",
        "estimates.value",
        "estimates.gross_margin",
    ]
    assert bare[-1].line().startswith("segments: could not be estimated from sales; correct")


@pytest.mark.parametrize(
    ("sales", "words"),
    [
        ([("a", "2025-02-01", 1, 5), ("a", "2025-03-31", 1, 5)], "moves between states need two"),
        ([("a", "31/01/2025", 1, 5)], "no usable row"),
    ],
)
def test_a_ledger_that_shows_no_move_is_told(
    tmp_path: Path, sales: list[tuple[object, ...]], words: str
) -> None:
    told, segments = estimate(instance(tmp_path, sales)).faults
    assert words in told.message
    assert segments.table == "segments"


def test_sales_that_could_not_be_read_are_why_there_are_no_segments(tmp_path: Path) -> None:
    tables = instance(tmp_path, None, tables={"sales": ""})
    assert any(fault.table == "sales" for fault in tables.faults)
    assert [fault.table for fault in estimate(tables).faults] == ["segments"]


def test_the_keys_are_closed_even_where_nothing_is_estimated(tmp_path: Path) -> None:
    rules = "[estimates]\ngross_margn = 0.3\n"
    (fault,) = estimate(instance(tmp_path, None, rules, tables={"segments": SEGMENTS})).faults
    assert "did you mean 'gross_margin'" in fault.line()
