"""Charts: text stays text, the same numbers give the same bytes, and what is drawn lies where the numbers say."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from cpm_opt.faults import InputError
from cpm_opt.report.chart import FORMATS, Bars, Chart, Lines, Series, Steps, chart, picture, picture_format

HOSTILE = '<script>alert("1")</script>&\x00\n]]> $x_1$ 客 \u202e😀'
POINTS = ((0.0, 1.0), (1.0, 3.0))


def every_kind(name: str) -> list[Chart]:
    curve = Series(name, POINTS, band=((0.5, 1.5), (2.0, 4.0)))
    seen = Series("seen", POINTS, joined=False, sizes=(3.0, 40.0))
    return [
        Lines(name, name, name, (curve, seen)),
        Lines(name, name, name, (curve,), (name, "b"), level=1.0),
        Bars(name, name, name, (name, "b"), (curve, Series("actual", POINTS))),
        Steps(name, name, (name, 100.0), ((name, 20.0), ("fees", -50.0)), ("plan", 70.0)),
    ]


def test_a_chart_is_sound_whatever_the_names():
    tree = ElementTree.fromstring(picture(every_kind(HOSTILE), "svg"))
    assert not {element.tag.rpartition("}")[2] for element in tree.iter()} & {
        "script",
        "image",
        "a",
        "foreignObject",
    }
    texts = [element.text or "" for element in tree.iter() if element.tag.endswith("text")]
    assert sum('<script>alert("1")</script>&  ]]> $x_1$' in text for text in texts) >= 8
    assert chart("", "", "", [Series("", ())]) == ""


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_numbers_give_the_same_bytes(form):
    heads = {"svg": b"<svg", "png": b"\x89PNG", "pdf": b"%PDF"}
    first = picture(every_kind("a"), form)
    assert first.startswith(heads[form])
    assert first == picture(every_kind("a"), form)


def test_marks_of_an_axis_have_the_decimals_of_their_step():
    def marks(low: float, high: float) -> list[str]:
        text = chart("", "", "", [Series("", ((0.0, low), (1.0, high)))])
        return re.findall(r"<text[^>]*>([\u2212\d.,e-]+)</text>", text)

    assert "0.0150" in marks(0.0125, 0.02) or "0.015" in marks(0.0125, 0.02)
    assert "1,200,000" in marks(1_100_000.0, 1_300_000.0)
    assert any(mark.startswith("\u2212") for mark in marks(-5.0, 5.0))


def test_a_picture_is_named_by_its_format():
    assert picture_format("--plot", "whale.SVG") == "svg"
    with pytest.raises(InputError, match=r"\.svg, \.png, \.pdf"):
        picture_format("--plot", "whale.xls")
