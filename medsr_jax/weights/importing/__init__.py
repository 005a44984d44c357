"""Weights of other programs' files, as models of this package."""
