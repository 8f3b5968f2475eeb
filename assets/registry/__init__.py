"""Inputs and registry: what the folder says, checked as a whole, and its way into `raw` and `registry`."""
