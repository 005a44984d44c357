"""Overlay planes in the unused bits of Pixel Data, a practice retired from the standard (PS3.5 section 8.1.2, 2004)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Array = np.ndarray[Any, Any]

_GROUPS = range(0x6000, 0x6100, 2)
_ROWS, _COLUMNS, _FRAMES, _TYPE, _ORIGIN, _FIRST = 0x0010, 0x0011, 0x0015, 0x0040, 0x0050, 0x0051
_ALLOCATED, _POSITION, _DATA = 0x0100, 0x0102, 0x3000


def overlay_mask(dataset: Dataset) -> int:
    """The bits of a sample that hold overlay planes."""
    return sum(1 << position for _, position in _embedded(dataset))


def move_overlays(dataset: Dataset, pixels: Array, *, taken: int) -> tuple[str, ...]:
    """Gives each overlay in the pixels' unused bits Overlay Data of its own.

    Args:
        dataset: changed in place.
        pixels: (frames, rows, columns) of samples with all their bits.
        taken: the bits of a sample that hold the stored value; an overlay there is none.

    Returns:
        Notes.
    """
    from pydicom.dataelem import DataElement

    notes: tuple[str, ...] = ()
    frames, rows, columns = pixels.shape
    for group, position in _embedded(dataset):
        if position >= 8 * pixels.dtype.itemsize or taken >> position & 1:
            notes += (f"overlay {group:04X} lies in bit {position}, which holds no overlay; it is left out",)
            continue
        plane = pixels.view(f"u{pixels.dtype.itemsize}") >> position & 1
        packed = np.packbits(plane.astype(np.uint8).ravel(), bitorder="little").tobytes()
        values: dict[int, tuple[str, Any]] = {
            _ROWS: ("US", rows),
            _COLUMNS: ("US", columns),
            _ALLOCATED: ("US", 1),
            _POSITION: ("US", 0),
            _DATA: ("OW", packed + b"\0" * (len(packed) % 2)),
        }
        if frames > 1:
            values |= {_FRAMES: ("IS", frames), _FIRST: ("US", 1)}
        for element, value in ((_TYPE, ("CS", "G")), (_ORIGIN, ("SS", [1, 1]))):
            if (group, element) not in dataset:
                values[element] = value
        for element, (vr, content) in values.items():
            dataset[group, element] = DataElement((group, element), vr, content)
        notes += (f"overlay {group:04X} moved from bit {position} of the pixels into Overlay Data of its own",)
    return notes


def _embedded(dataset: Dataset) -> list[tuple[int, int]]:
    """Group and bit position of the overlays that have no data of their own."""
    found = []
    for group in _GROUPS:
        allocated, position = (dataset.get((group, element)) for element in (_ALLOCATED, _POSITION))
        if allocated is None or position is None or (group, _DATA) in dataset:
            continue
        numbers = isinstance(allocated.value, int) and isinstance(position.value, int)
        if numbers and allocated.value > 1 and 0 <= position.value < 32:
            found.append((group, int(position.value)))
    return found
