from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from medsr_jax.models.spectral import SpectralConv, power_iteration, spectral_norm

KEY = jax.random.key(0, impl="rbg")
X = jnp.asarray(np.random.default_rng(0).normal(size=(2, 8, 8, 3)), jnp.float32)


def matrix_and_directions() -> Any:
    random = np.random.default_rng(1)
    shapes = ((12, 5), (5,), (12,))
    return [jnp.asarray(random.normal(size=shape), jnp.float32) for shape in shapes]


def test_power_iterations_end_at_the_first_singular_vectors() -> None:
    matrix, u, _ = matrix_and_directions()
    for _ in range(100):
        u, v = power_iteration(matrix, u)
    left, values, right = np.linalg.svd(np.asarray(matrix))
    np.testing.assert_allclose(spectral_norm(matrix, u, v), values[0], rtol=1e-5)
    np.testing.assert_allclose(abs(left[:, 0] @ v), 1.0, atol=1e-5)
    np.testing.assert_allclose(abs(right[0] @ u), 1.0, atol=1e-5)


def test_the_gradient_of_the_norm_holds_the_vectors_constant() -> None:
    matrix, u, _ = matrix_and_directions()

    def norm(matrix: Any) -> Any:
        return spectral_norm(matrix, *power_iteration(matrix, u))

    new_u, v = power_iteration(matrix, u)
    np.testing.assert_allclose(jax.grad(norm)(matrix), np.outer(v, new_u), atol=1e-6)


def test_a_pass_in_training_moves_the_state_by_one_iteration_and_one_in_evaluation_does_not() -> None:
    layer = SpectralConv(5, 4, 2)
    variables = layer.init(KEY, X, train=True)
    kernel, state = variables["params"]["kernel"], variables["batch_stats"]
    _, changed = layer.apply(variables, X, train=True, mutable=["batch_stats"])
    u, v = power_iteration(kernel.reshape(-1, 5), state["u"])
    np.testing.assert_array_equal(changed["batch_stats"]["u"], u)
    np.testing.assert_array_equal(changed["batch_stats"]["v"], v)
    _, same = layer.apply(variables, X, train=False, mutable=["batch_stats"])
    np.testing.assert_array_equal(same["batch_stats"]["u"], state["u"])


def test_the_kernel_s_length_does_not_matter() -> None:
    layer = SpectralConv(5)
    variables = layer.init(KEY, X, train=False)
    longer = {**variables, "params": {"kernel": 7.0 * variables["params"]["kernel"]}}
    np.testing.assert_allclose(layer.apply(variables, X, train=False), layer.apply(longer, X, train=False), atol=1e-5)
