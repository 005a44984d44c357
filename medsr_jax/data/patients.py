"""The patient of an image, and the split of a patient.

No patient is in two splits, or images of the training set would leak into validation.
"""

from __future__ import annotations

import collections
import csv
import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from medsr_jax.errors import MedsrError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

SPLITS = ("train", "validation", "test")

_FILE_COLUMNS = ("file", "path", "filename", "file_name", "image", "image_index")
_PATIENT_COLUMNS = ("patient", "patient_id", "patientid", "subject", "subject_id")


def split_of(patient: str, *, validation: float, test: float, seed: int) -> str:
    """ "train", "validation" or "test", by a hash of patient and seed alone, so more files move no patient."""
    digest = hashlib.sha256(f"{seed}\0{patient}".encode("utf-8", "surrogateescape")).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    if place < test:
        return "test"
    return "validation" if place < test + validation else "train"


@dataclasses.dataclass(frozen=True)
class Manifest:
    """A table of files and their patients.

    Attributes:
        path: of the table.
        patients: by the file's name in the table.
    """

    path: pathlib.Path
    patients: Mapping[str, str]


def read_manifest(path: pathlib.Path) -> Manifest:
    """A CSV file with a column ``file`` or ``path`` and a column ``patient`` or ``patient_id``.

    ``filename``, ``image``, ``Image Index``, ``subject`` and ``subject_id`` are accepted too, in any case. Rows without
    a patient are left out.

    Raises:
        MedsrError: it can't be read, lacks a column, or gives one file two patients.
    """
    patients: dict[str, str] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = csv.DictReader(stream)
            columns = {name.strip().lower().replace(" ", "_"): name for name in rows.fieldnames or () if name}
            file_column = next((columns[name] for name in _FILE_COLUMNS if name in columns), None)
            patient_column = next((columns[name] for name in _PATIENT_COLUMNS if name in columns), None)
            if file_column is None or patient_column is None:
                missing = "file or path" if file_column is None else "patient or patient_id"
                has = ", ".join(columns.values()) or "nothing"
                raise MedsrError(f"has no column {missing}", path=path, remedy=f"its first line names {has}")
            for row in rows:
                file, patient = (row[file_column] or "").strip(), (row[patient_column] or "").strip()
                if not file or not patient:
                    continue
                if patients.setdefault(file, patient) != patient:
                    raise MedsrError(
                        f"gives {file} two patients, {patients[file]} and {patient}", path=path, remedy="keep one"
                    )
    except OSError as error:
        raise MedsrError(f"can't be read: {error.strerror or error}", path=path) from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise MedsrError(f"is no CSV table in UTF-8: {error}", path=path) from error
    if not patients:
        raise MedsrError("names no file with a patient", path=path)
    return Manifest(path, patients)


def match_manifest(
    manifest: Manifest, files: Sequence[pathlib.Path], folders: Sequence[pathlib.Path]
) -> tuple[dict[pathlib.Path, str], int]:
    """Patients of the files in a manifest, and the number of its names without a file.

    A name is looked up below the manifest's own folder, then below each of ``folders``; a bare name, as in
    many public tables, also stands for the only file of that name in any subfolder.

    Raises:
        MedsrError: none of its names is a file, or one file has two patients.
    """
    at = {os.path.realpath(file): file for file in files}
    by_name = collections.defaultdict(list)
    for file in files:
        by_name[file.name].append(file)
    roots = [manifest.path.parent, *folders]
    found: dict[pathlib.Path, str] = {}
    unknown: list[str] = []
    for name, patient in manifest.patients.items():
        candidates = [at[key] for key in (os.path.realpath(root / name) for root in roots) if key in at]
        if not candidates and "/" not in name and "\\" not in name:
            candidates = by_name[name]
            if len(candidates) > 1:
                raise MedsrError(
                    f"{name} may be {candidates[0]} or {candidates[1]}", path=manifest.path, remedy="give its folder"
                )
        if not candidates:
            unknown.append(name)
        elif found.setdefault(candidates[0], patient) != patient:
            raise MedsrError(
                f"gives {candidates[0]} two patients, {found[candidates[0]]} and {patient}", path=manifest.path
            )
    if not found:
        raise MedsrError(
            f"none of its files is in the folders, such as {unknown[0]}",
            path=manifest.path,
            remedy="paths are relative to the manifest or to a folder",
        )
    return found, len(unknown)


def dicom_patient(dataset: Dataset | None) -> str | None:
    """PatientID, else StudyInstanceUID, since a study is of one patient; None without either."""
    for keyword in ("PatientID", "StudyInstanceUID"):
        value = "" if dataset is None else str(dataset.get(keyword, "") or "").strip()
        if value:
            return f"{keyword} {value}"
    return None
