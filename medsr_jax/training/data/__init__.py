"""Batches of a run, and the examples that the device makes of them."""
