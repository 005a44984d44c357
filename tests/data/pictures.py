"""Pictures of known values, written as files of all kinds."""

from __future__ import annotations

import pathlib

import numpy as np
from PIL import Image

from tests.imaging.dicom.objects import image_object, saved


def picture(seed: int, shape: tuple[int, int] = (48, 40), dtype: type = np.uint8) -> np.ndarray:
    """(rows, columns), smooth, different for each seed."""
    y, x = np.mgrid[: shape[0], : shape[1]] / 40.0
    wave = 0.5 + 0.45 * np.sin(3 * x + seed) * np.cos(2 * y + 0.7 * seed)
    return (wave * np.iinfo(dtype).max).astype(dtype)


def png(path: pathlib.Path, pixels: np.ndarray, **options: object) -> pathlib.Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, "PNG", **options)
    return path


def ct(path: pathlib.Path, hounsfield: np.ndarray, **attributes: object) -> pathlib.Path:
    """A CT slice that stores HU + 1024 in 12 bits."""
    dataset = image_object((hounsfield + 1024).astype(np.uint16), sop_class="1.2.840.10008.5.1.4.1.1.2", bits_stored=12)
    dataset.Modality, dataset.RescaleSlope, dataset.RescaleIntercept = "CT", "1", "-1024"
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return saved(dataset, path)
