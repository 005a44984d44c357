"""The receiver: from a packet back to the original's size, type and values."""

from __future__ import annotations

from medsr_jax.errors import missing_part

try:
    from medsr_jax.restoration.output import restored_image, restored_suffix, write_restored
    from medsr_jax.restoration.restorer import Restored, Restorer
    from medsr_jax.restoration.uncertainty import uncertainty_path, write_uncertainty
except ImportError as error:
    raise missing_part(error, what=__name__) or error from None

__all__ = [
    "Restored",
    "Restorer",
    "restored_image",
    "restored_suffix",
    "uncertainty_path",
    "write_restored",
    "write_uncertainty",
]
