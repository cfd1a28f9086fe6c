"""A second reading of the design, for tests only: it shares no line with cpm_opt.

read.py         folder of CSV and a model TOML -> rows of text (`Case`)
program.py      rows and columns of a linear programme with integers, solved by scipy
numbers.py      rows of text -> figures per segment, option and period, factors applied
formulation.py  figures -> matrices -> `Answer` (status, objective, profit, decisions)
simulate.py     a given plan, period by period, in plain arithmetic from the rows of text; no solver, no matrices
enumerate.py    the best plan of a tiny instance: every plan tried
generate.py     random instances, seeded
"""
