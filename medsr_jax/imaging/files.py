"""The functions of `medsr_jax.files` under their former module."""

from __future__ import annotations

from medsr_jax.files import atomic_write, find_inputs, output_paths

__all__ = ["atomic_write", "find_inputs", "output_paths"]
