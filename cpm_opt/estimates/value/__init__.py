"""What customers are worth: models of purchases, spend and contracts, and the values that follow."""
