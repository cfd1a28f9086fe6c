"""Two small ledgers whose segments can be worked out by hand: a shop with cost to serve, and a bank with accounts."""

from __future__ import annotations

from pathlib import Path

from cpm_opt.tables import Tables
from tests.ledger import instance

SHOP_RULES = """
[estimates]
gross_margin = 0.5
[estimates.value]
discount_rate = 0.1
periods = 3
[estimates.profit]
first_day = 2025-01-01
last_day = 2025-12-31
[estimates.profit.tiers]
method = "thresholds"
names = ["gold", "bronze"]
values = [200]
"""

# Customer, and revenue of 2024 and of 2025. Half of it is gross profit; a visit costs 10.
SHOP = {
    "ann": (1000, 1200),  # 1 and 2 visits: 490, 580  gold    -> gold
    "bob": (800, 90),  #                    400,  45  gold    -> bronze
    "cyd": (100, 700),  # 0 and 1 visit:     50, 340  bronze  -> gold
    "dan": (60, 50),  #                      30,  25  bronze  -> bronze
    "eve": (40, 0),  #                       20,   0  bronze  -> inactive
    "fay": (20, 10),  # closed in 2025:      10,   5  bronze  -> left
    "gus": (0, 300),  # new, 40 visits:          -250         -> unprofitable
    "hal": (0, 0),  # in table customers only         inactive -> inactive
    "ida": (10, 20),  # 1 visit in 2024:     -5,  10  unprofitable -> bronze
}
VISITS = {2024: {"ann": 1, "ida": 1}, 2025: {"ann": 2, "cyd": 1, "gus": 40}}
CUSTOMERS = """customer,opened,closed,industry,staff
ann,,,mill,12
bob,,,bakery,3
cyd,,,mill,1.0
dan,2024-03-01,,,
eve,,,bakery,
fay,,2025-06-30,mill,7
gus,2025-02-01,,mill,
hal,2020-01-01,,,
ida,,,bakery,1
"""


def shop(folder: Path, rules: str = '[estimates.segments]\nby = "tier"\n', **tables: str) -> Tables:
    """The shop, an instance by year with these rules of segments; further planning tables as CSV."""
    sales = [
        (name, f"{year}-05-05", 1, money)
        for name, both in SHOP.items()
        for year, money in zip((2024, 2025), both, strict=True)
        if money
    ]
    visits = [f"visit,{name},{n},{year}-06-06" for year, of in VISITS.items() for name, n in of.items()]
    ledgers = {
        "customers": CUSTOMERS,
        "activities": "activity,transaction_rate\nvisit,10\n",
        "activity_counts": "activity,customer,count,date\n" + "\n".join(visits) + "\n",
    }
    return instance(folder, sales, SHOP_RULES + rules, "year", {**ledgers, **tables})


BANK_RULES = """
[estimates.value]
discount_rate = 0.1
periods = 5
[estimates.profit]
first_day = 2025-01-01
last_day = 2025-12-31
[estimates.profit.bank]
transfer_price = 0.10
"""

BANK_SEGMENTS = """
[estimates.segments]
by = "rules"
margin = "gross_profit"
other = "small"
[[estimates.segments.rules]]
segment = "large-depositor"
where = { deposits = { at_least = 1000 }, group = "holding" }
[[estimates.segments.rules]]
segment = "depositor"
where = { deposits = { at_least = 1000 } }
"""

# Customer, mean deposits of 2024 and of 2025; each earns 10 % less 4 % paid, that is 6 %.
BANK = {
    "h1": (2000, 3000),
    "h2": (1500, 900),
    "h3": (400, 1000),
    "p1": (1200, 1200),
    "p2": (5000, 100),
    "p3": (300, 300),
    "p4": (200, 1800),
}


def bank(folder: Path, rules: str = BANK_SEGMENTS, **tables: str) -> Tables:
    """The bank, an instance by year; h1 to h3 belong to the holding. A statement costs 2."""
    # Straight lines through the ends of 2023, 2024 and 2025 whose means are those of the years.
    balances = []
    for name, (before, now) in BANK.items():
        middle = min(before, now)
        ends = {2023: 2 * before - middle, 2024: middle, 2025: 2 * now - middle}
        balances += [f"{name},{year}-12-31,{money}" for year, money in ends.items()]
    ledgers = {
        "customers": "customer,group\n" + "".join(f"{n},{'holding' if n < 'i' else ''}\n" for n in BANK),
        "accounts": "account,customer,rate\n" + "".join(f"{name},{name},0.04\n" for name in BANK),
        "balances": "account,date,balance\n" + "\n".join(balances) + "\n",
        "activities": "activity,transaction_rate\nstatement,2\n",
        "activity_counts": "activity,customer,count,date\n"
        + "".join(f"statement,{name},12,{year}-06-30\n" for name in BANK for year in (2024, 2025)),
    }
    return instance(folder, None, BANK_RULES + rules, "year", {**ledgers, **tables})
