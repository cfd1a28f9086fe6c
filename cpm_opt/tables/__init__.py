"""Reading and checking an instance: in comes a folder with instance.toml and its tables, out comes `Tables`."""

from __future__ import annotations

from cpm_opt.tables.catalogue import PLANNING, RAW, targets
from cpm_opt.tables.check import check_frame
from cpm_opt.tables.column import Column, Table
from cpm_opt.tables.info import InstanceInfo, Measure
from cpm_opt.tables.instance import Tables, read_instance

__all__ = [
    "PLANNING",
    "RAW",
    "Column",
    "InstanceInfo",
    "Measure",
    "Table",
    "Tables",
    "check_frame",
    "read_instance",
    "targets",
]
