"""10 million sales lines to customer profit: `cpm profit` against one DuckDB query for the same table by hand.

    python benchmarks/ledger.py [--lines 10000000] [--runs 3] [--keep FOLDER]

DuckDB itself makes the data (the same in every run): 200,000 customers, 1,000 products with unit costs, three lines an
order, two years. Both sides are whole processes that begin with the start of Python, run in turn; the one by hand ends
with its columns as NumPy arrays. Wanted: a ratio of at most 3 and less than 2 GB, from CSV and from Parquet.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

DESCRIBED = """[instance]
name = "ledger"
title = "A made-up shop with a long ledger"
currency = "EUR"
period = "year"
source = "made by benchmarks/ledger.py"
licence = "none"

[estimates]
gross_margin = 0.3
"""
LINES = """
SELECT 'C' || lpad((hash(i // 3 * 7 + 1) % 200000)::varchar, 6, '0') AS customer,
       (DATE '2024-01-01' + (hash(i // 3) % 731)::int) AS date,
       'O' || (i // 3)::varchar AS "order",
       'P' || lpad((hash(i * 13 + 5) % 1000)::varchar, 4, '0') AS product,
       1 + (hash(i * 3) % 9)::int AS quantity,
       ((hash(i * 5) % 100000) / 100.0)::decimal(12, 2) AS revenue,
       ((hash(i * 11) % 500) / 100.0)::decimal(12, 2) AS discount
FROM range({lines}) AS t(i)
"""
PRODUCTS = """
SELECT 'P' || lpad(i::varchar, 4, '0') AS product, ((2000 + hash(i) % 8000) / 100.0)::decimal(9, 2) AS unit_cost
FROM range(1000) AS t(i)
"""
BY_HAND = """
import duckdb
duckdb.execute('''
    SELECT customer, count(*) AS lines, sum(quantity) AS quantity, sum(revenue + discount) AS list_revenue,
           sum(discount) AS discount, sum(revenue) AS revenue, sum(quantity * unit_cost) AS product_cost,
           sum(revenue - quantity * unit_cost) AS profit
    FROM '{sales}' JOIN '{products}' USING (product)
    GROUP BY customer ORDER BY profit DESC
''').fetchnumpy()
"""
FORMATS = ("csv", "parquet")


def make(folder: Path, lines: int) -> None:
    """An instance for each format below a folder."""
    import duckdb

    with duckdb.connect() as database:
        for kind in FORMATS:
            place = folder / kind
            place.mkdir(parents=True)
            (place / "instance.toml").write_text(DESCRIBED, encoding="utf-8")
            database.execute(f"COPY ({LINES.format(lines=lines)}) TO '{place / f'sales.{kind}'}'")
            database.execute(f"COPY ({PRODUCTS}) TO '{place / 'products.csv'}' (HEADER)")


def measured(command: list[str]) -> tuple[float, float, float]:
    """Wall-clock and processor seconds of a whole process and the most memory that it held (MB)."""
    began = time.perf_counter()
    child = os.posix_spawn(
        command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    )
    _, status, used = os.wait4(child, 0)
    seconds = time.perf_counter() - began
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


@contextlib.contextmanager
def data(lines: int, kept: Path | None) -> Iterator[Path]:
    """The folder of the instances; a kept one is made only once."""
    if kept is not None:
        if not kept.exists():
            make(kept, lines)
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="cpm-ledger-benchmark-") as folder:
        make(Path(folder), lines)
        yield Path(folder)


def main() -> None:
    """Runs the benchmark and prints its ratios and memory."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--lines", type=int, default=10_000_000)
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--keep", type=Path, help="keep the data in this folder, and use it again")
    asked = options.parse_args()
    with data(asked.lines, asked.keep) as folder:
        for kind in FORMATS:
            sales, products = folder / kind / f"sales.{kind}", folder / kind / "products.csv"
            by_hand = [sys.executable, "-c", BY_HAND.format(sales=sales, products=products)]
            ours = [sys.executable, "-m", "cpm_opt.cli", "profit", str(folder / kind)]
            pairs = [(measured(ours), measured(by_hand)) for _ in range(asked.runs + 1)][1:]
            wall, processor = (statistics.median(a[at] / b[at] for a, b in pairs) for at in (0, 1))
            seconds = [statistics.median(pair[side][0] for pair in pairs) for side in (0, 1)]
            memory = [max(pair[side][2] for pair in pairs) for side in (0, 1)]
            print(
                f"{kind}, {asked.lines:,} lines: {seconds[0]:.2f} s against {seconds[1]:.2f} s by hand, ratio "
                f"{wall:.2f} (processor time {processor:.2f}; wanted: at most 3); memory {memory[0]:,.0f} MB against "
                f"{memory[1]:,.0f} MB (wanted: under 2,000)"
            )


if __name__ == "__main__":
    main()
