"""A small generator in every format of weights that is read: what `fuzz_weights` damages."""

from __future__ import annotations

import io
import pathlib
import pickle
import struct
import zipfile

import numpy as np
import safetensors.numpy

from medsr_jax.weights import model_file
from medsr_jax.weights.importing.generator import import_weights


def seeds(folder: pathlib.Path) -> dict[str, dict[str, bytes]]:
    """Whole files by kind: each the names and contents of what belongs together, the file to read first."""
    random = np.random.default_rng(0)
    tensors = {
        name: random.normal(0, 1, shape).astype(np.float32)
        for name, shape in {
            "body.0.weight": (3, 1, 3, 3),
            "body.0.bias": (3,),
            "body.1.weight": (3,),
            "body.2.weight": (3, 3, 3, 3),
            "body.2.bias": (3,),
            "body.3.weight": (3,),
            "body.4.weight": (4, 3, 3, 3),
            "body.4.bias": (4,),
        }.items()
    }
    foreign = safetensors.numpy.save(tensors)
    (folder / "seed.safetensors").write_bytes(foreign)
    weights = import_weights(folder / "seed.safetensors")
    ours = folder / "ours.safetensors"
    model_file.save(ours, model=weights.model, fields=weights.fields, params=weights.params, card=weights.card)
    structure = _structure(tensors)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("m/data.pkl", structure)
        for number, tensor in enumerate(tensors.values()):
            file.writestr(f"m/data/{number}", tensor.tobytes())
    return {
        "safetensors": {"m.safetensors": foreign},
        "ours": {"o.safetensors": ours.read_bytes()},
        "zip": {"m.pth": archive.getvalue()},
        "sequence": {"s.pth": _sequence(structure, tensors)},
        "param": {"n.param": _param(), "n.bin": _bin(tensors)},
    }


class _Global:
    """Pickled as a name of another package's."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class _Storage:
    def __init__(self, key: str, count: int) -> None:
        self.pid = ("storage", _Global("torch", "FloatStorage"), key, "cpu", count)


class _Call:
    def __init__(self, function: _Global, arguments: tuple[object, ...]) -> None:
        self.function, self.arguments = function, arguments


class _Pickler(pickle._Pickler):  # type: ignore[name-defined,misc]  # noqa: SLF001  # the one that can be extended
    """Python's own, which lets a name be written that is no object here."""

    def persistent_id(self, value: object) -> object:
        return value.pid if isinstance(value, _Storage) else None

    def save(self, value: object, save_persistent_id: bool = True) -> None:
        if isinstance(value, _Global):
            self.write(f"c{value.module}\n{value.name}\n".encode())
        elif isinstance(value, _Call):
            self.save(value.function)
            self.save(value.arguments)
            self.write(b"R")
        else:
            super().save(value, save_persistent_id)


def _pickled(value: object) -> bytes:
    stream = io.BytesIO()
    _Pickler(stream, protocol=2).dump(value)
    return stream.getvalue()


def _structure(tensors: dict[str, np.ndarray]) -> bytes:
    rebuild = _Global("torch._utils", "_rebuild_tensor_v2")
    state = {}
    for number, (name, tensor) in enumerate(tensors.items()):
        strides = tuple(step // tensor.itemsize for step in tensor.strides)
        state[name] = _Call(rebuild, (_Storage(str(number), tensor.size), 0, tensor.shape, strides, False, {}))
    return _pickled({"params": state})


def _sequence(structure: bytes, tensors: dict[str, np.ndarray]) -> bytes:
    # The older format's storages have one more word, of a view, which is None.
    preamble = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True, "protocol_version": 1001}]
    parts = [pickle.dumps(value, protocol=2) for value in preamble]
    parts += [structure, pickle.dumps([str(number) for number in range(len(tensors))], protocol=2)]
    parts += [struct.pack("<q", tensor.size) + tensor.tobytes() for tensor in tensors.values()]
    return b"".join(parts)


def _param() -> bytes:
    layers = [
        "Input in 0 1 a",
        "Split sp 1 2 a b c",
        "Convolution c0 1 1 b d 0=3 1=3 4=1 5=1 6=27",
        "PReLU p0 1 1 d e 0=3",
        "Convolution c1 1 1 e f 0=3 1=3 4=1 5=1 6=81",
        "PReLU p1 1 1 f g 0=3",
        "Convolution c2 1 1 g h 0=4 1=3 4=1 5=1 6=108",
        "PixelShuffle ps 1 1 h i 0=2",
        "Interp up 1 1 c j 0=1 1=2.0 2=2.0",
        "BinaryOp add 2 1 i j k 0=0",
    ]
    return "\n".join(["7767517", f"{len(layers)} 12", *layers, ""]).encode()


def _bin(tensors: dict[str, np.ndarray]) -> bytes:
    return b"".join((b"\0\0\0\0" if tensor.ndim == 4 else b"") + tensor.tobytes() for tensor in tensors.values())
