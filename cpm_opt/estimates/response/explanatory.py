"""What else an answer is explained by: strata and covariates of a raw table as columns of numbers.

In: rows of a raw table and the names of their covariates. Out: `Terms`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cpm_opt.faults import Fault, InputError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

Numbers = NDArray[np.float64]
Indices = NDArray[np.int64]

APART = (":segment", ":alternative")  # behind a covariate: it acts in each in its own way
PRICE = "price"
# What a table's fits explain: as covariates such columns would explain themselves, and leave the price nothing to tell.
RESULTS: Mapping[str, tuple[str, ...]] = {
    "offers": ("accepted", "amount", "revenue", "loss", "contract_price"),
    "price_points": ("volume",),
    "choices": ("chosen",),
}
LEAST_CLUSTERS = 3
SAME = 1e-7  # of a column's length
MOST_NAMED = 3
MOST_LEVELS = 50  # a word with more values than this is likely a number with a slip in it, or an id


@dataclass(frozen=True)
class Terms:
    """`columns[n, V]` under `names[V]`, of the rows for which `used[all rows]` is true; the others have a blank cell.

    A number is a column as it stands; a word is a dummy for each of its values but the first by name
    (`region[north]`), as in statsmodels' treatment coding. Strata are words: `stratum[b]`. `words` are the words
    themselves, `cells[n]` under the name of each.
    """

    names: tuple[str, ...]
    columns: Numbers
    used: NDArray[np.bool_]
    words: tuple[tuple[str, NDArray[Any]], ...] = ()


def terms(rows: pd.DataFrame, covariates: tuple[str, ...], table: str) -> Terms:
    """The strata of `rows` (where there is a column `stratum`) and then `covariates`, in their order.

    "C(NAME)" takes the numbers of a column as words, "log(NAME)" their natural logarithm; with ":segment" (or, of table
    choices, ":alternative") behind it a covariate acts in each in its own way (`age[gold]`). Raises InputError for a
    covariate that is no column, the price or the result itself, or has one value alone, for a word with more than 50
    values, and for a logarithm of what is not above 0.
    """
    read = _read(rows, covariates, table)
    used = np.ones(len(rows), dtype=bool)
    for cells in read.values():
        used &= (cells != "") if cells.dtype == object else ~np.isnan(cells.astype(np.float64))
    if not used.any():
        message, remedy = "every row has a blank covariate", "leave that covariate out, or fill it in"
        raise InputError([Fault(table, message, remedy, code="blank_covariate")])
    text, remedy = "has one value alone, so it explains nothing", "leave it out of covariates"
    alone = [name for name, cells in read.items() if len(set(cells[used].tolist())) == 1]
    if alone:
        names_of = (_parts(_apart(name, rows)[0])[1] for name in alone)
        raise InputError([_fault(table, name, text, remedy, "one_value") for name in names_of])
    names: list[str] = []
    columns: list[Numbers] = []
    words: list[tuple[str, NDArray[Any]]] = []
    if "stratum" in rows:
        stratum, segment = (
            rows[name].astype(str).to_numpy(dtype=object)[used] for name in ("stratum", "segment")
        )
        _add(names, columns, "stratum", stratum, _references(stratum, segment))
        words.append(("stratum", stratum))
    for covariate, cells in read.items():
        before = len(names)
        whole, apart = _apart(covariate, rows)
        each = rows[apart[1:]].astype(str).to_numpy(dtype=object)[used] if apart else None
        _add(names, columns, whole, cells[used])
        if each is not None:
            _split(names, columns, before, each)
        if cells.dtype == object:
            words.append((whole, cells[used] if each is None else cells[used] + "[" + each + "]"))
    stacked = np.column_stack(columns) if columns else np.zeros((int(used.sum()), 0))
    return Terms(tuple(names), np.asarray(stacked, dtype=np.float64), used, tuple(words))


def _read(rows: pd.DataFrame, covariates: tuple[str, ...], table: str) -> dict[str, NDArray[Any]]:
    """The cells of each covariate, numbers or words, under its name. Raises InputError with every fault of a column."""
    faults: list[Fault] = []
    read: dict[str, NDArray[Any]] = {}
    known = [str(column) for column in rows if column != "line"]
    for covariate in covariates:
        whole, apart = _apart(covariate, rows)
        form, name = _parts(whole)
        if name not in known:
            faults.append(
                _fault(table, name, "is no column of it", did_you_mean(name, known), "unknown_column")
            )
            continue
        if name == PRICE or name in RESULTS.get(table, ()):
            text, code = (
                ("is the price itself, which is a term already", "price_twice")
                if name == PRICE
                else ("is a result, which the price is to explain", "result_as_covariate")
            )
            faults.append(_fault(table, name, text, "leave it out of covariates", code))
            continue
        cells = _cells(rows[name], form == "C")
        if form == "log":
            if cells.dtype == object or (cells <= 0.0).any():
                remedy = "leave such rows out, or name the column itself"
                faults.append(_fault(table, name, "holds what has no logarithm", remedy, "no_logarithm"))
                continue
            cells = np.log(cells)
        elif cells.dtype == object and len(set(cells)) > MOST_LEVELS:
            text = f"has {len(set(cells)):,} different words, too many for a covariate"
            slip = _first_word(cells)
            remedy = f"write numbers alone ('{slip}' is none)" if slip else "join them to fewer"
            faults.append(_fault(table, name, text, remedy, "too_many_levels"))
            continue
        read[(whole if form == "log" else name) + apart] = cells
    if faults:
        raise InputError(faults)
    return read


def profiles(of_row: Indices, columns: Numbers, weights: Numbers) -> tuple[Indices, Numbers, Numbers]:
    """The different rows of `columns[n, V]` within each segment: segment `[M]` (rising), row `[M, V]`, share `[M]`.

    Shares are of the segment's summed `weights[n]`, so a mean over a segment's rows is one over its profiles.
    """
    both = np.column_stack([of_row.astype(np.float64), columns])
    rows, place = np.unique(both, axis=0, return_inverse=True)
    share = np.bincount(place.reshape(-1), weights=weights, minlength=len(rows))
    segment: Indices = rows[:, 0].astype(np.int64)
    whole = np.bincount(segment, weights=share)
    return (
        segment,
        np.asarray(rows[:, 1:], dtype=np.float64),
        np.asarray(share / whole[segment], dtype=np.float64),
    )


def refuse_collinear(x: Numbers, table: str, names: tuple[str, ...] = (), among: str = "") -> None:
    """Raises InputError where columns of a design say the same thing, or nearly, so that no fit can tell them apart.

    It names those (of `names[K]`) of which less than 1e-7 is left beside the columns before them. `among` says of which
    rows the design is, where it is not of all.
    """
    length = np.sqrt((x**2).sum(axis=0))
    left = np.abs(np.diag(np.linalg.qr(x / np.where(length > 0.0, length, 1.0), mode="r")))
    same = np.append(left, np.zeros(x.shape[1] - len(left))) < SAME
    if same.any():
        told = [name for name, is_same in zip(names, same, strict=False) if is_same]
        who = f"{', '.join(told[:MOST_NAMED])} and others" if told else "some covariates, strata or segments"
        message = f"{among}{who} say the same thing: the data do not tell them apart"
        remedy = "leave one of them out, or join strata and segments that hold few rows"
        raise InputError([Fault(table, message, remedy, code="collinear")])


def refuse_few_clusters(
    of_row: Indices, segments: tuple[str, ...], cluster: pd.Series[Any], table: str
) -> None:
    """Raises InputError for segments in fewer than three clusters.

    Scores of a segment's level and slope add to 0 over all of its rows, so with one cluster, or two, the sandwich says
    that nothing is in doubt.
    """
    counts = cluster.groupby(of_row).nunique()
    faults = [
        Fault(
            table,
            f"{f'segment {name} lies' if name else 'all rows lie'} in {counts[s]} cluster"
            f"{'s' * int(counts[s] != 1)}, too few to tell how clusters differ",
            "name finer clusters, or leave column cluster blank",
            column="cluster",
            code="few_clusters",
        )
        for s, name in enumerate(segments)
        if counts[s] < LEAST_CLUSTERS
    ]
    if faults:
        raise InputError(faults)


def names_of_curve(segments: tuple[str, ...], by_segment: bool, others: tuple[str, ...]) -> tuple[str, ...]:
    """Of the columns that are fitted (`shared_slopes`): level[SEGMENT], price[SEGMENT] (or one price), `others`."""
    prices = segments if by_segment else ("",)
    each = ((("level", name) for name in segments), (("price", name) for name in prices))
    return (*(f"{what}[{name}]" if name else what for part in each for what, name in part), *others)


def clusters_by_segment(of_row: Indices, cluster: pd.Series[Any]) -> tuple[int, ...]:
    """How many clusters each segment lies in."""
    return tuple(int(count) for count in cluster.groupby(of_row).nunique())


def shared_slopes(size: int, others: int, by_segment: bool) -> Numbers:
    """From the parameters that are fitted (levels, slopes, others) to those with a slope a segment, `[2 S + V, free]`:
    where segments share a slope, it is each one's."""
    slopes = np.eye(size) if by_segment else np.ones((size, 1))
    free = size + slopes.shape[1] + others
    matrix = np.zeros((2 * size + others, free))
    matrix[:size, :size] = np.eye(size)
    matrix[size : 2 * size, size : size + slopes.shape[1]] = slopes
    matrix[2 * size :, free - others :] = np.eye(others)
    return matrix


def _references(stratum: NDArray[Any], segment: NDArray[Any]) -> set[str]:
    """The strata without a dummy: the first by name of all that segments tie together.

    Where segments share strata, that is the first of all. Where strata lie within segments (each has its own waves),
    the level of a segment says what all of its strata together do, so the first of each segment is its reference.
    """
    tied: list[set[str]] = []
    for name in sorted(set(segment.tolist())):
        own = set(stratum[segment == name].tolist())
        tied = [*(group for group in tied if not group & own), own.union(*(g for g in tied if g & own))]
    return {min(group) for group in tied}


def _apart(covariate: str, rows: pd.DataFrame) -> tuple[str, str]:
    """A covariate without what stands behind it, and that: ":segment", ":alternative" (where there are such) or ""."""
    for apart in APART:
        if covariate.endswith(apart) and apart[1:] in rows:
            return covariate.removesuffix(apart), apart
    return covariate, ""


def _parts(covariate: str) -> tuple[str, str]:
    """What is done to a column ("C", "log" or "") and its name."""
    form, bracket, rest = covariate.partition("(")
    if form in ("C", "log") and bracket and rest.endswith(")"):
        return form, rest[:-1].strip()
    return "", covariate


def _cells(column: pd.Series[Any], as_words: bool) -> NDArray[Any]:
    """Numbers where every cell that is filled is one, else words (blank: "")."""
    import pandas as pd

    if not as_words:
        blank = column.isna() | (column.astype(str).str.strip() == "")
        numbers = pd.to_numeric(column.where(~blank), errors="coerce")
        if not (numbers.isna() & ~blank).any():
            return numbers.to_numpy(dtype=np.float64)
    if pd.api.types.is_numeric_dtype(column.dtype):
        return np.array(["" if pd.isna(cell) else f"{cell:.15g}" for cell in column], dtype=object)
    return column.astype(str).where(column.notna(), "").to_numpy(dtype=object)


def _first_word(cells: NDArray[Any]) -> str:
    """A cell that is no number among many that are; "" where most are words."""
    import pandas as pd

    numbers = pd.to_numeric(pd.Series(cells), errors="coerce")
    words = [str(cell) for cell in cells[numbers.isna().to_numpy()] if cell]
    return words[0] if words and len(words) < len(cells) / 2 else ""


def _split(names: list[str], columns: list[Numbers], first: int, segment: NDArray[Any]) -> None:
    """The columns from `first` on, one for each segment (or alternative) instead."""
    whole = list(zip(names[first:], columns[first:], strict=True))
    del names[first:], columns[first:]
    for name, column in whole:
        for level in sorted(set(segment.tolist())):
            names.append(f"{name}[{level}]")
            columns.append(np.asarray(column * (segment == level), dtype=np.float64))


def _add(
    names: list[str],
    columns: list[Numbers],
    name: str,
    cells: NDArray[Any],
    references: set[str] | None = None,
) -> None:
    """A number as it stands; of a word a dummy for each value but the `references`, the first where none are named."""
    if cells.dtype != object:
        names.append(name)
        columns.append(np.asarray(cells, dtype=np.float64))
        return
    levels = sorted(set(cells.tolist()))
    left_out = set(levels[:1]) if references is None else references
    for level in levels:
        if level not in left_out:
            names.append(f"{name}[{level}]")
            columns.append(np.asarray(cells == level, dtype=np.float64))


def _fault(table: str, column: str, message: str, remedy: str, code: str) -> Fault:
    return Fault(table, f"the covariate {message}", remedy, column=column, code=code)
