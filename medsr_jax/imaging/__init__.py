"""Images and DICOM objects in and out, by one `Image` type that knows how to go back to its kind of file.

Pixels are the stored values of the file: no modality or VOI look-up, no window and no inversion is baked in.
Nothing here imports JAX, and the codecs and pydicom are imported when the first file needs them.
"""

from __future__ import annotations

from medsr_jax.imaging.dicom.derive import derive_dataset, write_dicom
from medsr_jax.imaging.image import Image
from medsr_jax.imaging.reading import read_image
from medsr_jax.imaging.sniffing import sniff
from medsr_jax.imaging.writing import output_suffix, write_image

__all__ = [
    "Image",
    "derive_dataset",
    "output_suffix",
    "read_image",
    "sniff",
    "write_dicom",
    "write_image",
]
