"""How customers answer to prices, effort and programmes: curves, and the effects that follow from them."""
