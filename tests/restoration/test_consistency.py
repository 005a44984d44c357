from __future__ import annotations

import io
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from scipy.fft import dctn

from medsr_jax.jpeg.coefficients import coefficients, parse
from medsr_jax.restoration import consistency
from medsr_jax.transmission.codecs import decode_jpeg, encode_jpeg
from medsr_jax.transmission.downscaling import downscale


def sent(picture: Any, quality: Any = 60) -> tuple[Any, ...]:
    small = np.rint(downscale(picture, scale=4)).astype(np.uint8)
    stream = encode_jpeg(small, quality)
    return stream, coefficients(parse(stream)), parse(stream).table


def project(restored: Any, indices: Any, table: Any, shape: Any) -> Any:
    return np.asarray(
        consistency.project(
            jnp.asarray(restored, jnp.float32)[None, ..., None],
            jnp.asarray(indices)[None],
            jnp.asarray(table, jnp.float32),
            jnp.asarray([shape]),
            scale=4,
        )
    )[0, ..., 0]


def test_the_block_transform_is_scipys_dct() -> None:
    x = np.random.default_rng(0).random((16, 24), np.float32)
    ours = np.asarray(consistency.to_blocks(jnp.asarray(x)[None, ..., None]))[0]
    np.testing.assert_allclose(ours[1, 2], dctn(x[8:16, 16:24] * 255.0 - 128.0, norm="ortho"), atol=1e-3)
    back = consistency.from_blocks(jnp.asarray(ours)[None])
    np.testing.assert_allclose(back[0, ..., 0], x, atol=1e-6)


def test_the_truth_is_not_contradicted_and_a_wrong_image_is(radiograph: np.ndarray) -> None:
    _, indices, table = sent(radiograph)
    truth = consistency.largest_violation(downscale(radiograph, scale=4), indices, table)
    assert truth < 0.15
    brighter = np.minimum(radiograph.astype(np.float32) + 6, 255)
    assert consistency.largest_violation(downscale(brighter, scale=4), indices, table) > 1.0


def test_the_violation_agrees_with_a_direct_formula(radiograph: np.ndarray) -> None:
    _, indices, table = sent(radiograph[:, :192])
    small = downscale(radiograph[::-1, :192], scale=4)
    worst = 0.0
    for i in range(indices.shape[0]):
        for j in range(indices.shape[1]):
            block = dctn(small[8 * i : 8 * i + 8, 8 * j : 8 * j + 8].astype(float) - 128, norm="ortho")
            worst = max(worst, (np.abs(block / table - indices[i, j]) - 0.5).max())
    assert consistency.largest_violation(small, indices, table) == pytest.approx(worst, rel=1e-6)


@pytest.mark.parametrize(("rows", "columns"), [(160, 192), (157, 173), (130, 161)])
def test_projection_ends_contradiction_whatever_the_size(radiograph: np.ndarray, rows: int, columns: int) -> None:
    picture = radiograph[:rows, :columns]
    _, indices, table = sent(picture)
    padded = indices.shape[0] * 32, indices.shape[1] * 32
    wrong = np.full(padded, 0.5, np.float32)  # a grey image, which contradicts nearly everything
    right = project(wrong, indices, table, (rows, columns))[:rows, :columns] * 255.0
    before = consistency.largest_violation(downscale(wrong[:rows, :columns] * 255, scale=4), indices, table)
    after = consistency.largest_violation(downscale(right, scale=4), indices, table)
    assert before > 1.0
    assert after < 0.35


def test_an_image_that_contradicts_nothing_is_left_alone(radiograph: np.ndarray) -> None:
    picture = radiograph[:160, :192]
    _, indices, table = sent(picture)
    x = picture.astype(np.float32) / 255.0
    # But for what rounding the small image to whole levels had put outside its intervals.
    np.testing.assert_allclose(project(x, indices, table, x.shape), x, atol=0.3 / 255)


def test_projection_of_the_decoded_image_keeps_it(radiograph: np.ndarray) -> None:
    stream, indices, table = sent(radiograph[:160, :192])
    assert np.array_equal(decode_jpeg(stream), np.asarray(Image.open(io.BytesIO(stream))))
    large = np.kron(decode_jpeg(stream), np.ones((4, 4))) / 255.0
    np.testing.assert_allclose(project(large, indices, table, large.shape), large, atol=1.5 / 255)
