"""Pairs of low- and high-resolution images in two folders, for fine-tuning on a link without a degradation model."""

from __future__ import annotations

import pathlib

import numpy as np

from medsr_jax.data.windows import Window, through_window
from medsr_jax.errors import MedsrError
from medsr_jax.files import find_inputs
from medsr_jax.imaging import read_image


def load_pair_folders(
    lr_folder: pathlib.Path, hr_folder: pathlib.Path, *, scale: int, window: Window = "auto", smallest: int = 1
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Low- and high-resolution images from two folders with the same names below them; suffixes may differ.

    Both images of a pair are mapped through the window of the high-resolution one, so they must store equal values.

    Args:
        lr_folder, hr_folder: PNG, JPEG, TIFF or DICOM files.
        scale: ratio of their rows and columns, exactly.
        window: see `windows.through_window`.
        smallest: pairs whose high-resolution image has a shorter side are left out.

    Raises:
        MedsrError: a folder is missing, a file has no partner, or a pair does not fit.
    """
    lr_files, hr_files = _by_name(lr_folder), _by_name(hr_folder)
    for files, others, folder in ((lr_files, hr_files, hr_folder), (hr_files, lr_files, lr_folder)):
        for name, file in files.items():
            if name not in others:
                raise MedsrError(f"has no partner {name} in {folder}", path=file)
    lr_images: list[np.ndarray] = []
    hr_images: list[np.ndarray] = []
    for name, file in lr_files.items():
        lr, hr = _pair(file, hr_files[name], scale=scale, window=window)
        if min(hr.shape[1:]) >= smallest:
            lr_images.extend(lr)
            hr_images.extend(hr)
    if not hr_images:
        raise MedsrError(
            f"no image with both sides of {smallest} pixels or more", path=hr_folder, remedy="give other folders"
        )
    return lr_images, hr_images


def _pair(lr_file: pathlib.Path, hr_file: pathlib.Path, *, scale: int, window: Window) -> tuple[np.ndarray, np.ndarray]:
    lr, hr = read_image(lr_file), read_image(hr_file)
    frames, rows, columns = lr.pixels.shape
    if hr.pixels.shape != (frames, rows * scale, columns * scale):
        sizes = [" x ".join(str(extent) for extent in image.pixels.shape[1:]) for image in (hr, lr)]
        raise MedsrError(
            f"has {sizes[0]} pixels (frames: {len(hr.pixels)}), not {scale} times the {sizes[1]} of {lr_file}"
            f" (frames: {frames})",
            path=hr_file,
        )
    if (lr.value_range, lr.inverted) != (hr.value_range, hr.inverted):
        ranges = [f"{image.value_range[0]:g}..{image.value_range[1]:g}" for image in (hr, lr)]
        raise MedsrError(
            f"stores values {ranges[0]}, but {lr_file} {ranges[1]}", path=hr_file, remedy="both must store equal values"
        )
    return through_window(lr, window, like=hr).frames, through_window(hr, window).frames


def _by_name(folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """Files by their path below the folder, without suffix."""
    if not folder.is_dir():
        raise MedsrError("no such folder", path=folder)
    files: dict[str, pathlib.Path] = {}
    for file, below in find_inputs([folder]):
        name = below.with_suffix("").as_posix()
        if name in files:
            raise MedsrError(f"has the same name as {files[name]}", path=file, remedy="keep one")
        files[name] = file
    return files
