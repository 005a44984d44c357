"""DICOM objects derived from others by lossy means."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from medsr_jax.imaging.files import atomic_write

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


def derive_dataset(
    source: Dataset,
    *,
    frames: np.ndarray[Any, Any] | Sequence[bytes],
    rows: int,
    columns: int,
    transfer_syntax: str,
    bits_stored: int,
    signed: bool,
    spacing_scale: tuple[float, float],
    ratio: float | None,
    method: str | None,
    description: str,
    rescale: tuple[float, float] | None,
    series_description: str,
) -> Dataset:
    """First sketch: the pixel module and the lossy attributes only; the rest follows."""
    import copy

    from pydicom.encaps import encapsulate
    from pydicom.uid import UID, generate_uid

    result = copy.deepcopy(source)
    encapsulated = not isinstance(frames, np.ndarray)
    result.file_meta.TransferSyntaxUID = UID(transfer_syntax)
    result.SOPInstanceUID = generate_uid()
    result.SeriesInstanceUID = generate_uid()
    result.file_meta.MediaStorageSOPInstanceUID = result.SOPInstanceUID
    result.Rows, result.Columns = rows, columns
    result.BitsAllocated = 8 if bits_stored <= 8 else 16
    result.BitsStored, result.HighBit, result.PixelRepresentation = bits_stored, bits_stored - 1, int(signed)
    result.LossyImageCompression = "01"
    result.DerivationDescription = description
    result.PixelData = encapsulate(list(frames)) if encapsulated else np.asarray(frames).tobytes()
    result["PixelData"].is_undefined_length = encapsulated
    result["PixelData"].VR = "OB" if encapsulated or bits_stored <= 8 else "OW"
    return result


def write_dicom(path: str | os.PathLike[str], dataset: Dataset) -> None:
    """Writes a DICOM file with its meta information, whole or not at all.

    Raises:
      MedsrError: the file can't be written.
    """
    import io

    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    atomic_write(path, buffer.getvalue())
