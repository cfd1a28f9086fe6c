"""Scenarios from the uncertainty of estimates: joint draws, reduced to a few with weights."""
