"""Collects training images from folders: the frames taken, each with its patient and split, and the others with the
reason for leaving them out."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from medsr_jax.data.patients import Manifest, dicom_patient, match_manifest, read_manifest, split_of
from medsr_jax.data.windows import Window, through_window
from medsr_jax.errors import MedsrError, ParameterError
from medsr_jax.files import find_inputs
from medsr_jax.imaging import read_image

Progress = Callable[[list[Any], str], Iterable[Any]]

# imagecodecs' PNG at level 3 takes half the time of level 6 and is 2 % larger (chest radiographs, 512 rows).
_PNG_LEVEL = 3


@dataclasses.dataclass(frozen=True)
class PrepareSettings:
    """How a training set is made.

    Attributes:
        window: see `windows.through_window`.
        validation, test: share of the patients in each of these splits.
        min_side: images with fewer rows or columns are left out.
        manifest: a CSV file with the patient of each file; see `patients.read_manifest`.
        seed: of the split.
    """

    window: Window = "auto"
    validation: float = 0.05
    test: float = 0.0
    min_side: int = 256
    manifest: pathlib.Path | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.validation < 0 or self.test < 0 or self.validation + self.test >= 1:
            raise ParameterError(
                "validation",
                f"must be a share of the patients, from 0 and below 1 together with test, not {self.validation:g} and"
                f" {self.test:g}",
            )
        if self.min_side < 1:
            raise ParameterError("min_side", f"must be a number of pixels from 1, not {self.min_side}")


@dataclasses.dataclass(frozen=True)
class Example:
    """One frame of the set.

    Attributes:
        source: path below its folder, with "/"; the folder's name is put before it where there are several folders.
        frame: counted from 0.
        patient: a running number in place of the patient's name or ID, such as "patient-000001".
        split: "train", "validation" or "test".
        modality: of DICOM, such as "CT"; else "unknown".
        window: applied to the values, in words.
        bits: 8 or 16.
        staged: the PNG.
    """

    source: str
    frame: int
    patient: str
    split: str
    modality: str
    window: str
    bits: int
    staged: pathlib.Path


@dataclasses.dataclass(frozen=True)
class Skipped:
    """A file or frame left out.

    Attributes:
        kind: "unreadable", "small", "constant" or "duplicate".
        reason: one sentence.
    """

    source: str
    frame: int | None
    kind: str
    reason: str


@dataclasses.dataclass
class Collection:
    """The frames taken and those left out.

    Attributes:
        patients_from: number of files by the origin of their patient: "manifest", "DICOM" or "file" (its own patient).
        unmatched: names in the manifest without a file.
    """

    examples: list[Example]
    skipped: list[Skipped]
    patients_from: dict[str, int]
    unmatched: int


def collect(
    folders: Sequence[pathlib.Path],
    stage: pathlib.Path,
    *,
    settings: PrepareSettings,
    exclude: pathlib.Path,
    progress: Progress,
) -> Collection:
    """Read every image and write the usable frames as grayscale PNG.

    Args:
        folders: walked; links to folders are not followed.
        stage: an existing folder for the PNG files.
        settings: what is taken, and how.
        exclude: nothing below this folder is read.
        progress: iterates over a list, with a label.

    Raises:
        MedsrError: a folder is missing, the manifest is wrong, or the disk is full; never for a single image.
    """
    files = _find(folders, exclude)
    manifest = read_manifest(settings.manifest) if settings.manifest is not None else None
    patients, unmatched = _manifest_patients(manifest, [found.file for found in files], folders)
    result = Collection([], [], dict.fromkeys(("manifest", "DICOM", "file"), 0), unmatched)
    seen: dict[bytes, str] = {}
    numbers: dict[str, str] = {}
    for found in progress(files, "Reading"):
        if manifest is not None and os.path.realpath(found.file) == os.path.realpath(manifest.path):
            continue
        origin = None
        for frame in _frames(found, settings=settings, seen=seen):
            if isinstance(frame, Skipped):
                result.skipped.append(frame)
                continue
            identity, key, origin = _patient(found, frame, patients)
            patient = numbers.setdefault(identity, f"patient-{len(numbers) + 1:06d}")
            split = split_of(key, validation=settings.validation, test=settings.test, seed=settings.seed)
            result.examples.append(_stage(stage, frame, found.source, patient, split, len(result.examples)))
        if origin is not None:
            result.patients_from[origin] += 1
    return result


@dataclasses.dataclass(frozen=True)
class _Found:
    """A file, its path below its folder, and its name in the set."""

    file: pathlib.Path
    relative: str
    source: str


@dataclasses.dataclass(frozen=True)
class _Frame:
    number: int
    levels: np.ndarray[Any, Any]
    window: str
    modality: str
    dicom_patient: str | None


def _find(folders: Sequence[pathlib.Path], exclude: pathlib.Path) -> list[_Found]:
    for folder in folders:
        if not folder.exists():
            raise MedsrError("no such folder", path=folder)
    barred = pathlib.Path(os.path.realpath(exclude))
    found: list[_Found] = []
    count = collections.Counter(_name(folder) for folder in folders)
    for place, folder in enumerate(folders):
        name = _name(folder) if count[_name(folder)] == 1 else f"{_name(folder)}-{place + 1}"
        for file, below in find_inputs([folder]):
            real = pathlib.Path(os.path.realpath(file))
            if real == barred or barred in real.parents:
                continue
            relative = _text(below.as_posix())
            source = relative if len(folders) == 1 else f"{name}/{relative}" if folder.is_dir() else name
            found.append(_Found(file, relative, source))
    return found


def _name(folder: pathlib.Path) -> str:
    return _text(pathlib.Path(os.path.realpath(folder)).name)


def _text(name: str) -> str:
    """A file name as UTF-8 text, with \\xNN for bytes that are not UTF-8."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _manifest_patients(
    manifest: Manifest | None, files: Sequence[pathlib.Path], folders: Sequence[pathlib.Path]
) -> tuple[dict[pathlib.Path, str], int]:
    return ({}, 0) if manifest is None else match_manifest(manifest, files, folders)


def _frames(found: _Found, *, settings: PrepareSettings, seen: dict[bytes, str]) -> Iterator[_Frame | Skipped]:
    file, source = found.file, found.source
    try:
        if file.exists() and not (file.is_file() or file.is_dir()):
            raise MedsrError("is no regular file", path=file)  # reading from a pipe would block
        image = read_image(file)
        rows, columns = image.pixels.shape[1:]
        if min(rows, columns) < settings.min_side:
            yield Skipped(
                source, None, "small", f"has {rows} x {columns} pixels, fewer than {settings.min_side} a side"
            )
            return
        windowed = through_window(image, settings.window)
    except MedsrError as error:
        yield Skipped(source, None, "unreadable", error.description)
        return
    except Exception as error:  # One bad file must not end a run over many.
        yield Skipped(source, None, "unreadable", f"can't be used: {type(error).__name__}: {error}")
        return
    modality = "" if image.dataset is None else str(image.dataset.get("Modality", "") or "").strip()
    patient = dicom_patient(image.dataset)
    for number, levels in enumerate(windowed.frames):
        place = f"{source} frame {number}" if len(windowed.frames) > 1 else source
        if levels.min() == levels.max():
            yield Skipped(source, number, "constant", f"has one value only ({windowed.window})")
            continue
        digest = _digest(levels)
        if digest in seen:
            yield Skipped(source, number, "duplicate", f"has the same pixels as {seen[digest]}")
            continue
        seen[digest] = place
        yield _Frame(number, levels, windowed.window, modality or "unknown", patient)


def _digest(levels: np.ndarray) -> bytes:
    digest = hashlib.blake2b(repr((levels.shape, levels.dtype.str)).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(levels).data)
    return digest.digest()


def _patient(found: _Found, frame: _Frame, patients: dict[pathlib.Path, str]) -> tuple[str, str, str]:
    """The identity of the patient, the key of its split, and the origin of both."""
    if found.file in patients:
        patient = f"manifest {patients[found.file]}"
        return patient, patient, "manifest"
    if frame.dicom_patient is not None:
        return frame.dicom_patient, frame.dicom_patient, "DICOM"
    # `source` changes with a second folder; the split must not.
    return f"file {found.source}", f"file {found.relative}", "file"


def _stage(stage: pathlib.Path, frame: _Frame, source: str, patient: str, split: str, number: int) -> Example:
    import imagecodecs

    path = stage / f"{number}.png"
    path.write_bytes(imagecodecs.png_encode(np.ascontiguousarray(frame.levels), level=_PNG_LEVEL))
    bits = 8 * frame.levels.dtype.itemsize
    return Example(source, frame.number, patient, split, frame.modality, frame.window, bits, path)
