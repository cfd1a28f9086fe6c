"""Scores of suppliers: points worked by hand, limits, tiers, where weights change the order, and faults."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cpm_opt.cli import app
from cpm_opt.faults import InputError
from cpm_opt.study.supplier import supplier_portfolio
from cpm_opt.tables import read_instance

INSTANCE = (
    '[instance]\nname = "s"\ntitle = "Mill"\ncurrency = "EUR"\nperiod = "year"\nsource = "x"\nlicence = "x"\n'
)
SUPPLIERS = "supplier,spend\nnord,600\nsued,300\nwest,100\n"
CRITERIA = (
    "criterion,weight,worst,best,limit,better\n"
    "quality,5,0,100,50,more\nprice,3,20,10,,less\ndelays,2,30,0,25,less\n"
)
UNWEIGHTED = "criterion,weight,better\nquality,0,more\nprice,0,less\ndelays,0,less\n"
SCORES = (
    "supplier,criterion,score\nnord,quality,90\nnord,price,16\nnord,delays,6\nsued,quality,70\nsued,price,11\n"
    "sued,delays,12\nwest,quality,95\nwest,price,10\nwest,delays,27\n"
)


def instance(folder: Path, more: str = "", **changed: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "instance.toml").write_text(INSTANCE + more, "utf-8")
    tables = {"suppliers": SUPPLIERS, "criteria": CRITERIA, "supplier_scores": SCORES, **changed}
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text, "utf-8")
    return folder


def test_points_by_hand(tmp_path):
    found = supplier_portfolio(read_instance(instance(tmp_path)))
    # nord: 50 x 0.9 + 30 x 0.4 + 20 x 0.8 = 73; sued: 35 + 27 + 12 = 74; west: 47.5 + 30 + 2 = 79.5, but delays of 27.
    assert found.suppliers["points"].to_dict() == pytest.approx({"west": 79.5, "sued": 74.0, "nord": 73.0})
    assert found.parts.loc["nord"].to_dict() == pytest.approx({"quality": 45, "price": 12, "delays": 16})
    assert found.parts.sum(axis=1).to_dict() == pytest.approx(found.suppliers["points"].to_dict())
    assert found.suppliers["misses"].to_dict() == {"west": "delays", "sued": "", "nord": ""}
    assert found.suppliers["tier"].to_dict() == {"west": "refused", "sued": "preferred", "nord": "preferred"}
    assert found.tiers["spend"].to_dict() == {"strategic": 0, "preferred": 900, "approved": 0, "refused": 100}
    assert found.concentration == pytest.approx(0.36 + 0.09 + 0.01)


def test_at_a_flip_the_two_draw_level_and_beyond_it_the_other_leads(tmp_path):
    """Checked by scoring again with the weights at, before and beyond the flip."""
    found = supplier_portfolio(read_instance(instance(tmp_path / "a")))
    share = found.weights["share"].to_numpy()
    flips = 0
    for k, (at, other) in enumerate(
        found.weights[["flip_at", "then_first"]].itertuples(index=False, name=None)
    ):
        if not other:
            continue
        flips += 1
        side = np.sign(at - share[k])
        for step, ahead in ((0.0, None), (1e-3, other), (-1e-3, "sued")):
            own = at + side * step
            weights = share * (1 - own) / (1 - share[k])
            weights[k] = own
            rows = CRITERIA.splitlines()
            fields = [row.split(",") for row in rows[1:]]
            text = "\n".join(
                [
                    rows[0],
                    *(",".join([f[0], repr(float(w)), *f[2:]]) for f, w in zip(fields, weights, strict=True)),
                ]
            )
            again = supplier_portfolio(
                read_instance(instance(tmp_path / "b", criteria=text + "\n"))
            ).suppliers
            fit = again[again["misses"] == ""]["points"]
            if ahead is None:
                assert fit["sued"] == pytest.approx(fit[other], abs=1e-9)
            else:
                assert fit.idxmax() == ahead
    assert flips == 3


def test_a_scale_that_is_not_stated_is_that_of_the_scores(tmp_path):
    criteria = "criterion,weight,better\nquality,1,more\nprice,1,less\ndelays,0,less\n"
    found = supplier_portfolio(read_instance(instance(tmp_path, criteria=criteria)))
    assert found.weights.loc["price", ["worst", "best"]].tolist() == [16, 10]
    assert found.suppliers.loc["west", "points"] == pytest.approx(100)
    assert found.suppliers.loc["sued", "points"] == pytest.approx(50 * (0 + 5 / 6))


@pytest.mark.parametrize(
    ("row", "score", "says"),
    [
        ("quality,5,50,,,more", 40, "40.*worse than worst, 50"),
        ("quality,5,,80,,more", 95, "95.*better than best, 80"),
        ("quality,5,90,,,less", 95, "95.*worse than worst, 90"),
    ],
)
def test_a_score_beyond_the_one_end_that_is_stated_is_off_the_scale(
    tmp_path, row: str, score: int, says: str
):
    criteria = CRITERIA.replace("quality,5,0,100,50,more", row)
    scores = SCORES.replace("nord,quality,90", f"nord,quality,{score}").replace(
        "sued,quality,70", "sued,quality,60"
    )
    scores = scores.replace("west,quality,95", "west,quality,61")
    with pytest.raises(InputError, match=says) as caught:
        supplier_portfolio(read_instance(instance(tmp_path, criteria=criteria, supplier_scores=scores)))
    assert len(caught.value.faults) == 1


def test_who_scores_the_stated_worst_gets_nothing_for_it_even_if_all_do(tmp_path):
    criteria = "criterion,weight,worst\nquality,1,50\n"
    scores = "supplier,criterion,score\nnord,quality,50\nsued,quality,50\nwest,quality,50\n"
    found = supplier_portfolio(read_instance(instance(tmp_path, criteria=criteria, supplier_scores=scores)))
    assert found.suppliers["points"].tolist() == [0, 0, 0]


def test_tiers_by_shares_and_by_natural_breaks(tmp_path):
    for method, values in (("shares", "values = [0.5, 0.5]\n"), ("natural_breaks", "values = []\n")):
        more = f'[estimates.supplier]\nmethod = "{method}"\nnames = ["first", "second"]\n{values}'
        free = CRITERIA.replace("30,0,25,less", "30,0,,less")
        found = supplier_portfolio(read_instance(instance(tmp_path, more, criteria=free))).suppliers["tier"]
        expected = {"shares": ["first", "first", "second"], "natural_breaks": ["first", "second", "second"]}
        assert found.tolist() == expected[method]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"supplier_scores": SCORES.replace("west,price,10\n", "")}, "west.*has no score on criterion 'price'"),
        ({"supplier_scores": SCORES + "ost,quality,5\n"}, "ost.*is not known"),
        ({"supplier_scores": SCORES.replace("nord,quality,90", "nord,quality,101")}, "101.*off the scale"),
        ({"criteria": CRITERIA.replace("price,3,20,10,,less", "price,3,20,10,,more")}, "wrong side of worst"),
        ({"criteria": UNWEIGHTED}, "is 0 in every row"),
        ({"suppliers": "supplier,spend\n"}, "suppliers"),
    ],
)  # fmt: skip
def test_each_fault_is_told_with_its_place(tmp_path, changed: dict[str, str], says: str):
    with pytest.raises(InputError, match=says):
        supplier_portfolio(read_instance(instance(tmp_path, **changed)))


def test_settings_that_do_not_fit_are_one_fault(tmp_path):
    with pytest.raises(InputError, match="needs 1 values with 2 names") as caught:
        supplier_portfolio(read_instance(instance(tmp_path, '[estimates.supplier]\nnames = ["a", "b"]\n')))
    assert len(caught.value.faults) == 1


def test_the_command(tmp_path):
    folder = instance(tmp_path / "mill")
    shown = CliRunner().invoke(app, ["supplier", str(folder), "--plot", str(tmp_path / "points.png")])
    assert shown.exit_code == 0, shown.output
    assert "sued comes first with 74 of 100 points." in shown.stdout
    assert "west is refused: it misses the limit of delays." in shown.stdout
    assert (tmp_path / "points.png").read_bytes().startswith(b"\x89PNG")
    answer = json.loads(CliRunner().invoke(app, ["supplier", str(folder), "--json"]).stdout)
    assert [row["points"] for row in answer["suppliers"]] == pytest.approx([79.5, 74, 73])
    assert answer["hhi"] == pytest.approx(0.46)
