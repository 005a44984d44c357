"""PyTorch's files of weights (`torch.save`), read without PyTorch and without running what they contain.

A pickle holds the structure; in it each tensor is a call that names a storage, which is a run of raw numbers, with an
offset, a shape and strides. Since PyTorch 1.6 the pickle and the storages are members of a zip archive. Before, and in
torchvision's files of VGG, they follow one another: three pickles of preamble, the structure, the list of storages, and
each storage behind its length.
"""

from __future__ import annotations

import dataclasses
import io
import math
import pathlib
import reprlib
import struct
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import numpy as np

from medsr_jax.errors import MedsrError
from medsr_jax.weights.importing.pickles import Dict, Name, Refused, load_restricted

# Storage classes of PyTorch. bfloat16, which NumPy has not, is the upper half of a float32.
_TYPES: dict[str, str] = {
    "FloatStorage": "f4",
    "DoubleStorage": "f8",
    "HalfStorage": "f2",
    "BFloat16Storage": "u2",
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
_MOST_AXES = 32
_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


@dataclasses.dataclass(frozen=True)
class _Storage:
    """A run of numbers, by name."""

    key: str
    kind: str
    count: int

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(_TYPES[self.kind]).newbyteorder("<")

    @property
    def bytes(self) -> int:
        return self.count * self.dtype.itemsize


@dataclasses.dataclass(frozen=True)
class _Tensor:
    """A part of a storage."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_torch(path: str | pathlib.Path) -> dict[str, Any]:
    """What a file of `torch.save` holds, such as a state dict or a dict of them.

    Args:
        path: the file, of any version of PyTorch since 0.2.

    Returns:
        Nested dicts, lists, tuples, strings and numbers as they are, with read-only NumPy arrays for tensors: of their
        own type, and float32 for bfloat16.

    Raises:
        MedsrError: there is no such file, it is none of PyTorch's or damaged, or it holds anything but numbers.
    """
    path = pathlib.Path(path)
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == b"PK"
            file.seek(0)
            tree = _read_archive(file) if zipped else _read_sequence(file)
    except FileNotFoundError as error:
        raise MedsrError("no such file", path=path) from error
    except _Cut as error:
        raise MedsrError(
            f"these weights are not read: {error}, so the file ends early", path=path, remedy="fetch it again"
        ) from error
    except Refused as error:
        raise MedsrError(
            f"these weights are not read: {error}", path=path, remedy="they must be a state_dict of PyTorch's"
        ) from error
    except OSError as error:
        raise MedsrError(f"can't be read ({error.strerror or error})", path=path) from error
    if not isinstance(tree, dict):
        raise MedsrError("holds no dict of tensors", path=path, remedy="save the model's state_dict")
    return tree


class _Cut(Refused):
    """A file is not whole."""


# What zipfile and NumPy make of damage. RuntimeError is of members that are encrypted.
_DAMAGE = (zipfile.BadZipFile, ValueError, TypeError, EOFError, RuntimeError, OverflowError, struct.error)


def _read_archive(file: BinaryIO) -> Any:
    try:
        # The directory of an archive is its end.
        if not zipfile.is_zipfile(file):
            raise _Cut("the archive has no directory")
        with zipfile.ZipFile(file) as archive:
            return _read_members(archive)
    except _DAMAGE as error:
        raise Refused(f"the archive is damaged ({error})") from error


def _read_members(archive: zipfile.ZipFile) -> Any:
    members = {info.filename: info for info in archive.infolist()}
    pickles = [name for name in members if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise Refused("the archive has no data.pkl")
    folder = pickles[0].removesuffix("data.pkl")

    def content(name: str) -> bytes:
        if (info := members.get(folder + name)) is None:
            raise Refused(f"the archive has no {name}")
        # PyTorch compresses nothing; a small file that unfolds to a large one is an attack on memory.
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise Refused(f"{name} is compressed")
        return archive.read(info)

    if folder + "byteorder" in members and content("byteorder") != b"little":
        raise Refused("its numbers are big-endian")
    structure, storages = _read_structure(io.BytesIO(content("data.pkl")))
    return _plain(structure, {storage: content(f"data/{storage.key}") for storage in storages})


def _read_sequence(file: BinaryIO) -> Any:
    size = file.seek(0, 2)
    file.seek(0)
    if load_restricted(file, names={}) != _MAGIC or load_restricted(file, names={}) != _PROTOCOL:
        raise Refused("the file does not begin as PyTorch's do")
    about = load_restricted(file, names={})
    if not isinstance(about, dict) or about.get("little_endian") is not True:
        raise Refused("its numbers are big-endian")
    structure, storages = _read_structure(file)
    by_key = {storage.key: storage for storage in storages}
    data: dict[_Storage, bytes] = {}
    keys = load_restricted(file, names={})
    if not isinstance(keys, list):
        raise Refused("it has no list of storages")
    for key in keys:
        if (storage := by_key.get(str(key))) is None:
            raise Refused(f"it has a storage {str(key)[:20]!r} that no tensor has")
        if int.from_bytes(file.read(8), "little") != storage.count:
            raise Refused(f"the length of storage {key} is not what the tensors say")
        # Before memory is taken for it.
        if file.tell() + storage.bytes > size:
            raise _Cut(f"storage {key} is not whole")
        data[storage] = file.read(storage.bytes)
    try:
        return _plain(structure, data)
    except _DAMAGE as error:
        raise Refused(f"a tensor is damaged ({error})") from error


def _read_structure(file: BinaryIO) -> tuple[Any, set[_Storage]]:
    """The pickle that holds the tensors, and the storages that it names."""
    storages: set[_Storage] = set()

    def storage(pid: Any) -> _Storage:
        tag, kind, key, _, count, *view = pid
        kind = kind()
        if tag != "storage" or kind not in _TYPES or any(view):
            raise Refused(f"it refers to {reprlib.repr(tag)} of {reprlib.repr(kind)}")
        # Nested tuples that share their parts would be written out without end.
        if not isinstance(key, str | int):
            raise Refused("it has a storage without a name")
        found = _Storage(str(key), kind, int(count))
        storages.add(found)
        return found

    return load_restricted(file, names=_NAMES, persistent=storage), storages


def _plain(value: Any, data: Mapping[_Storage, bytes]) -> Any:
    """Stand-ins replaced by what they stand for."""
    seen: dict[int, Any] = {}

    def plain(value: Any) -> Any:
        # What is shared stays shared: written out, a few nested lists of the same list would fill the memory.
        if id(value) not in seen:
            if isinstance(value, dict):
                seen[id(value)] = {key: plain(item) for key, item in value.items()}
            elif isinstance(value, list | tuple):
                seen[id(value)] = type(value)([plain(item) for item in value])
            else:
                seen[id(value)] = _array(value, data) if isinstance(value, _Tensor) else value
        return seen[id(value)]

    try:
        return plain(value)
    except RecursionError as error:
        raise Refused("it is nested without end") from error


def _array(tensor: _Tensor, data: Mapping[_Storage, bytes]) -> np.ndarray:
    storage, shape = tensor.storage, tensor.shape
    if len(raw := data.get(storage, b"")) != storage.bytes:
        raise Refused(f"storage {storage.key} has {len(raw)} bytes, not {storage.count} numbers")
    if len(shape) > _MOST_AXES or not all(
        isinstance(n, int) and 0 <= n < 1 << 63 for n in (tensor.offset, *shape, *tensor.strides)
    ):
        raise Refused("it holds a tensor of an impossible shape")
    count = math.prod(shape)
    last = tensor.offset + sum((side - 1) * step for side, step in zip(shape, tensor.strides, strict=True))
    if count > storage.count or (count and last >= storage.count):
        raise Refused("it holds a tensor that is larger than its storage")
    numbers = np.frombuffer(raw, storage.dtype)[tensor.offset :] if count else np.empty(0, storage.dtype)
    strides = [numbers.itemsize * step for step in tensor.strides]
    view = np.lib.stride_tricks.as_strided(numbers, shape, strides, writeable=False)
    if storage.kind == "BFloat16Storage":
        return (view.astype(np.uint32) << 16).view(np.float32)
    return np.ascontiguousarray(view).reshape(shape)


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _Tensor:
    if not isinstance(storage, _Storage) or len(shape) != len(strides):
        raise Refused("it holds a tensor without numbers")
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


def _parameter(data: Any, *_: Any) -> Any:
    return data


def _kind(name: str) -> Callable[[], str]:
    return lambda: name


_NAMES: dict[Name, Callable[..., Any]] = {
    ("collections", "OrderedDict"): Dict,
    ("torch", "Size"): tuple,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    **{("torch", name): _kind(name) for name in _TYPES},
}
