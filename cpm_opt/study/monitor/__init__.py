"""What happened against the plan: variances, forecasts, estimates in doubt, and the next period."""
