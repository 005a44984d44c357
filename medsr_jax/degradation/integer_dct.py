"""The forward DCT in libjpeg's whole numbers.

An encoder rounds its coefficients to eighths before it quantises them, so a coefficient often lies exactly between two
steps, and an exact transform takes the other one for every fiftieth pixel or so. The factors are those of Loeffler,
Ligtenberg and Moschytz (ICASSP 1989) in 13-bit fixed point, as libjpeg's accurate integer method has them.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

_CONSTANT_BITS = 13
# The first pass keeps this many bits of fraction for the second.
_FRACTION_BITS = 2


def integer_dct(blocks: jax.Array) -> jax.Array:
    """Coefficients of (..., 8, 8) whole numbers from -128 to 127, in levels, rounded to eighths.

    Scaled as the orthonormal DCT-II, [..., 0, 0] the mean times 8.
    """
    matrix = jnp.asarray(_factors(), blocks.dtype)
    first, second = _CONSTANT_BITS - _FRACTION_BITS, _CONSTANT_BITS + _FRACTION_BITS
    rows = _descaled(jnp.einsum("...yx,ux->...yu", blocks, matrix, precision="highest"), first)
    columns = _descaled(jnp.einsum("...yu,vy->...vu", rows, matrix, precision="highest"), second)
    return columns / 8.0


def _descaled(x: jax.Array, bits: int) -> jax.Array:
    return jnp.floor((x + 2 ** (bits - 1)) / 2**bits)


def _factors() -> np.ndarray:
    """(8 frequencies, 8 pixels): sqrt(8) times the orthonormal DCT-II, times 2^13, as the flow graph sums it up."""
    pixels = np.eye(8)
    sums, differences = (pixels[:4] + pixels[:3:-1], pixels[:4] - pixels[:3:-1])
    outer, inner = sums[0] - sums[3], sums[1] - sums[2]
    d0, d1, d2, d3 = differences
    turn = _fixed(0.541196100) * (outer + inner)
    all_odd = _fixed(1.175875602) * (d0 + d1 + d2 + d3)
    z1, z2 = _fixed(0.899976223) * (d0 + d3), _fixed(2.562915447) * (d1 + d2)
    z3 = all_odd - _fixed(1.961570560) * (d1 + d3)
    z4 = all_odd - _fixed(0.390180644) * (d0 + d2)
    return np.stack(
        [
            _fixed(1.0) * sums.sum(axis=0),
            _fixed(1.501321110) * d0 - z1 + z4,
            turn + _fixed(0.765366865) * outer,
            _fixed(3.072711026) * d1 - z2 + z3,
            _fixed(1.0) * (sums[0] - sums[1] - sums[2] + sums[3]),
            _fixed(2.053119869) * d2 - z2 + z4,
            turn - _fixed(1.847759065) * inner,
            _fixed(0.298631336) * d3 - z1 + z3,
        ]
    )


def _fixed(x: float) -> int:
    result: int = round(x * 2**_CONSTANT_BITS)
    return result
