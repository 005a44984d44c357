from __future__ import annotations

import pathlib
import re
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from medsr_jax.errors import MedsrError
from medsr_jax.models import build
from medsr_jax.weights.importing.generator import import_weights
from medsr_jax.weights.importing.ncnn_file import read_ncnn
from tests.weights import ncnn_networks as networks


def by_ncnn(param: Any, x: Any) -> Any:
    """What ncnn itself makes of (H, W, C) in [0, 1]."""
    ncnn = pytest.importorskip("ncnn")
    net = ncnn.Net()
    for option in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
        setattr(net.opt, option, False)
    net.opt.lightmode = False  # which would free a blob after its first reader
    assert net.load_param(str(param)) == 0
    assert net.load_model(str(param.with_suffix(".bin"))) == 0
    first, last = (net.input_names()[0], net.output_names()[0])
    extractor = net.create_extractor()
    planes = np.ascontiguousarray(x.transpose(2, 0, 1))
    extractor.input(first, ncnn.Mat(planes).clone())  # the first borrows the array's memory
    status, output = extractor.extract(last)
    assert status == 0
    return np.array(output).transpose(1, 2, 0)


def by_us(param: Any, x: Any) -> Any:
    weights = import_weights(param)
    model = build(weights.model, weights.fields)
    return np.asarray(model.apply({"params": weights.params}, jnp.asarray(x)[None]))[0]


@pytest.mark.parametrize("half", [False, True], ids=["float32", "float16"])
@pytest.mark.parametrize("network", [networks.rrdbnet, networks.srvgg], ids=["rrdbnet", "srvgg"])
def test_an_imported_network_computes_what_ncnn_computes(network: Any, half: bool, tmp_path: pathlib.Path) -> None:
    param = network(half=half).save(tmp_path)
    x = np.random.default_rng(1).random((9, 12, 3), np.float32)
    theirs, ours = by_ncnn(param, x), by_us(param, x)
    assert theirs.shape == ours.shape
    assert np.abs(theirs).max() > 0.1
    np.testing.assert_allclose(ours, theirs, atol=2e-5)


def test_tensors_are_named_and_kept_as_they_were_written(tmp_path: pathlib.Path) -> None:
    writer = networks.rrdbnet(half=True)
    tensors = read_ncnn(writer.save(tmp_path)).tensors
    assert tensors.keys() == writer.tensors.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(tensor, writer.tensors[name])


def test_either_file_may_be_named(tmp_path: pathlib.Path) -> None:
    param = networks.srvgg().save(tmp_path)
    assert read_ncnn(param.with_suffix(".bin")).tensors.keys() == read_ncnn(param).tensors.keys()


def test_a_network_that_computes_something_else_is_refused(tmp_path: pathlib.Path) -> None:
    param = networks.rrdbnet(residual=0.3).save(tmp_path)
    with pytest.raises(
        MedsrError, match="model.param: holds neither an RRDBNet .* 36 convolutions with other operations between them"
    ):
        read_ncnn(param)


def test_one_that_resizes_its_result_is_refused_and_told_so(tmp_path: pathlib.Path) -> None:
    param = networks.srvgg(shrink=0.5).save(tmp_path)
    with pytest.raises(MedsrError, match="its last layer resizes the result by 5.0"):
        read_ncnn(param)


def edited(param: Any, edit: Any) -> None:
    param.write_text(edit(param.read_text()))


def with_features(number: Any) -> Any:
    return lambda text: re.sub(r"(PReLU_3.* 0=)6", rf"\g<1>{number}", text)


def test_damage_gets_one_line_that_names_the_file(tmp_path: pathlib.Path) -> None:
    writer = networks.srvgg()
    data = writer.numbers
    cases = {
        "model.bin: ends early, at Convolution": lambda p: p.with_suffix(".bin").write_bytes(data[:-50]),
        "model.bin: has .* bytes, and model.param describes": lambda p: p.with_suffix(".bin").write_bytes(
            data + b"more"
        ),
        "are 8-bit integers": lambda p: p.with_suffix(".bin").write_bytes(b"\x38\x4b\x0d\x00" + data[4:]),
        "model.bin not found beside it": lambda p: p.with_suffix(".bin").unlink(),
        "layers are there": lambda p: edited(p, lambda text: text.rsplit("\n", 2)[0]),
        "not a network description": lambda p: edited(p, lambda text: text.replace("7767517", "7767516")),
        "which no known generator has": lambda p: edited(p, lambda text: text.replace("PReLU", "Softmax", 1)),
        "no 3x3 convolution": lambda p: edited(p, lambda text: text.replace("1=3", "1=5", 1)),
        "the layer PReLU_3 is damaged .*six": lambda p: edited(p, with_features("six")),
        "the layer PReLU_3 is damaged .-6 features": lambda p: edited(p, with_features("-6")),
        "has -1 weights": lambda p: edited(p, lambda text: re.sub(r" 6=\d+", " 6=-1", text, count=1)),
        "0 of 0 layers": lambda p: p.write_text("7767517\n0 0\n"),
        "the layer Interp_.* is damaged": lambda p: edited(p, lambda text: re.sub(r"(Interp.*) 1=2.0", r"\1", text)),
    }
    for number, (message, damage) in enumerate(cases.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        param = networks.srvgg().save(folder)
        damage(param)
        with pytest.raises(MedsrError, match=message) as error:
            read_ncnn(param)
        assert "\n" not in str(error.value)
