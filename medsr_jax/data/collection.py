"""What a folder of medical images holds for training: the frames taken, each with its patient and split, and the rest
with the reason why it was left out."""

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

# imagecodecs' PNG at level 3 is half the time of level 6 and 2 % larger (chest radiographs, 512 rows).
_PNG_LEVEL = 3


@dataclasses.dataclass(frozen=True)
class PrepareSettings:
    """How a training set is made.

    Attributes:
        window: see `windows.through_window`.
        validation, test: share of the patients that go to each of these splits.
        min_side: images with fewer rows or columns are left out.
        manifest: a CSV file that says which patient a file is of; see `patients.read_manifest`.
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
    """One frame that was taken.

    Attributes:
        source: path below its folder, with "/"; the folder's name is put before it where there are several folders.
        frame: counted from 0.
        patient: a running number in place of the patient's name or ID, such as "patient-000001".
        split: "train", "validation" or "test".
        modality: of DICOM, such as "CT"; else "unknown".
        window: what was done to the values.
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
    """A file or frame that was left out.

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
    """All that was found.

    Attributes:
        patients_from: files by where their patient was told from: "manifest", "DICOM" or "file" (its own patient).
        unmatched: names in the manifest that are no file here.
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
    """Reads every image and writes the frames that can be trained on as grey PNG.

    Args:
        folders: walked; links to folders are not followed.
        stage: an existing folder for the PNG files.
        settings: what is taken, and how.
        exclude: nothing below this folder is read.
        progress: of a list and a word to iterate over it.

    Raises:
        MedsrError: a folder is missing, the manifest is wrong, or the disk is full; never for a single image.
    """
    files = _find(folders, exclude)
    manifest = read_manifest(settings.manifest) if settings.manifest is not None else None
    told, unmatched = _told(manifest, [found.file for found in files], folders)
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
            identity, key, origin = _patient(found, frame, told)
            patient = numbers.setdefault(identity, f"patient-{len(numbers) + 1:06d}")
            split = split_of(key, validation=settings.validation, test=settings.test, seed=settings.seed)
            result.examples.append(_stage(stage, frame, found.source, patient, split, len(result.examples)))
        if origin is not None:
            result.patients_from[origin] += 1
    return result


@dataclasses.dataclass(frozen=True)
class _Found:
    """A file, its path below its folder, and what it is called in the set."""

    file: pathlib.Path
    relative: str
    source: str


@dataclasses.dataclass(frozen=True)
class _Frame:
    number: int
    codes: np.ndarray[Any, Any]
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
    """A file name that is no UTF-8 can't be stored as text: its odd bytes become \\xNN."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _told(
    manifest: Manifest | None, files: Sequence[pathlib.Path], folders: Sequence[pathlib.Path]
) -> tuple[dict[pathlib.Path, str], int]:
    return ({}, 0) if manifest is None else match_manifest(manifest, files, folders)


def _frames(found: _Found, *, settings: PrepareSettings, seen: dict[bytes, str]) -> Iterator[_Frame | Skipped]:
    file, source = found.file, found.source
    try:
        if file.exists() and not (file.is_file() or file.is_dir()):
            raise MedsrError("is no regular file", path=file)  # reading from a pipe would wait for ever
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
    except Exception as error:  # One odd file must not end a run over a hundred thousand.
        yield Skipped(source, None, "unreadable", f"can't be used: {type(error).__name__}: {error}")
        return
    modality = "" if image.dataset is None else str(image.dataset.get("Modality", "") or "").strip()
    patient = dicom_patient(image.dataset)
    for number, codes in enumerate(windowed.frames):
        place = f"{source} frame {number}" if len(windowed.frames) > 1 else source
        if codes.min() == codes.max():
            yield Skipped(source, number, "constant", f"has one value only ({windowed.window})")
            continue
        digest = _digest(codes)
        if digest in seen:
            yield Skipped(source, number, "duplicate", f"has the same pixels as {seen[digest]}")
            continue
        seen[digest] = place
        yield _Frame(number, codes, windowed.window, modality or "unknown", patient)


def _digest(codes: np.ndarray) -> bytes:
    digest = hashlib.blake2b(repr((codes.shape, codes.dtype.str)).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(codes).data)
    return digest.digest()


def _patient(found: _Found, frame: _Frame, told: dict[pathlib.Path, str]) -> tuple[str, str, str]:
    """What identifies the patient, what its split is drawn by, and where it was told from."""
    if found.file in told:
        patient = f"manifest {told[found.file]}"
        return patient, patient, "manifest"
    if frame.dicom_patient is not None:
        return frame.dicom_patient, frame.dicom_patient, "DICOM"
    # `source` changes when a second folder is named; the split must not.
    return f"file {found.source}", f"file {found.relative}", "file"


def _stage(stage: pathlib.Path, frame: _Frame, source: str, patient: str, split: str, number: int) -> Example:
    import imagecodecs

    path = stage / f"{number}.png"
    path.write_bytes(imagecodecs.png_encode(np.ascontiguousarray(frame.codes), level=_PNG_LEVEL))
    bits = 8 * frame.codes.dtype.itemsize
    return Example(source, frame.number, patient, split, frame.modality, frame.window, bits, path)
