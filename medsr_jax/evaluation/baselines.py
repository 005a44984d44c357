"""What the receiver would show without a network: the small image, enlarged."""

from __future__ import annotations

import numpy as np
from PIL import Image as PillowImage

from medsr_jax.transmission.mapping import from_codes, to_stored
from medsr_jax.transmission.packet import Packet

METHODS = {
    "nearest": PillowImage.Resampling.NEAREST,
    "bilinear": PillowImage.Resampling.BILINEAR,
    "bicubic": PillowImage.Resampling.BICUBIC,
    "lanczos": PillowImage.Resampling.LANCZOS,
}


def enlarge(packet: Packet, *, method: str = "bicubic") -> np.ndarray:
    """The packet's small images at the original's size, type and values: (frames, rows, columns).

    Args:
        packet: of any scale.
        method: one of `METHODS`; bicubic has a = -0.5.
    """
    h = packet.header
    frames = []
    for small in packet.decode():
        rows, columns = (side * h.scale for side in small.shape)
        large = PillowImage.fromarray(small.astype(np.float32)).resize((columns, rows), METHODS[method])
        codes = np.clip(np.asarray(large)[: h.rows, : h.columns], 0, h.levels)
        values = from_codes(codes, low=h.low, high=h.high, levels=h.levels)
        frames.append(to_stored(values, dtype=h.dtype, value_range=h.value_range))
    large_frames = np.stack(frames)
    return large_frames if h.padding is None else h.padding.applied(large_frames)
