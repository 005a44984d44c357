from __future__ import annotations

import collections
import io
import os
import pathlib
import pickle
import sys
import types
import zipfile
from typing import Any

import numpy as np
import pytest

from medsr_jax.errors import MedsrError
from medsr_jax.weights.importing.torch_file import read_torch

ARRAY = np.arange(24, dtype=np.float32).reshape(2, 3, 4) / 7


class Storage:
    """What PyTorch keeps a tensor's numbers in."""

    def __init__(self, key: Any, numbers: Any, kind: Any) -> None:
        self.key, self.numbers, self.kind = key, numbers, kind


class Tensor:
    def __init__(self, storage: Any, offset: Any, shape: Any, strides: Any) -> None:
        self.parts = (storage, offset, shape, strides)


class Payload:
    """Runs a command when a trusting reader reads it."""

    def __init__(self, command: Any) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


@pytest.fixture
def pytorch(monkeypatch: pytest.MonkeyPatch) -> Any:
    """As much of PyTorch as pickles of its tensors name."""
    torch, parts = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def _rebuild_tensor_v2(*_: Any) -> None:
        raise AssertionError("never called")

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    parts._rebuild_tensor_v2 = _rebuild_tensor_v2
    for name in ("FloatStorage", "BFloat16Storage", "LongStorage"):
        setattr(torch, name, type(name, (), {"__module__": "torch"}))
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", parts)
    return torch


def pickled(tree: Any, torch: Any, *, old: Any = False) -> Any:
    class Pickler(pickle.Pickler):
        def persistent_id(self, value: Any) -> Any:
            if isinstance(value, Storage):
                size = len(value.numbers) if value.kind != "FloatStorage" else value.numbers.size
                pid = ("storage", getattr(torch, value.kind), value.key, "cpu", size)
                return (*pid, None) if old else pid
            return None

        def reducer_override(self, value: Any) -> Any:
            if isinstance(value, Tensor):
                rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2
                return rebuild, (*value.parts, False, collections.OrderedDict())
            return NotImplemented

    file = io.BytesIO()
    Pickler(file, protocol=2).dump(tree)
    return file.getvalue()


def archive(path: Any, data: Any, storages: Any = (), *, compression: Any = zipfile.ZIP_STORED) -> Any:
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr("archive/data.pkl", data)
        for storage in storages:
            file.writestr(f"archive/data/{storage.key}", storage.numbers.tobytes())
    return path


def sequence(path: Any, data: Any, storages: Any) -> Any:
    with path.open("wb") as file:
        for preamble in (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True}):
            file.write(pickle.dumps(preamble, protocol=2))
        file.write(data)
        file.write(pickle.dumps([storage.key for storage in storages], protocol=2))
        for storage in storages:
            file.write(storage.numbers.size.to_bytes(8, "little") + storage.numbers.tobytes())
    return path


def whole(storage: Any, array: Any = ARRAY) -> Any:
    return Tensor(storage, 0, array.shape, tuple(step // array.itemsize for step in array.strides))


@pytest.mark.parametrize("old", [False, True])
def test_tensors_come_back_through_offsets_and_strides(pytorch: Any, tmp_path: pathlib.Path, old: bool) -> None:
    storage = Storage("0", ARRAY.ravel(), "FloatStorage")
    tree = {
        "params": collections.OrderedDict(weight=whole(storage), part=Tensor(storage, 5, (4, 3), (1, 4))),
        "scalar": Tensor(storage, 23, (), ()),
        "empty": Tensor(storage, 0, (0, 3), (3, 1)),
        "steps": [3, ("adam", 0.5)],
    }
    tree["params"]._metadata = {"version": 1}  # as Module.state_dict() sets it
    data = pickled(tree, pytorch, old=old)
    path = (sequence if old else archive)(tmp_path / "m.pth", data, [storage])
    read = read_torch(path)
    np.testing.assert_array_equal(read["params"]["weight"], ARRAY)
    np.testing.assert_array_equal(read["params"]["part"], ARRAY.ravel()[5:17].reshape(3, 4).T)
    assert read["scalar"].shape == () and read["scalar"] == ARRAY.ravel()[23]
    assert read["empty"].shape == (0, 3)
    assert read["steps"] == [3, ("adam", 0.5)]


def test_bfloat16_is_widened(pytorch: Any, tmp_path: pathlib.Path) -> None:
    halves = (ARRAY.ravel().view(np.uint32) >> 16).astype(np.uint16)
    storage = Storage("0", halves, "BFloat16Storage")
    path = archive(tmp_path / "m.pth", pickled({"w": whole(storage)}, pytorch), [storage])
    read = read_torch(path)["w"]
    assert read.dtype == np.float32
    np.testing.assert_allclose(read, ARRAY, rtol=2**-7)


@pytest.mark.parametrize("old", [False, True])
def test_a_hostile_file_is_refused_and_runs_nothing(pytorch: Any, tmp_path: pathlib.Path, old: bool) -> None:
    marker = tmp_path / "ran"
    data = pickle.dumps({"params": Payload(f"touch {marker}")}, protocol=2)
    path = (sequence if old else archive)(tmp_path / "m.pth", data, [])
    with pytest.raises(MedsrError, match=r"m\.pth: .* asks for (posix|nt)\.system"):
        read_torch(path)
    assert not marker.exists()
    pickle.loads(data)
    assert marker.exists()


def large(storage: Any) -> dict[str, Any]:
    return {"w": Tensor(storage, 0, (10**6, 10**6), (0, 0))}


def beyond(storage: Any) -> dict[str, Any]:
    return {"w": Tensor(storage, 1, (24,), (1,))}


def negative(storage: Any) -> dict[str, Any]:
    return {"w": Tensor(storage, 3, (2,), (-1,))}


@pytest.mark.parametrize("tree", [large, beyond, negative])
def test_a_tensor_outside_its_numbers_is_refused(pytorch: Any, tmp_path: pathlib.Path, tree: Any) -> None:
    storage = Storage("0", ARRAY.ravel(), "FloatStorage")
    path = archive(tmp_path / "m.pth", pickled(tree(storage), pytorch), [storage])
    with pytest.raises(MedsrError, match=r"m\.pth: .*tensor"):
        read_torch(path)


def test_nesting_without_end_and_sharing_without_measure_do_no_harm(tmp_path: pathlib.Path) -> None:
    endless = []
    endless.append(endless)
    with pytest.raises(MedsrError, match="nested without end"):
        read_torch(archive(tmp_path / "m.pth", pickle.dumps({"a": endless})))
    shared = []
    for _ in range(60):
        shared = [shared, shared]
    assert len(read_torch(archive(tmp_path / "m.pth", pickle.dumps({"a": shared})))["a"]) == 2


def test_a_compressed_archive_is_refused(tmp_path: pathlib.Path) -> None:
    path = archive(tmp_path / "m.pth", pickle.dumps({"a": "0" * 10**5}), compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(MedsrError, match="compressed"):
        read_torch(path)


def test_what_is_no_file_of_weights_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(MedsrError, match=r"none\.pth: no such file"):
        read_torch(tmp_path / "none.pth")
    for content in (b"", b"\x89PNG\r\n\x1a\n", pickle.dumps({"a": 1}), b"PK\x05\x06" + bytes(18)):
        path = tmp_path / "m.pth"
        path.write_bytes(content)
        with pytest.raises(MedsrError, match=r"m\.pth: these weights are not read"):
            read_torch(path)


@pytest.mark.parametrize("remaining", [0.3, 0.7, 0.99])
@pytest.mark.parametrize("old", [False, True])
def test_a_file_that_is_cut_off_is_refused(pytorch: Any, tmp_path: pathlib.Path, old: bool, remaining: float) -> None:
    storage = Storage("0", np.tile(ARRAY.ravel(), 50), "FloatStorage")
    data = pickled({"w": whole(storage)}, pytorch, old=old)
    path = (sequence if old else archive)(tmp_path / "m.pth", data, [storage])
    content = path.read_bytes()
    path.write_bytes(content[: int(remaining * len(content))])
    with pytest.raises(MedsrError, match=r"m\.pth: these weights are not read: .* the file ends early; fetch it again"):
        read_torch(path)


def test_an_archive_that_is_encrypted_or_one_of_several_is_refused(pytorch: Any, tmp_path: pathlib.Path) -> None:
    storage = Storage("0", ARRAY.ravel(), "FloatStorage")
    path = archive(tmp_path / "m.pth", pickled({"w": whole(storage)}, pytorch), [storage])
    content = path.read_bytes()
    directory, end = content.index(b"PK\1\2"), content.index(b"PK\5\6")
    encrypted = bytearray(content)
    encrypted[6] |= 1
    encrypted[directory + 8] |= 1
    # A locator before the end, which says that the archive lies on two disks.
    locator = b"PK\6\7" + bytes(12) + (2).to_bytes(4, "little")
    several = content[:end] + locator + content[end:]
    for damaged in (encrypted, several):
        path.write_bytes(damaged)
        with pytest.raises(MedsrError, match=r"m\.pth: these weights are not read: the archive is damaged"):
            read_torch(path)


@pytest.mark.parametrize("keys", [3, {"0": 1}, None, [["0"]]])
def test_a_list_of_storages_that_is_none_is_refused(pytorch: Any, tmp_path: pathlib.Path, keys: Any) -> None:
    path = sequence(tmp_path / "m.pth", pickled({"a": 1}, pytorch, old=True), [])
    path.write_bytes(path.read_bytes().removesuffix(pickle.dumps([], protocol=2)) + pickle.dumps(keys, protocol=2))
    with pytest.raises(MedsrError, match=r"m\.pth: these weights are not read: it has"):
        read_torch(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_files_of_pytorch_itself(tmp_path: pathlib.Path, zipped: bool) -> None:
    torch = pytest.importorskip("torch")
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    base = torch.arange(24.0).reshape(2, 3, 4)
    tree = {
        "params_ema": net.state_dict(),
        "parameter": torch.nn.Parameter(base.clone()),
        "turned": base.permute(2, 0, 1),
        "part": base[1, 1:, ::2],
        "half": base.half(),
        "bfloat16": base.bfloat16(),
        "mask": base > 3,
        "shape": base.shape,
        "name": "epoch",
        "steps": 7,
    }
    torch.save(tree, tmp_path / "m.pth", _use_new_zipfile_serialization=zipped)
    read = read_torch(tmp_path / "m.pth")
    for name, tensor in net.state_dict().items():
        np.testing.assert_array_equal(read["params_ema"][name], tensor.numpy())
    for name in ("turned", "part", "half", "mask"):
        np.testing.assert_array_equal(read[name], tree[name].numpy())
        assert read[name].dtype == tree[name].numpy().dtype
    np.testing.assert_array_equal(read["parameter"], base.numpy())
    np.testing.assert_array_equal(read["bfloat16"], tree["bfloat16"].float().numpy())
    assert (tuple(read["shape"]), read["name"], read["steps"]) == ((2, 3, 4), "epoch", 7)


def test_a_whole_model_is_refused(tmp_path: pathlib.Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save(torch.nn.Linear(2, 2), tmp_path / "m.pth")
    with pytest.raises(MedsrError, match="asks for torch"):
        read_torch(tmp_path / "m.pth")
