"""Blobs without a counterpart: those added are counted, those of the original are not."""

from __future__ import annotations

import numpy as np
import pytest

from medsr_jax.evaluation.studies.blobs import false_blobs
from medsr_jax.imaging.lesions import MASS, Lesion, insert

LESION = Lesion(8, 12, MASS)


@pytest.fixture
def plain() -> np.ndarray:
    """Patches of smooth tissue."""
    slope = np.add.outer(np.arange(49), 2 * np.arange(49)) / 4 + 80
    return np.stack([slope, slope.T, slope[::-1]]).astype(np.uint8)


def with_blob(patches: np.ndarray, contrast: float) -> np.ndarray:
    return np.stack([insert(patch, Lesion(8, contrast, MASS), [(24, 22)]) for patch in patches])


@pytest.mark.parametrize("sign", [1, -1])
def test_an_added_blob_is_counted_once_whatever_its_sign(plain: np.ndarray, sign: int) -> None:
    assert false_blobs(with_blob(plain, sign * 12), plain, LESION)[0] == 3


def test_a_blob_of_the_original_is_none_of_the_methods(plain: np.ndarray) -> None:
    assert false_blobs(with_blob(plain, 12), with_blob(plain, 12), LESION)[0] == 0
    assert false_blobs(with_blob(plain, 14), with_blob(plain, 8), LESION)[0] == 0


def test_a_blob_of_the_other_sign_is_no_counterpart(plain: np.ndarray) -> None:
    assert false_blobs(with_blob(plain, 12), with_blob(plain, -12), LESION)[0] == 3


def test_a_blob_of_less_than_half_the_contrast_is_not_counted(plain: np.ndarray) -> None:
    assert false_blobs(with_blob(plain, 4), plain, LESION)[0] == 0


def test_all_pixels_but_a_margin_are_searched(plain: np.ndarray) -> None:
    assert false_blobs(plain, plain, LESION) == (0, 3 * 37 * 37)


def test_patches_smaller_than_the_filter_are_refused(plain: np.ndarray) -> None:
    with pytest.raises(ValueError, match="too small"):
        false_blobs(plain, plain, Lesion(40, 2, MASS))
