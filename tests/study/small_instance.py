"""A small instance as a folder with its model: two active segments, a `mix` and a `single` lever, scarce hours."""

from __future__ import annotations

import shutil
from pathlib import Path

from cpm_opt.pipeline import Problem, read_problem

FILES = {
    "instance.toml": '[instance]\nname = "small"\ntitle = "A small one"\ncurrency = "EUR"\nperiod = "quarter"\n'
    'source = "made up"\nlicence = "none"\n',
    "model.toml": 'title = "Small"\n[horizon]\nperiods = 2\ndiscount_rate = 0.05\n[components.capacity]\n'
    "[components.balance]\n[components.switching]\n",
    "segments.csv": "segment,customers,margin,end_value,kind,tier\ngold,100,50,90,active,top\n"
    "silver,400,10,20,active,low\nlater,30,0,0,prospect,low\n",
    "levers.csv": "lever,choice,scope\nservice,mix,segment\ntariff,single,tier\n",
    "options.csv": "lever,option,base\nservice,basic,true\nservice,plus,false\ntariff,keep,true\ntariff,up5,false\n",
    "effects.csv": "segment,lever,option,margin\ngold,service,plus,-6\nsilver,service,plus,-1\ngold,tariff,up5,9\n"
    "silver,tariff,up5,2\n",
    "resources.csv": "resource,capacity,unit,extra_capacity,extra_cost\nhours,90,hours,20,3\n",
    "usage.csv": "resource,amount,segment,lever,option\nhours,0.5,,service,plus\n",
    "migration.csv": "from,to,rate\ngold,gold,0.7\ngold,silver,0.1\nsilver,silver,0.8\nsilver,gold,0.05\n"
    "later,later,0.7\nlater,silver,0.2\n",
    "migration_effects.csv": "from,to,lever,option,rate\ngold,gold,service,plus,0.15\n"
    "silver,silver,service,plus,0.08\ngold,gold,tariff,up5,-0.1\nsilver,silver,tariff,up5,-0.05\n",
}
SCENARIOS = (
    "scenario,probability,target,factor,segment\n"
    "good,0.5,segments.margin,1.2,\n"
    "bad,0.5,segments.margin,0.5,gold\n"
)


def written(folder: Path, **changed: str) -> Path:
    """The instance in a new folder; keyword arguments add or replace tables by their text."""
    folder.mkdir()
    for name, text in {**FILES, **{f"{table}.csv": text for table, text in changed.items()}}.items():
        (folder / name).write_text(text)
    return folder


def problem(folder: Path, *settings: str, **changed: str) -> Problem:
    """The instance written, and read with its own model."""
    shutil.rmtree(folder, ignore_errors=True)
    written(folder, **changed)
    return read_problem(folder, folder / "model.toml", settings)
