"""From text to numbers, flags, days and choices: one function a kind, each giving values and the cells it refused.

A whole column is converted at once; only where that fails are its cells looked at one by one.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cpm_opt.faults import did_you_mean
from cpm_opt.tables.column import Column
from cpm_opt.tables.source import PLAIN, Spelling

TOO_LARGE = 1e15
TOO_SMALL = 1e-9

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_PLAIN = frozenset("0123456789+-.eE")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_FIRST_DAY, _LAST_DAY = datetime.date(1900, 1, 1), datetime.date(2200, 12, 31)


@dataclass(frozen=True)
class Problem:
    """What is wrong with one cell: its position in the column, a code, the message and the remedy."""

    at: int
    code: str
    message: str
    remedy: str
    warning: bool = False


def numbers(
    cells: Sequence[str], column: Column, spelling: Spelling = PLAIN
) -> tuple[NDArray[np.float64], list[Problem]]:
    """Numbers of text cells; blank ones and refused ones become the column's default (nan where it says so)."""
    told: list[Problem] = []
    if spelling.decimal != PLAIN.decimal or spelling.thousands:
        cells, told = _respelt(cells, spelling)
    values, blank, problems = _parsed(cells)
    blank[[problem.at for problem in told]] = False
    problems += _not_zero(cells, values) + told
    return settled(values, blank, column, problems)


def settled(
    values: NDArray[np.float64], blank: NDArray[np.bool_], column: Column, problems: list[Problem]
) -> tuple[NDArray[np.float64], list[Problem]]:
    """Check the range of numbers and put the default where a cell is blank or refused (by `problems` too)."""
    refused = np.zeros(len(values), dtype=bool)
    refused[[problem.at for problem in problems]] = True
    problems = problems + _out_of_range(values, ~blank & ~refused, column)
    refused[[problem.at for problem in problems if not problem.warning]] = True
    if blank.any():
        problems += _blanks(np.flatnonzero(blank), column)
    # Adding 0.0 turns -0.0 into 0.0, which would print as "-0".
    values = values + 0.0
    values[refused | blank] = float(column.stands_in)
    return values, problems


def _parsed(cells: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.bool_], list[Problem]]:
    """Values (nan where blank or refused), which cells are blank, and the refused ones."""
    if _PLAIN.issuperset("".join(cells)):
        try:
            values = np.array([float(cell) if cell else np.nan for cell in cells], dtype=np.float64)
            return values, np.isnan(values), []
        except ValueError:
            pass
    values = np.full(len(cells), np.nan)
    blank = np.zeros(len(cells), dtype=bool)
    problems = []
    for at, cell in enumerate(cells):
        text = cell.strip(" \t\r\n\xa0")
        if not text:
            blank[at] = True
        elif _NUMBER.fullmatch(text):
            values[at] = float(text)
        else:
            problems.append(Problem(at, *_no_number(text)))
    return values, blank, problems


def _respelt(cells: Sequence[str], spelling: Spelling) -> tuple[list[str], list[Problem]]:
    """Cells such as 1.234,50 as 1234.50, and those that are no number in the source's own spelling (left blank)."""
    mark, between = re.escape(spelling.decimal), spelling.thousands
    spaces = "[ \u00a0\u202f]" if between == " " else re.escape(between)
    whole = rf"\d+|\d{{1,3}}(?:{spaces}\d{{3}})+" if between else r"\d+"
    pattern = re.compile(rf"([+-]?)({whole})?(?:{mark}(\d*))?([eE][+-]?\d+)?", re.ASCII)
    known: dict[str, str | None] = {}
    for cell in set(cells):
        text = cell.strip(" \t\r\n\xa0")
        found = pattern.fullmatch(text)
        digits = (
            re.sub(spaces, "", found[2] or "") if found and between else (found[2] or "") if found else ""
        )
        if found and (digits or found[3] or not text):
            known[cell] = f"{found[1]}{digits}{'.' + found[3] if found[3] else ''}{found[4] or ''}"
        else:
            known[cell] = None
    problems = [
        Problem(at, *_not_as_spelt(cell.strip(), spelling)) for at, cell in enumerate(cells) if known[cell] is None
    ] if None in known.values() else []  # fmt: skip
    return [known[cell] or "" for cell in cells], problems


def _not_as_spelt(text: str, spelling: Spelling) -> tuple[str, str, str]:
    if re.fullmatch(r"[\d+.,' \u00a0\u202f-]+", text):
        form = f"1{spelling.thousands}234{spelling.decimal}50"
        remedy = "correct it, or decimal and thousands in instance.toml"
        return "not_a_number", f"is not written as instance.toml says ({form})", remedy
    return _no_number(text)


def _not_zero(cells: Sequence[str], values: NDArray[np.float64]) -> list[Problem]:
    """Cells such as 1e-400, which Python reads as 0."""
    found = []
    for at in np.flatnonzero(values == 0.0):
        mantissa = cells[int(at)].lower().partition("e")[0]
        if mantissa not in ("0", "0.0") and any(digit in "123456789" for digit in mantissa):
            found.append(Problem(int(at), "too_small", *_SMALL))
    return found


_SMALL = ("is too small to be meant", "write 0, or count in another unit")


def _out_of_range(values: NDArray[np.float64], judged: NDArray[np.bool_], column: Column) -> list[Problem]:
    size = np.abs(values)
    problems: list[Problem] = []

    def _tell(where: NDArray[np.bool_], code: str, message: str, remedy: str, warning: bool = False) -> None:
        at = np.flatnonzero(where & judged)
        problems.extend(Problem(int(i), code, message, remedy, warning) for i in at)
        if not warning:
            judged[at] = False

    judged = judged.copy()
    _tell(
        size >= TOO_LARGE, "too_large", "is 1e15 or more, beyond what can be solved", "count in a larger unit"
    )
    _tell((size > 0) & (size < TOO_SMALL), "too_small", *_SMALL)
    if column.kind == "integer":
        _tell(values != np.floor(values), "integer", "is not a whole number", "write a whole number")
    if column.high is not None:
        bounds = (
            f"{column.low:g} to {column.high:g}" if column.low is not None else f"at most {column.high:g}"
        )
        message = (
            f"is over {column.high:g} and looks like a percent"
            if column.fraction
            else f"is over {column.high:g}"
        )
        remedy = "write a fraction: 0.15 for 15 percent" if column.fraction else f"write {bounds}"
        _tell(values > column.high, "percent" if column.fraction else "too_high", message, remedy)
    if column.low is not None:
        below = "is negative" if column.low == 0 else f"is below {column.low:g}"
        remedy = f"write {column.low:g} or more" + (
            f", at most {column.high:g}" if column.high is not None else ""
        )
        _tell(values < column.low, "negative" if column.low == 0 else "too_low", below, remedy)
    if column.doubtful_above is not None:
        message = f"is over {column.doubtful_above:g} and looks like a percent"
        remedy = "write a fraction (0.15 for 15 percent), or leave it if it is meant so"
        _tell(values > column.doubtful_above, "percent", message, remedy, warning=True)
    return problems


def _blanks(at: NDArray[np.int64], column: Column) -> list[Problem]:
    if column.default is None:
        return [Problem(int(i), "blank", "is blank", "fill it in") for i in at]
    if column.required and not column.blank_is_nan and column.kind == "number":
        more = f" (and {len(at) - 1} more)" if len(at) > 1 else ""
        message = f"is blank{more} and is read as {float(column.default):g}"
        return [Problem(int(at[0]), "blank", message, "write the number", warning=True)]
    return []


_MISSING_WORDS = frozenset(
    ("nan", "na", "n/a", "#n/a", "null", "none", "nil", "-", "--", "?", ".", "—", "missing")
)
_INFINITE = re.compile(r"[+-]?(inf|infinity|∞)", re.IGNORECASE)
_SEPARATED = re.compile(
    r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?|[+-]?\d{1,3}(?:[ '\u2019_\u00a0\u202f]\d{3})+(?:[.,]\d+)?", re.ASCII
)
_DECIMAL_COMMA = re.compile(r"[+-]?(?:\d+|\d{1,3}(?:\.\d{3})+),\d+", re.ASCII)
_CURRENCY = re.compile(r"[$€£¥₽₹]|^(?:USD|EUR|GBP|RUB|CHF)\b|\b(?:USD|EUR|GBP|RUB|CHF)$", re.IGNORECASE)


def _no_number(text: str) -> tuple[str, str, str]:
    """Code, message and remedy for text that is no number, by what it seems to be."""
    lower = text.lower()
    if lower in _MISSING_WORDS:
        return "not_a_number", "stands for a missing number", "leave the cell blank, or write the number"
    if _INFINITE.fullmatch(text):
        return "infinite", "is infinite", "write a finite number, or leave blank what has no limit"
    if text.startswith("#"):
        return "not_a_number", "is an error of a spreadsheet", "correct its formula and export again"
    if text.startswith("="):
        return "not_a_number", "is a formula", "export values instead of formulas"
    if text.endswith("%"):
        return "percent", "is a percent", "write a fraction: 0.15 for 15%"
    if _CURRENCY.search(text):
        return (
            "not_a_number",
            "carries a currency",
            "write the bare number; the currency stands in instance.toml",
        )
    if text.count(",") == 1 and re.fullmatch(r"[+-]?[1-9]\d{0,2},\d{3}", text, re.ASCII):
        whole, point = text.replace(",", ""), text.replace(",", ".")
        return "not_a_number", "has a comma", f"write {whole} or {point}, whichever is meant"
    if _SEPARATED.fullmatch(text):
        return (
            "not_a_number",
            "has thousands separators",
            "write 1234.50 without them, or state thousands in instance.toml",
        )
    if _DECIMAL_COMMA.fullmatch(text):
        return (
            "not_a_number",
            "has a decimal comma",
            'write a point, as 12.5, or state decimal = "," in instance.toml',
        )
    if _NUMBER.fullmatch(text.replace("\u2212", "-").strip("()")):
        return "not_a_number", "has a sign that is no plain hyphen", "write a negative number as -5"
    return "not_a_number", "is not a number", "write a number such as 1250.5"


def flags(cells: Sequence[str], column: Column) -> tuple[NDArray[np.bool_], list[Problem]]:
    """Booleans of text cells: true or false in any case, blank is the default."""
    meaning = {"true": True, "false": False, "": bool(column.stands_in)}
    known = {cell: meaning.get(cell.strip().lower()) for cell in set(cells)}
    remedy = "write true or false"
    problems = [
        Problem(at, "flag", "is neither true nor false", remedy) for at, cell in enumerate(cells) if known[cell] is None
    ] if None in known.values() else []  # fmt: skip
    if column.default is None:
        problems += [
            Problem(at, "blank", "is blank", remedy) for at, cell in enumerate(cells) if not cell.strip()
        ]
    values = np.array([bool(column.stands_in) if known[c] is None else known[c] for c in cells], dtype=bool)
    return values, problems


def choices(cells: Sequence[str], column: Column) -> tuple[list[str], list[Problem]]:
    """Words of text cells that must be among the column's choices; blank is the default."""
    default = str(column.stands_in)
    known: dict[str, str | None] = {}
    for cell in set(cells):
        word = cell.strip()
        known[cell] = (
            word if word in column.choices else default if not word and column.default is not None else None
        )
    problems = []
    if None in known.values():
        remedy = "write " + " or ".join(column.choices)
        for at, cell in enumerate(cells):
            if known[cell] is not None:
                continue
            word = cell.strip()
            if not word:
                problems.append(Problem(at, "blank", "is blank", remedy))
            else:
                hint = did_you_mean(word.lower(), column.choices)
                message = "is none of " + ", ".join(column.choices)
                problems.append(Problem(at, "choice", message, hint if hint.startswith("did") else remedy))
    return [known[cell] or default for cell in cells], problems


def days(
    cells: Sequence[str], column: Column, spelling: Spelling = PLAIN
) -> tuple[NDArray[np.datetime64], list[Problem]]:
    """Days of text cells as 2026-01-31, or as the source is said to write them (datetime64[ns]); refused ones become
    NaT."""
    if spelling.date_format is not None:
        return _spelt_days(cells, column, spelling.date_format)
    known: dict[str, tuple[str, str, str] | None] = {}
    for cell in set(cells):
        known[cell] = _no_day(cell.strip(), column)
    problems = [Problem(at, *wrong) for at, cell in enumerate(cells) if (wrong := known[cell]) is not None]
    texts = ["NaT" if known[cell] is not None or not cell.strip() else cell.strip() for cell in cells]
    return np.array(texts, dtype="datetime64[D]").astype("datetime64[ns]"), problems


def _spelt_days(
    cells: Sequence[str], column: Column, form: str
) -> tuple[NDArray[np.datetime64], list[Problem]]:
    """Days written as `form` says; a time that it names is left out."""
    known: dict[str, str | tuple[str, str, str]] = {}
    for cell in set(cells):
        text = cell.strip()
        try:
            day = datetime.datetime.strptime(text, form).date().isoformat() if text else ""
        except ValueError:
            remedy = "correct it, or date_format in instance.toml"
            known[cell] = ("date", f"is no day of the form {form}", remedy)
        else:
            known[cell] = _no_day(day, column) or day or "NaT"
    problems = [
        Problem(at, *found) for at, cell in enumerate(cells) if isinstance(found := known[cell], tuple)
    ]
    days = [found if isinstance(found := known[cell], str) else "NaT" for cell in cells]
    return np.array(days, dtype="datetime64[D]").astype("datetime64[ns]"), problems


def _no_day(text: str, column: Column) -> tuple[str, str, str] | None:
    """Code, message and remedy where the text is no day; None where it is one, or may be blank."""
    remedy = "write year, month and day as 2026-01-31"
    if not text:
        return ("blank", "is blank", "fill it in") if column.default is None else None
    if _DAY.fullmatch(text):
        try:
            day = datetime.date.fromisoformat(text)
        except ValueError:
            return "date", "is no day of the calendar", remedy
        if not _FIRST_DAY <= day <= _LAST_DAY:
            return "date", f"is outside of {_FIRST_DAY} to {_LAST_DAY}", remedy
        return None
    if _DAY.match(text):
        return "date", "has a time or a time zone", "write the day alone, as 2026-01-31"
    if re.fullmatch(r"\d{5}(\.\d+)?", text, re.ASCII):
        return (
            "date",
            "looks like a day number of a spreadsheet",
            "format the column as 2026-01-31 and export again",
        )
    if re.fullmatch(r"\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}", text, re.ASCII):
        return (
            "date",
            "does not say which part is the month",
            f"{remedy}, or state date_format in instance.toml",
        )
    return "date", "is no date", remedy
