"""Attributes of a DICOM object that change when its pixels change size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medsr_jax.imaging.numbers import decimal

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
# Pixel positions that start at 1, as (keyword, axes): 0 for rows, 1 for columns, or rows and columns in turn.
_POSITIONS = (
    ("ShutterLeftVerticalEdge", 1),
    ("ShutterRightVerticalEdge", 1),
    ("ShutterUpperHorizontalEdge", 0),
    ("ShutterLowerHorizontalEdge", 0),
    ("CenterOfCircularShutter", None),
    ("VerticesOfThePolygonalShutter", None),
    ("CollimatorLeftVerticalEdge", 1),
    ("CollimatorRightVerticalEdge", 1),
    ("CollimatorUpperHorizontalEdge", 0),
    ("CollimatorLowerHorizontalEdge", 0),
    ("CenterOfCircularCollimator", None),
    ("VerticesOfThePolygonalCollimator", None),
)
_LENGTHS = (("RadiusOfCircularShutter", 1), ("RadiusOfCircularCollimator", 1))
# Positions in ultrasound regions start at 0 (PS3.3 C.8.5.5).
_REGION_POSITIONS = (
    ("RegionLocationMinX0", 1),
    ("RegionLocationMaxX1", 1),
    ("RegionLocationMinY0", 0),
    ("RegionLocationMaxY1", 0),
    ("ReferencePixelX0", 1),
    ("ReferencePixelY0", 0),
)

POSITIONED = (
    *_SPACINGS,
    *(keyword for keyword, _ in (*_POSITIONS, *_LENGTHS)),
    "ImagePositionPatient",
    "DetectorInformationSequence",
    "SequenceOfUltrasoundRegions",
)
"""Top-level elements that change with the size of the pixels, functional groups besides."""


def rescale_geometry(dataset: Dataset, *, scale: tuple[float, float], rows: int, columns: int) -> None:
    """Makes spacings, positions, shutters and regions describe pixels `scale` times as large.

    The pixels share their outer corner with the old ones, as those of area averaging do, so the centre of the
    first one moves by (scale - 1) / 2 old pixels. Positions in whole pixels are rounded.

    Args:
        dataset: changed in place, functional groups and all.
        scale: new pixel size over old, of rows and of columns.
        rows, columns: size of the new frames, which pixel positions stay inside.
    """
    shared = _items(dataset, "SharedFunctionalGroupsSequence")
    frames = _items(dataset, "PerFrameFunctionalGroupsSequence")
    # Positions need the old spacings, so they come first.
    _move_origin(dataset, dataset, dataset, scale)
    for detector in _items(dataset, "DetectorInformationSequence"):
        _move_origin(detector, detector, dataset, scale)
    for group in shared + frames:
        places = _items(group, "PlanePositionSequence")
        planes = _items(group, "PlaneOrientationSequence") or _first(shared, "PlaneOrientationSequence")
        measures = _items(group, "PixelMeasuresSequence") or _first(shared, "PixelMeasuresSequence")
        if places and planes and measures:
            _move_origin(places[0], planes[0], measures[0], scale)
    holders = [dataset] + [item for group in shared + frames for item in _items(group, "PixelMeasuresSequence")]
    for holder in holders:
        for keyword in _SPACINGS:
            value = _numbers(holder, keyword)
            if len(value) == 2:
                setattr(holder, keyword, [decimal(value[0] * scale[0]), decimal(value[1] * scale[1])])
    _scale_shutters(dataset, scale, (rows, columns))
    for group in shared + frames:
        for item in _items(group, "FrameDisplayShutterSequence"):
            _scale_shutters(item, scale, (rows, columns))
    for region in _items(dataset, "SequenceOfUltrasoundRegions"):
        _scale_region(region, scale, (rows, columns))


def _move_origin(place: Dataset, plane: Dataset, measure: Dataset, scale: tuple[float, float]) -> None:
    position = _numbers(place, "ImagePositionPatient")
    orientation = _numbers(plane, "ImageOrientationPatient")
    spacing = _numbers(measure, "PixelSpacing")
    if len(position) != 3 or len(orientation) != 6 or len(spacing) != 2:
        return
    down = (scale[0] - 1) / 2 * spacing[0]
    across = (scale[1] - 1) / 2 * spacing[1]
    along_row, along_column = orientation[:3], orientation[3:]
    place.ImagePositionPatient = [
        decimal(position[axis] + across * along_row[axis] + down * along_column[axis]) for axis in range(3)
    ]


def _scale_shutters(dataset: Dataset, scale: tuple[float, float], size: tuple[int, int]) -> None:
    for keyword, axis in _POSITIONS:
        values = _numbers(dataset, keyword)
        if values:
            axes = [axis if axis is not None else place % 2 for place in range(len(values))]
            moved = [
                _inside(round((value - 0.5) / scale[which] + 0.5), 1, size[which])
                for value, which in zip(values, axes, strict=True)
            ]
            setattr(dataset, keyword, moved if len(moved) > 1 else moved[0])
    for keyword, axis in _LENGTHS:
        values = _numbers(dataset, keyword)
        if values:
            setattr(dataset, keyword, max(1, round(values[0] / scale[axis])))


def _scale_region(region: Dataset, scale: tuple[float, float], size: tuple[int, int]) -> None:
    for keyword, axis in _REGION_POSITIONS:
        values = _numbers(region, keyword)
        if values:
            moved = round((values[0] + 0.5) / scale[axis] - 0.5)
            # A reference pixel may lie outside the image.
            setattr(region, keyword, moved if keyword.startswith("Ref") else _inside(moved, 0, size[axis] - 1))
    for keyword, axis in (("PhysicalDeltaX", 1), ("PhysicalDeltaY", 0)):
        values = _numbers(region, keyword)
        if values:
            setattr(region, keyword, values[0] * scale[axis])


def _inside(value: int, low: int, high: int) -> int:
    return min(max(value, low), high)


def _numbers(dataset: Dataset, keyword: str) -> list[float]:
    """The numbers of an element, or none where they are missing or unreadable."""
    value = dataset.get(keyword)
    if value is None or value == "":
        return []
    try:
        return [float(part) for part in (value if hasattr(value, "__iter__") else [value])]
    except (TypeError, ValueError):
        return []


def _items(dataset: Dataset, keyword: str) -> list[Dataset]:
    return list(dataset.get(keyword) or [])


def _first(groups: list[Dataset], keyword: str) -> list[Dataset]:
    return next((items for group in groups if (items := _items(group, keyword))), [])
