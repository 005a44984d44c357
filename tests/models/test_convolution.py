import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from medsr_jax.models.convolution import convolve


def plain(x, kernel):
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


@pytest.mark.parametrize(
    ("size", "c_in", "c_out"), [((3, 3), 3, 5), ((3, 3), 5, 3), ((1, 1), 4, 2), ((5, 3), 2, 3), ((2, 4), 3, 2)]
)
def test_its_gradients_are_those_of_the_plain_convolution(size, c_in, c_out):
    random = np.random.default_rng(0)
    x = jnp.asarray(random.normal(size=(2, 6, 7, c_in)), jnp.float32)
    kernel = jnp.asarray(random.normal(size=(*size, c_in, c_out)), jnp.float32)
    weight = jnp.asarray(random.normal(size=(2, 6, 7, c_out)), jnp.float32)

    def loss(convolution):
        return lambda x, kernel: (jnp.sin(convolution(x, kernel)) * weight).sum()

    if size[0] % 2 and size[1] % 2:
        ours = jax.grad(loss(convolve), argnums=(0, 1))(x, kernel)
        theirs = jax.grad(loss(plain), argnums=(0, 1))(x, kernel)
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)
    else:
        with pytest.raises(ValueError, match="odd"):
            convolve(x, kernel)
