"""The receiver: from a packet back to the original's size, type and values. Names are imported when they are used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medsr_jax.lazy import lazily

if TYPE_CHECKING:
    from medsr_jax.restoration.assembly import Restored as Restored
    from medsr_jax.restoration.output import restored_image as restored_image
    from medsr_jax.restoration.output import restored_suffix as restored_suffix
    from medsr_jax.restoration.output import write_restored as write_restored
    from medsr_jax.restoration.restorer import Restorer as Restorer
    from medsr_jax.restoration.uncertainty import uncertainty_path as uncertainty_path
    from medsr_jax.restoration.uncertainty import write_uncertainty as write_uncertainty

_HOMES = {
    "Restored": "assembly",
    "Restorer": "restorer",
    "restored_image": "output",
    "restored_suffix": "output",
    "uncertainty_path": "uncertainty",
    "write_restored": "output",
    "write_uncertainty": "uncertainty",
}
__all__ = list(_HOMES)
__getattr__ = lazily(__name__, _HOMES)
