from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from medsr_jax.degradation.regions import extend, full_size, inside

PADDING = {"edge": "edge", "reflect": "reflect"}


def canvas_of(random: Any, sizes: Any, rows: Any = 20, columns: Any = 24) -> tuple[Any, ...]:
    image = random.random((len(sizes), rows, columns, 2)).astype(np.float32)
    return image, jnp.asarray(sizes, jnp.int32)


@pytest.mark.parametrize("mode", PADDING)
def test_a_small_image_on_a_canvas_is_extended_as_it_would_be_alone(mode: Any) -> None:
    random = np.random.default_rng(0)
    sizes = [(20, 24), (13, 9), (8, 24), (6, 7)]
    image, size = canvas_of(random, sizes)
    result = np.asarray(extend(image, size, before=5, after=5, mode=mode))
    for sample, padded, (rows, columns) in zip(image, result, sizes, strict=True):
        alone = np.pad(sample[:rows, :columns], ((5, 5), (5, 5), (0, 0)), mode=PADDING[mode])
        np.testing.assert_array_equal(padded[: rows + 10, : columns + 10], alone)


@pytest.mark.parametrize("mode", PADDING)
def test_no_size_means_the_whole_canvas(mode: Any) -> None:
    image, _ = canvas_of(np.random.default_rng(1), [(20, 24)])
    whole = extend(image, None, before=3, after=4, mode=mode)
    np.testing.assert_array_equal(whole, extend(image, full_size(image), before=3, after=4, mode=mode))
    assert whole.shape == (1, 27, 31, 2)


def test_an_image_smaller_than_its_margin_is_mirrored_and_then_repeated() -> None:
    image = jnp.arange(4.0).reshape(1, 1, 4, 1)
    row = extend(image, None, before=5, after=5, mode="reflect")[0, 0, :, 0]
    np.testing.assert_array_equal(row, [1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 0, 0])


def test_inside_marks_the_rows_and_columns_of_each_image() -> None:
    mask = np.asarray(inside(jnp.asarray([[2, 3], [0, 5]]), 4, 5))[..., 0]
    assert mask[0].sum() == 6 and mask[0, :2, :3].all() and not mask[1].any()
