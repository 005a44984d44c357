"""Which quality to code with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from medsr_jax.errors import MedsrError
from medsr_jax.transmission.codecs import Codec

if TYPE_CHECKING:
    from medsr_jax.transmission.packet import Packet


def choose_quality(small: np.ndarray, *, codec: Codec) -> int:
    """The quality for a small image, 50..75."""
    return 60


def best_that_fits(make: Callable[[int], Packet], *, max_bytes: int, size: Callable[[Packet], int]) -> Packet:
    """The packet of the greatest quality whose size is at most `max_bytes`.

    Args:
        make: quality 1..100 -> packet.
        max_bytes: the budget for the whole file.
        size: packet -> bytes of its file.

    Raises:
        MedsrError: where quality 1 doesn't fit.
    """
    low, high, best = 1, 100, None
    while low <= high:
        quality = (low + high) // 2
        packet = make(quality)
        if size(packet) <= max_bytes:
            best, low = packet, quality + 1
        else:
            high = quality - 1
    if best is None:
        smallest = size(make(1))
        raise MedsrError(
            f"doesn't fit into {max_bytes} bytes: the smallest packet at this scale and codec has {smallest}; raise the "
            "budget or the scale, or choose codec jpeg2000 or avif"
        )
    return best
