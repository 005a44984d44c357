"""The data set of a measurement, and a small one from installed packages that stands in for it in a trial run."""

from __future__ import annotations

import atexit
import os
import pathlib
import shutil
import tempfile

import numpy as np
from PIL import Image

from medsr_jax.evaluation.studies.samples import radiograph, tiled

# Images of each folder: squares of one radiograph.
_CHESTS = {"train/chest": 4, "val/chest": 2, "test/chest": 2, "test/radiograph": 1}
_SIDE = 512
_DICOM = ("CT_small.dcm", "MR_small.dcm", "examples_overlay.dcm")


def data_set(path: pathlib.Path | None, *, tiny: bool) -> pathlib.Path:
    """The folder of a data set: the one given, else ``$MEDSR_DATA``, else ``data``.

    Args:
        path: from the command line, or None.
        tiny: make a small data set in a temporary folder where neither of the first two is given.
    """
    if path is not None:
        return path
    if (named := os.environ.get("MEDSR_DATA")) or not tiny:
        return pathlib.Path(named or "data")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="medsr-samples-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    write_samples(folder)
    return folder


def write_samples(folder: pathlib.Path) -> None:
    """Write images of pydicom-data (its radiograph) and pydicom, in the folders that measurements read.

    8-bit PNGs of 512x512 below ``train``, ``val`` and ``test``; a CT slice as ``test/ct``, 16 bits, HU + 1024; and some
    DICOM files in ``dicom``.
    """
    import pydicom
    from pydicom.data import get_testdata_file

    whole = radiograph(None)
    # As wide as two squares: of the size at which chests are trained on, and room for different ones.
    columns = 2 * _SIDE
    rows = round(whole.shape[0] * columns / whole.shape[1])
    whole = np.asarray(Image.fromarray(whole).resize((columns, rows), Image.Resampling.BOX))
    random = np.random.default_rng(0)
    for name, count in _CHESTS.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            top, left = (int(random.integers(max(extent - _SIDE, 0) + 1)) for extent in whole.shape)
            Image.fromarray(tiled(whole[top:, left:][:_SIDE, :_SIDE], side=_SIDE)).save(folder / name / f"{number}.png")
    sources = {name: pathlib.Path(str(get_testdata_file(name, download=False))) for name in _DICOM}
    dataset = pydicom.dcmread(sources["CT_small.dcm"])
    (folder / "test" / "ct").mkdir()
    (folder / "dicom").mkdir()
    hounsfield = dataset.pixel_array.astype(np.int32) * int(dataset.RescaleSlope) + int(dataset.RescaleIntercept)
    Image.fromarray(np.clip(hounsfield + 1024, 0, 4095).astype(np.uint16)).save(folder / "test" / "ct" / "0.png")
    for name, source in sources.items():
        shutil.copyfile(source, folder / "dicom" / name)
