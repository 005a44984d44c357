"""A model of several scales: which packets it restores, and that it is given the coding of each."""

from __future__ import annotations

import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medsr_jax.errors import MedsrError
from medsr_jax.imaging.av1_quantiser import base_quantiser
from medsr_jax.jpeg.coefficients import parse
from medsr_jax.models import build
from medsr_jax.models.conditional import at_scale
from medsr_jax.models.conditions import condition_of_avif, condition_of_jpeg, condition_of_jpeg2000
from medsr_jax.restoration import Restorer
from medsr_jax.restoration.arrays import restore_array
from medsr_jax.restoration.restorer import AUTOMATIC
from medsr_jax.transmission.sender import compress
from medsr_jax.weights import model_file
from tests.restoration.pictures import picture

FIELDS = {"features": 8, "blocks": 1, "growth": 4, "grid": 4, "scales": [1, 2], "scale": 2}


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Random parameters that change every pixel by some levels, with the condition and without."""
    path = tmp_path_factory.mktemp("family") / "family.safetensors"
    shapes = jax.eval_shape(build("conditional_rrdbnet", FIELDS).init, jax.random.key(0), jnp.zeros((1, 8, 8, 1)))
    random = np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: random.normal(0, 0.3, leaf.shape).astype(np.float32), shapes["params"])
    model_file.save(path, model="conditional_rrdbnet", fields=FIELDS, params=params, card={"name": "family"})
    return path


@pytest.fixture(scope="module")
def restorer(family: pathlib.Path) -> Restorer:
    return Restorer(family)


def by_hand(family: pathlib.Path, small: np.ndarray, condition: np.ndarray, *, scale: int) -> np.ndarray:
    weights = model_file.load(family)
    member = at_scale(build(weights.model, weights.fields), scale)
    x = jnp.asarray(small, jnp.float32)[None, ..., None] / 255.0
    result = member.apply({"params": weights.params}, x, jnp.asarray(condition)[None])
    return np.rint(np.clip(np.asarray(result)[0, ..., 0], 0, 1) * 255.0)


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("codec", ["avif", "jpeg", "jpeg2000"])
def test_restored_image_is_the_network_of_its_scale_given_its_coding(
    family: pathlib.Path, radiograph: np.ndarray, codec: str, scale: int
) -> None:
    packet = compress(picture(radiograph[:64, :128]), codec=codec, scale=scale, quality=40)
    stream = packet.streams[0]
    conditions = {
        "avif": lambda: condition_of_avif(base_quantiser(stream)),
        "jpeg": lambda: condition_of_jpeg(parse(stream).table),
        "jpeg2000": lambda: condition_of_jpeg2000(40),
    }
    right, none = (
        by_hand(family, packet.decode()[0], condition, scale=scale)
        for condition in (conditions[codec](), np.zeros(3, np.float32))
    )
    restored = Restorer(family, refine=False)(packet)
    assert np.abs(restored.pixels[0] - right).max() <= 1
    assert np.abs(none - right).max() > 2
    assert restored.model == "family"


def test_frames_are_given_their_own_quantiser(family: pathlib.Path, radiograph: np.ndarray) -> None:
    coarse, fine = (compress(picture(radiograph[:64, :64]), codec="avif", scale=1, quality=q) for q in (10, 80))
    assert base_quantiser(coarse.streams[0]) > base_quantiser(fine.streams[0])
    together = Restorer(family, batch=2).restore([coarse, fine])
    for packet, restored in zip((coarse, fine), together, strict=True):
        assert np.abs(Restorer(family)(packet).pixels.astype(int) - restored.pixels).max() <= 1


def test_odd_sides_come_back(restorer: Restorer, radiograph: np.ndarray) -> None:
    for scale in (1, 2):
        packet = compress(picture(radiograph[:33, :51]), codec="avif", scale=scale, quality=50)
        assert restorer(packet).pixels.shape == (1, 33, 51)


def test_tiles_and_the_whole_agree_to_a_level(family: pathlib.Path, radiograph: np.ndarray) -> None:
    packet = compress(picture(np.tile(radiograph, (2, 1))), codec="avif", scale=1, quality=50)
    whole = Restorer(family, tile=None)(packet).pixels.astype(int)
    tiled = Restorer(family, tile=64, halo=64)(packet).pixels.astype(int)
    assert np.abs(whole - tiled).max() <= 1


def test_other_scales_are_refused_in_a_line(restorer: Restorer, radiograph: np.ndarray) -> None:
    assert restorer.scales == (1, 2)
    with pytest.raises(MedsrError, match="shrunk by 3 and the model enlarges by 1 or 2"):
        restorer(compress(picture(radiograph), scale=3, quality=60))


def test_automatic_choice_takes_the_family_for_each_of_its_scales(
    family: pathlib.Path, tiny_weights: Any, radiograph: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    for scale, path in {1: family, 2: family, 4: tiny_weights}.items():
        monkeypatch.setitem(AUTOMATIC, scale, path)
    restorer = Restorer()
    models = [restorer(compress(picture(radiograph), scale=scale, quality=60)).model for scale in (1, 2, 3, 4)]
    assert models == ["family", "family", "bicubic", "tiny"]


def test_identity_is_that_of_the_parameters_whatever_the_scale(family: pathlib.Path) -> None:
    weights = model_file.load(family)
    assert weights.scales == (1, 2)
    assert weights.at_scale(1).sha256 == weights.at_scale(2).sha256 == weights.sha256
    assert weights.at_scale(1).fields["scale"] == 1


def test_another_runtime_gives_the_same(family: pathlib.Path, radiograph: np.ndarray) -> None:
    pytest.importorskip("onnxruntime")
    packet = compress(picture(radiograph[:64, :64]), codec="avif", scale=1, quality=40)
    ours, theirs = (Restorer(family, backend=name)(packet).pixels.astype(int) for name in ("xla", "onnxruntime"))
    assert np.abs(ours - theirs).max() <= 1


def test_arrays_are_restored_without_a_stream(family: pathlib.Path, radiograph: np.ndarray) -> None:
    small = radiograph[:32, :32]
    result = restore_array(small, scale=2, quality=40, codec="avif", restorer=Restorer(family))
    expected = by_hand(family, small, condition_of_jpeg2000(40), scale=2)
    assert np.abs(result - expected).max() <= 1
