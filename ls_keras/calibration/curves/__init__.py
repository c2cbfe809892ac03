"""Reliability curves, their errors and confidence intervals."""
