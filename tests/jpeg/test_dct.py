"""The transform of blocks, against SciPy's."""

from __future__ import annotations

import numpy as np
import scipy.fft

from medsr_jax.jpeg.dct import block_dct_matrix, dct_matrix


def test_it_is_the_orthonormal_type_2_transform() -> None:
    block = np.random.default_rng(0).normal(size=(8, 8))
    expected = scipy.fft.dctn(block, norm="ortho")
    np.testing.assert_allclose(dct_matrix() @ block @ dct_matrix().T, expected, atol=1e-12)
    np.testing.assert_allclose((block_dct_matrix() @ block.ravel()).reshape(8, 8), expected, atol=1e-12)
