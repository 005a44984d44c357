"""How large an image may be."""

from __future__ import annotations

from medsr_jax.errors import MedsrError

MAX_PIXELS = 2**27
"""Default limit of pixels a frame, 16384 x 8192: reading them takes up to 1 GiB."""


def check_size(rows: int, columns: int, *, frames: int = 1, width: int = 1, name: str, max_pixels: int) -> None:
    """Refuses images without pixels and images too large to hold.

    Args:
        rows, columns, frames: size of the image.
        width: bytes of a pixel, all channels together.
        name, max_pixels: as in `imaging.read_image`.

    Raises:
        MedsrError: a side is zero, or there are too many pixels.
    """
    if rows < 1 or columns < 1 or frames < 1:
        raise MedsrError(f"has no pixels: {frames} frames of {rows} rows and {columns} columns", path=name)
    most = 4 * max_pixels // max(width, 4)
    size = f"{rows} x {columns}" + (f" x {frames} frames" if frames > 1 else "")
    if rows * columns > most:
        what = f"pixels of {width} bytes" if width > 4 else "pixels"
        raise MedsrError(
            f"has {size} {what}, more than the {most / 1e6:.0f} million that are read", path=name, remedy="split it"
        )
    if frames * rows * columns > 2 * most:
        raise MedsrError(
            f"has {size} pixels, more than the {2 * most / 1e6:.0f} million that are read", path=name, remedy="split it"
        )
