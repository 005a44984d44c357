"""A training set from folders of medical images in the format of TensorFlow Datasets: `medsr prepare`.

The set opens with ``tfds.builder_from_directory(folder).as_data_source("train")``: array_record files,
which have random access. Neither TensorFlow nor a network is needed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import pathlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds  # type: ignore[import-untyped]

from medsr_jax.data.collection import Collection, Example, PrepareSettings, Progress, Skipped, collect
from medsr_jax.data.patients import SPLITS
from medsr_jax.data.windows import DEFAULTS
from medsr_jax.errors import MedsrError, first_line
from medsr_jax.files import make_folder
from medsr_jax.tables import csv_bytes
from medsr_jax.temporary import temporary_folder

_DESCRIPTION = f"""Grey medical images for training super-resolution, made by `medsr prepare`.

Values (window auto): {DEFAULTS}. Each example's `window` is the one applied to it, and its `bits` are those of its PNG,
8 or 16; in a set with both, `image` is declared uint16, and 8-bit images keep 0..255.

Patients: `patient` is a running number. Names and IDs of patients are not stored, nor any other DICOM attribute but the
modality; `source` is the path of the file, so rename files whose names identify a patient. Pixels are not searched for
burned-in text.
"""


@dataclasses.dataclass(frozen=True)
class Report:
    """The outcome for the inputs.

    Attributes:
        images: number taken, by split.
        patients: number, by split.
        skipped: files and frames left out, with the reason.
        patients_from: number of files by the origin of their patient: "manifest", "DICOM" or "file" (its own patient).
        unmatched: names in the manifest without a file.
        sixteen_bit: number of 16-bit images among those taken.
    """

    images: dict[str, int]
    patients: dict[str, int]
    skipped: list[Skipped]
    patients_from: dict[str, int]
    unmatched: int
    sixteen_bit: int


class Radiographs(tfds.core.GeneratorBasedBuilder):  # type: ignore[misc]
    """Writes collected examples.

    Args:
        collected: the examples; empty splits are not written.
        about: metadata of the set.
        progress: iterates over a list, with a label.
        data_dir: where TFDS puts it.
    """

    VERSION = tfds.core.Version("1.0.0")
    # TFDS would look for lists of downloads beside the code, with a package that it does not install.
    code_path = None

    def __init__(
        self, *, collected: Sequence[Example], about: dict[str, Any], progress: Progress, data_dir: pathlib.Path
    ) -> None:
        self._collected, self._about, self._progress = collected, about, progress
        super().__init__(data_dir=data_dir, file_format="array_record")

    def _info(self) -> tfds.core.DatasetInfo:
        deep = any(example.bits == 16 for example in self._collected)
        features = {
            "image": tfds.features.Image(
                shape=(None, None, 1), dtype=np.uint16 if deep else np.uint8, encoding_format="png"
            ),
            "bits": np.int32,
            "patient": tfds.features.Text(),
            "source": tfds.features.Text(),
            "frame": np.int32,
            "modality": tfds.features.Text(),
            "window": tfds.features.Text(),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=_DESCRIPTION,
            features=tfds.features.FeaturesDict(features),
            metadata=tfds.core.MetadataDict(self._about),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator[tuple[str, Any]]]:
        del dl_manager
        present = {example.split for example in self._collected}
        return {split: self._generate_examples(split) for split in SPLITS if split in present}

    def _generate_examples(self, split: str) -> Iterator[tuple[str, dict[str, Any]]]:
        examples = [example for example in self._collected if example.split == split]
        for example in self._progress(examples, f"Writing {split}"):
            fields = {
                name: getattr(example, name) for name in ("bits", "patient", "source", "frame", "modality", "window")
            }
            yield example.staged.stem, {"image": example.staged.read_bytes(), **fields}
            # Until here the disk holds the image twice.
            example.staged.unlink()


def prepare(
    folders: Sequence[pathlib.Path],
    out: pathlib.Path,
    *,
    settings: PrepareSettings,
    overwrite: bool = False,
    progress: Progress = lambda entries, _: entries,
) -> Report:
    """Make the set of all images below ``folders`` in the folder ``out``, which appears whole or not at all.

    Beside the files of TFDS it has ``report.json`` and ``skipped.csv``.

    Args:
        folders: of PNG, JPEG, TIFF and DICOM files, recognised by content; each frame is an example.
        out: must not exist, be empty, or be such a set if ``overwrite`` is given.
        settings: what is taken, and how.
        overwrite: replace the old set by the new one, once it is whole.
        progress: iterates over a list, with a label.

    Raises:
        MedsrError: a folder or the manifest is wrong, ``out`` can't be written, or there is nothing to take.
    """
    out = pathlib.Path(os.path.realpath(out))
    check_output(out, folders, overwrite=overwrite)
    with _beside(out) as part:
        try:
            stage = part / "stage"
            stage.mkdir()
            collection = collect(folders, stage, settings=settings, exclude=out, progress=progress)
            if not collection.examples:
                raise MedsrError(f"not written, since no image was taken: {_causes(collection.skipped)}", path=out)
            report = _report(collection)
            built = _build(collection, out, part, settings=settings, progress=progress)
            _write_reports(built, report, settings)
        except OSError as error:
            raise MedsrError(f"can't be written: {error.strerror or error}", path=out) from error
        check_output(out, folders, overwrite=overwrite)
        _put_in_place(built, out, part)
    return report


def check_output(out: pathlib.Path, folders: Sequence[pathlib.Path], *, overwrite: bool) -> None:
    """Refuse to overwrite anything but an older set.

    Raises:
        MedsrError: ``out`` is the input or above it, or no such set, or ``overwrite`` is not given.
    """
    out = pathlib.Path(os.path.realpath(out))
    for folder in folders:
        real = pathlib.Path(os.path.realpath(folder))
        if real == out or out in real.parents:
            raise MedsrError(f"would be put over the input {folder}", path=out, remedy="choose another output folder")
    if not out.exists():
        return
    if not out.is_dir():
        raise MedsrError("is no folder", path=out, remedy="choose another output folder")
    if not any(out.iterdir()):
        return
    if not (out / "report.json").is_file() or not (out / "dataset_info.json").is_file():
        raise MedsrError("holds other files than a training set", path=out, remedy="choose another output folder")
    if not overwrite:
        raise MedsrError(
            "holds a training set already", path=out, remedy="overwrite it, or choose another output folder"
        )


@contextlib.contextmanager
def _beside(out: pathlib.Path) -> Iterator[pathlib.Path]:
    """A hidden folder on the same disk as ``out``, always removed in the end."""
    make_folder(out.parent)
    with contextlib.ExitStack() as stack:
        try:
            part = stack.enter_context(temporary_folder(out.parent))
        except OSError as error:
            raise MedsrError(
                f"can't be written: {error.strerror or error}", path=out, remedy="choose another output folder"
            ) from error
        yield part


def _build(
    collection: Collection, out: pathlib.Path, part: pathlib.Path, *, settings: PrepareSettings, progress: Progress
) -> pathlib.Path:
    """The folder written by TFDS below ``part``."""
    about = {"settings": _plain(settings), "values": DEFAULTS, "made by": "medsr prepare"}
    builder = Radiographs(collected=collection.examples, about=about, progress=progress, data_dir=part)
    try:
        # TFDS prints to the standard output, where the report belongs, and shows progress bars in pipes too.
        tfds.disable_progress_bar()
        with contextlib.redirect_stdout(io.StringIO()):
            builder.download_and_prepare(
                download_dir=part / "downloads",
                download_config=tfds.download.DownloadConfig(try_download_gcs=False),
            )
        built = pathlib.Path(builder.data_path)
        _read_back(built, collection)
    except OSError:
        raise
    except Exception as error:  # The writers of array_record have their own error types.
        raise MedsrError(f"can't be written: {first_line(error)}", path=out) from error
    return built


def _read_back(built: pathlib.Path, collection: Collection) -> None:
    """Open every split: the index of an array_record file is written last, so only a whole file opens."""
    builder = tfds.builder_from_directory(built)
    count = 0
    for split in builder.info.splits:
        records = builder.as_data_source(split, decoders={"image": tfds.decode.SkipDecoding()})
        count += len(records)
        records[len(records) - 1]
    if count != len(collection.examples):
        raise RuntimeError(f"{count} of {len(collection.examples)} images can be read back")


def _put_in_place(built: pathlib.Path, out: pathlib.Path, part: pathlib.Path) -> None:
    try:
        # The folder was made inside a private one: give it the permissions of any new folder.
        mask = os.umask(0o077)
        os.umask(mask)
        built.chmod(0o777 & ~mask)
        if out.exists():
            out.rename(part / "replaced")
        built.rename(out)
    except OSError as error:
        if (part / "replaced").exists() and not out.exists():
            (part / "replaced").rename(out)
        raise MedsrError(f"can't be written: {error.strerror or error}", path=out) from error


def _report(collection: Collection) -> Report:
    splits = [split for split in SPLITS if any(example.split == split for example in collection.examples)]
    return Report(
        images={split: sum(example.split == split for example in collection.examples) for split in splits},
        patients={
            split: len({example.patient for example in collection.examples if example.split == split})
            for split in splits
        },
        skipped=collection.skipped,
        patients_from=collection.patients_from,
        unmatched=collection.unmatched,
        sixteen_bit=sum(example.bits == 16 for example in collection.examples),
    )


def _write_reports(folder: pathlib.Path, report: Report, settings: PrepareSettings) -> None:
    content = {
        "images": report.images,
        "patients": report.patients,
        "skipped": dict(Counter(skipped.kind for skipped in report.skipped)),
        "patients_from": report.patients_from,
        "manifest_names_without_a_file": report.unmatched,
        "images_of_16_bits": report.sixteen_bit,
        "settings": _plain(settings),
        "values": DEFAULTS,
    }
    (folder / "report.json").write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    skipped = ((one.source, "" if one.frame is None else one.frame, one.kind, one.reason) for one in report.skipped)
    (folder / "skipped.csv").write_bytes(csv_bytes([("file", "frame", "kind", "reason"), *skipped]))


def _plain(settings: PrepareSettings) -> dict[str, Any]:
    fields = dataclasses.asdict(settings)
    window = settings.window
    fields["window"] = window if isinstance(window, str) else f"{window[0]:g}:{window[1]:g}"
    # The folder of a manifest is private.
    fields["manifest"] = None if settings.manifest is None else settings.manifest.name
    return fields


def _causes(skipped: Sequence[Skipped]) -> str:
    if not skipped:
        return "there is no file"
    kinds = Counter(entry.kind for entry in skipped)
    count = ", ".join(f"{number} {kind}" for kind, number in kinds.items())
    return f"{count}; the first, {skipped[0].source}, {skipped[0].reason}"
