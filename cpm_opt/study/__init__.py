"""Questions asked over the same solve: one module a question.

Each takes names or values of the stages before it and hands on one frozen value, which `report` puts into words.
"""
