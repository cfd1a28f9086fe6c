"""Whatever happens to the bytes of an instance, reading and building end in faults, never in another exception."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

from cpm_opt.faults import InputError
from cpm_opt.portfolio.build import build_portfolio
from cpm_opt.tables import read_instance

BASE = Path(__file__).parents[1] / "bad_inputs" / "_base"
PIECES = [
    *(b'"', b",", b"\n", b"\r", b";", b"\0", b"\xff", b"\xe2\x80\x8b", b"[", b"]", b'"""', b"#", b"=", b""),
    *(b"nan", b"inf", b"1e400", b"1e-300", b"1e15", b"-", b"2", b"true", b"99999999999999999999"),
    *(
        b"all",
        b"gold",
        b"silver",
        b"share",
        b"single",
        b"mix",
        b"customers",
        b"use:hours",
        b"on_change",
        b"lost",
    ),
]
ROUNDS = 150


def corrupted(whole: bytes, chance: random.Random) -> bytes:
    """The bytes with a piece put in, a cell replaced, a stretch cut out, or lines lost or shuffled."""
    at = chance.randrange(len(whole) + 1)
    piece = chance.choice(PIECES)
    what = chance.randrange(5)
    if what == 0:
        return whole[:at] + piece + whole[at:]
    if what == 1:
        cells = whole.split(b",")
        cells[chance.randrange(len(cells))] = piece
        return b",".join(cells)
    if what == 2:
        return whole[:at] + piece + whole[at + chance.randrange(1, 30) :]
    lines = whole.split(b"\n")
    if what == 3:
        lines.pop(chance.randrange(len(lines)))
    else:
        chance.shuffle(lines)
    return b"\n".join(lines)


def test_corruption_ends_in_faults(tmp_path: Path) -> None:
    folder = tmp_path / "instance"
    shutil.copytree(BASE, folder)
    whole = {path: path.read_bytes() for path in sorted(folder.iterdir())}
    chance = random.Random(20261122)
    refused = 0
    for _ in range(ROUNDS):
        changed = chance.sample(sorted(whole), chance.choice([1, 1, 2]))
        for path in changed:
            path.write_bytes(corrupted(whole[path], chance))
        tables = read_instance(folder)
        faults = tables.faults
        try:
            build_portfolio(tables.frames, tables.info, 2, faults)
            assert all(fault.warning for fault in faults)
        except InputError as error:
            refused += 1
            faults = error.faults
        assert all(fault.remedy and "\n" not in fault.line() for fault in faults)
        for path in changed:
            path.write_bytes(whole[path])
    assert refused > ROUNDS / 2
