"""The model: comes in a Portfolio and a ModelSpec, goes out a Pyomo model with a name for every row."""
