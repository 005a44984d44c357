import json

import numpy as np
import pytest
import safetensors.numpy

from medsr_jax import zoo
from medsr_jax.errors import MedsrError

PARAMS = {"a": {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3) / 7, "bias": np.zeros(3, np.float32)}}


def write(path, **fields):
    zoo.save(path, model="rrdbnet", fields={"blocks": 2}, params=PARAMS, card={"data": "none"}, **fields)


def test_what_is_saved_is_loaded(tmp_path):
    write(tmp_path / "m.safetensors")
    weights = zoo.load(tmp_path / "m.safetensors")
    assert (weights.model, weights.fields, weights.card) == ("rrdbnet", {"blocks": 2}, {"data": "none"})
    assert weights.parameters == 9
    np.testing.assert_array_equal(weights.params["a"]["kernel"], PARAMS["a"]["kernel"])


def test_half_precision_halves_the_file_and_rounds_to_eleven_bits(tmp_path):
    write(tmp_path / "m.safetensors", dtype=np.float16)
    kernel = zoo.load(tmp_path / "m.safetensors").params["a"]["kernel"]
    assert kernel.dtype == np.float32
    np.testing.assert_allclose(kernel, PARAMS["a"]["kernel"], rtol=2**-11)
    assert not np.array_equal(kernel, PARAMS["a"]["kernel"])


def test_a_truncated_file_is_refused_by_name(tmp_path):
    write(tmp_path / "m.safetensors")
    data = (tmp_path / "m.safetensors").read_bytes()
    for length in (0, 5, 40, len(data) - 3):
        (tmp_path / "cut.safetensors").write_bytes(data[:length])
        with pytest.raises(MedsrError, match="cut.safetensors"):
            zoo.load(tmp_path / "cut.safetensors")


def test_weights_of_others_are_refused_with_a_remedy(tmp_path):
    path = tmp_path / "foreign.safetensors"
    path.write_bytes(safetensors.numpy.save({"conv.weight": np.zeros(3, np.float32)}))
    with pytest.raises(MedsrError, match="medsr import"):
        zoo.load(path)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(MedsrError, match="xray-x4"):
        zoo.load("xray-x9")


def test_the_packaged_model_is_small_and_has_a_card():
    weights = zoo.load("xray-x4")
    assert weights.path.stat().st_size <= 5_000_000
    assert {"name", "data", "licence", "degradation", "steps", "validation"} <= set(weights.card)
    assert all(np.isfinite(leaf).all() for leaf in zoo.weights.flatten(weights.params).values())
    assert json.dumps(weights.fields)
