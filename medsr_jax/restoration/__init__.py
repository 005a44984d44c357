"""The receiver: from a packet back to the original's size, type and values."""

from __future__ import annotations

from medsr_jax.restoration.output import restored_image, restored_suffix, write_restored
from medsr_jax.restoration.restorer import Restored, Restorer

__all__ = ["Restored", "Restorer", "restored_image", "restored_suffix", "write_restored"]
