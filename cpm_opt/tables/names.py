"""Ids and other text: what a name may hold, and when two names are too alike to be told apart."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from cpm_opt.tables.column import Column
from cpm_opt.tables.values import Problem

MAX_LENGTH = 200

# Characters that show nothing or turn the direction of text: two names could look alike and be different.
_HIDDEN = re.compile(
    "[\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0"
    "\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_JOINER = "\u200d"


def texts(cells: Sequence[str], column: Column) -> tuple[list[str], list[Problem]]:
    """Names and other text as they stand; blank (spaces count as blank) is the default."""
    default = str(column.stands_in)
    wrong: dict[str, tuple[str, str, str]] = {}
    blank = {""}
    for cell in set(cells):
        if not cell or cell.isspace():
            blank.add(cell)
            if column.default is None:
                wrong[cell] = ("blank", "is blank", "fill it in")
        elif found := _no_name(cell):
            wrong[cell] = found
    if not wrong and blank.isdisjoint(cells):
        return list(cells), []
    problems = [Problem(at, *wrong[cell]) for at, cell in enumerate(cells) if cell in wrong] if wrong else []
    meant = {cell: _repaired(cell) for cell in wrong} | dict.fromkeys(blank, default)
    return [meant.get(cell, cell) for cell in cells], problems


def _repaired(name: str) -> str:
    """What a refused name was likely meant to be, so that references to it are no faults of their own."""
    return _HIDDEN.sub("", _CONTROL.sub("", name.strip()))[:MAX_LENGTH].strip()


def _no_name(text: str) -> tuple[str, str, str] | None:
    """Code, message and remedy where the text is no fit name."""
    if len(text) > MAX_LENGTH:
        return "too_long", f"has {len(text):,} characters, over the limit of {MAX_LENGTH}", "shorten it"
    if text != text.strip():
        return "space", "begins or ends with a space", "remove it"
    if text.isascii() and text.isprintable():
        return None
    if _CONTROL.search(text):
        return "hidden_character", "holds a control character", "type it anew"
    for found in _HIDDEN.finditer(text):
        if found[0] != _JOINER or not _joins_emoji(text, found.start()):
            what = unicodedata.name(found[0], f"U+{ord(found[0]):04X}").lower()
            return "hidden_character", f"holds a character that cannot be seen ({what})", "type it anew"
    return None


def _joins_emoji(text: str, at: int) -> bool:
    """Whether the zero-width joiner at this place holds the parts of one emoji together."""
    before = text[:at].rstrip("\ufe0f\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff")[-1:]
    after = text[at + 1 : at + 2]
    return all(c != "" and unicodedata.category(c) == "So" for c in (before, after))


def alike(name: str) -> str:
    """What is left of a name without case, Unicode form and kind of spaces: names alike in it are confusable."""
    if name.isascii():
        return " ".join(name.split()).casefold()
    return unicodedata.normalize("NFKC", " ".join(unicodedata.normalize("NFKC", name).split()).casefold())


def confusable(names: Iterable[str]) -> dict[str, str]:
    """Names that differ from an earlier one in case, spaces or Unicode form alone, each with that earlier one."""
    first: dict[str, str] = {}
    found = {}
    for name in dict.fromkeys(names):
        earlier = first.setdefault(alike(name), name)
        if earlier != name:
            found[name] = earlier
    return found


def letters_apart(one: str, other: str) -> int:
    """Letters to add, drop, change or swap with a neighbour to make `other` of `one` (case and edges aside)."""
    a, b = one.strip().casefold(), other.strip().casefold()
    before: list[int] = []
    above = list(range(len(b) + 1))
    for i, letter in enumerate(a, start=1):
        row = [i]
        for j, counterpart in enumerate(b, start=1):
            cost = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (letter != counterpart))
            if i > 1 and j > 1 and letter == b[j - 2] and a[i - 2] == counterpart:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, above = above, row
    return above[-1]


def misspelt(word: str, known: Iterable[str]) -> str | None:
    """The known column within two letters of this unknown one, so that it is a slip and no grouping column.

    Where two letters are half of the shorter word or more, they make another word of it (`class` is no `cash`, `band`
    no `kind`), so only one letter counts there.
    """
    best: tuple[int, str] | None = None
    for name in known:
        if abs(len(word) - len(name)) > 2:
            continue
        apart = letters_apart(word, name)
        if apart <= 2 and 2 * apart < min(len(word), len(name)) and (best is None or apart < best[0]):
            best = (apart, name)
    return best[1] if best else None
