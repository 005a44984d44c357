"""One `.safetensors` file a model: the parameters, and in its header the model's configuration and its card."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import hashlib
import json
import pathlib
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import safetensors.numpy

from medsr_jax.errors import MedsrError, ParameterError
from medsr_jax.files import atomic_write
from medsr_jax.weights.file_kinds import SAFETENSORS, kind_of
from medsr_jax.weights.parameters import as_float32, flatten, unflatten
from medsr_jax.weights.safetensors_file import read_safetensors

FORMAT = "medsr-weights-1"
SUFFIX = ".safetensors"
GAIN = "gain over bicubic"
"""The line of a card with the PSNR of the restored validation images less that of bicubic interpolation, "+0.96 dB"."""
_PACKAGED = pathlib.Path(__file__).parent / "packaged"


@dataclasses.dataclass(frozen=True)
class Weights:
    """A model with its parameters.

    Attributes:
        model: its name in `medsr_jax.models.MODELS`.
        fields: the module's fields.
        params: the Flax parameter tree, float32 NumPy arrays.
        card: provenance: data, licence, steps, degradation, measured quality.
        path: its file.
    """

    model: str
    fields: dict[str, Any]
    params: dict[str, Any]
    card: dict[str, str]
    path: pathlib.Path

    @property
    def parameters(self) -> int:
        """The number of parameters."""
        return sum(leaf.size for leaf in flatten(self.params).values())

    @property
    def scales(self) -> tuple[int, ...]:
        """Of a family the enlargements that it has parameters for; empty for a model of one scale."""
        return tuple(self.fields.get("scales", ()))

    def at_scale(self, scale: int) -> Weights:
        """A member of the family.

        Raises:
            ParameterError: it has no such scale, or is no family.
        """
        if scale not in self.scales:
            own = (
                f"must be {' or '.join(map(str, self.scales))}" if self.scales else "requires a model of several scales"
            )
            raise ParameterError("scale", f"{own}, not {scale}" if self.scales else own)
        return dataclasses.replace(self, fields={**self.fields, "scale": scale})

    @property
    def gain(self) -> float | None:
        """The card's measured gain over bicubic interpolation in dB; None if it states none."""
        if found := re.match(r"([+-]?\d+(?:\.\d+)?) dB", self.card.get(GAIN, "")):
            return float(found[1])
        # Cards of earlier versions have the two figures alone.
        validation = self.card.get("validation", "")
        found = re.search(r"PSNR (\d+\.\d+) dB.*bicubic (\d+\.\d+) dB", validation)
        return None if found is None else float(found[1]) - float(found[2])

    @property
    def warning(self) -> str:
        """The card's note, and that the model is worse than bicubic interpolation if it is; empty for neither."""
        parts = [self.card["note"]] if self.card.get("note") else []
        if self.gain is not None and self.gain < 0:
            parts.append(f"by its card {-self.gain:.2f} dB below bicubic interpolation")
        return "; ".join(parts)

    @functools.cached_property
    def sha256(self) -> str:
        """Hexadecimal SHA-256 of model, fields and parameters, whatever the file."""
        fields = dict(self.fields)
        if "scales" in fields:
            fields.pop("scale", None)  # which of them is applied is no property of the parameters
        digest = hashlib.sha256(json.dumps([self.model, fields], sort_keys=True, default=str).encode())
        for name, leaf in sorted(flatten(self.params).items()):
            digest.update(f"{name} {leaf.shape} {leaf.dtype}".encode())
            digest.update(np.ascontiguousarray(leaf).tobytes())
        return digest.hexdigest()


def save(
    path: pathlib.Path,
    *,
    model: str,
    fields: Mapping[str, Any],
    params: Mapping[str, Any],
    card: Mapping[str, str],
    dtype: Any = np.float32,
) -> None:
    """Write a weights file atomically.

    Args:
        dtype: stored type, float32 or float16, which halves the file and rounds each weight to 11 bits. None stores
            each tensor in float16 where that is exact, else in float32.
    """
    tensors = {
        name: np.ascontiguousarray(leaf, _smallest(leaf) if dtype is None else dtype)
        for name, leaf in flatten(params).items()
    }
    header = {
        "format": FORMAT,
        "model": model,
        "fields": json.dumps(dict(fields), sort_keys=True),
        "card": json.dumps(dict(card), sort_keys=True),
    }
    atomic_write(path, safetensors.numpy.save(tensors, metadata=header))


def _smallest(leaf: np.ndarray) -> Any:
    with np.errstate(over="ignore"):
        return np.float16 if np.array_equal(leaf, leaf.astype(np.float16)) else np.float32


def load(name: str | pathlib.Path) -> Weights:
    """Read a packaged model by name (``xray-x4``) or a weights file by path.

    Raises:
        MedsrError: not found, damaged, no weights file of this package, or other parameters than its model has.
    """
    path = find(name)
    kind = kind_of(path)
    if not kind and path.suffix != SUFFIX:
        raise MedsrError(
            "not a weights file, or damaged", path=path, remedy="name a .safetensors of this package, or fetch it again"
        )
    if kind not in (SAFETENSORS, ""):
        raise MedsrError(f"{kind} weights", path=path, remedy="convert them with `medsr import`")
    header, tensors = read_safetensors(path)
    if header.get("format") != FORMAT:
        raise MedsrError("weights of another package", path=path, remedy="convert them with `medsr import`")
    model, fields, card = header.get("model", ""), _object(header, "fields", path), _object(header, "card", path)
    if not all(isinstance(value, str) for value in card.values()):
        raise MedsrError(
            "the weights file is damaged (its card has values that are not strings)", path=path, remedy="fetch it again"
        )
    flat = {key: as_float32(key, tensor, path) for key, tensor in tensors.items()}
    # Packaged ones are checked by a test: the check imports JAX, which `medsr models` starts without.
    if path.parent != _PACKAGED:
        _check(model, fields, flat, path)
    return Weights(model, fields, unflatten(flat), card, path)


def _object(header: Mapping[str, str], key: str, path: pathlib.Path) -> dict[str, Any]:
    try:
        value = json.loads(header[key])
        if isinstance(value, dict):
            return value
        problem = "not a JSON object"
    except KeyError:
        problem = "missing"
    except (ValueError, RecursionError) as error:
        problem = str(error)
    raise MedsrError(f"the weights file is damaged (its {key}: {problem})", path=path, remedy="fetch it again")


def _check(model: str, fields: Mapping[str, Any], flat: Mapping[str, np.ndarray], path: pathlib.Path) -> None:
    from medsr_jax.weights.shapes import mismatch, shapes_of

    try:
        expected = shapes_of(model, fields)
    except MedsrError as error:
        raise MedsrError(
            f"{error}",
            path=path,
            remedy="the file is damaged, or newer than this medsr_jax: update that, or fetch the file again",
        ) from error
    if problem := mismatch(flat, expected):
        raise MedsrError(
            f"the parameters don't fit {model} with its fields ({problem})", path=path, remedy="fetch the file again"
        )


def find(name: str | pathlib.Path) -> pathlib.Path:
    """The file of a packaged model's name, or the path itself."""
    packaged = _PACKAGED / f"{name}{SUFFIX}"
    if packaged.is_file():
        return packaged
    path = pathlib.Path(name)
    if path.is_dir():
        raise MedsrError("is a folder", path=path, remedy="name a weights file in it")
    if not path.is_file():
        close = difflib.get_close_matches(str(name), [*names(), "auto", "bicubic"], 1)
        meant = f"did you mean {close[0]}? " if close else ""
        raise MedsrError(
            f"{name}: neither a weights file nor a packaged model",
            remedy=f"{meant}packaged models: {', '.join(names())}",
        )
    return path


def names() -> list[str]:
    """The packaged models."""
    return sorted(path.stem for path in _PACKAGED.glob(f"*{SUFFIX}"))
