"""Losses against their formulas, by NumPy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medsr_jax.training.steps import adversarial, losses
from medsr_jax.training.steps.adversarial import ADVERSARIAL, r1
from medsr_jax.training.steps.objective import Objective, discriminator_loss, generator_loss, restoration_loss

REAL = jnp.array([[2.0, -1.0], [0.5, 3.0]])
FAKE = jnp.array([[-1.0, 0.5], [1.0, -2.0]])


def softplus(x: jax.Array) -> np.ndarray:
    return np.log1p(np.exp(np.asarray(x)))


def test_vanilla_is_cross_entropy() -> None:
    losses_of = ADVERSARIAL["vanilla"]
    assert float(losses_of.generator(REAL, FAKE, None)) == pytest.approx(softplus(-FAKE).mean(), rel=1e-6)
    expected = softplus(-REAL).mean() + softplus(FAKE).mean()
    assert float(losses_of.discriminator(REAL, FAKE, None)) == pytest.approx(expected, rel=1e-6)


def test_hinge_is_flat_beyond_its_margin() -> None:
    losses_of = ADVERSARIAL["hinge"]
    assert float(losses_of.generator(REAL, FAKE, None)) == pytest.approx(-FAKE.mean())
    expected = np.maximum(0, 1 - REAL).mean() + np.maximum(0, 1 + FAKE).mean()
    assert float(losses_of.discriminator(REAL, FAKE, None)) == pytest.approx(expected)


def test_relativistic_compares_with_the_mean_of_the_other() -> None:
    losses_of = ADVERSARIAL["relativistic"]
    real, fake = REAL - FAKE.mean(), FAKE - REAL.mean()
    expected = 0.5 * (softplus(-real).mean() + softplus(fake).mean())
    assert float(losses_of.discriminator(REAL, FAKE, None)) == pytest.approx(expected, rel=1e-6)
    expected = 0.5 * (softplus(real).mean() + softplus(-fake).mean())
    assert float(losses_of.generator(REAL, FAKE, None)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", ADVERSARIAL)
@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_losses_and_gradients_of_four_devices_shares_average_to_those_of_the_batch(name: str, network: str) -> None:
    """The relativistic losses compare with a mean over all devices, to which each contributes."""
    random = np.random.default_rng(0)
    real, fake = (jnp.asarray(random.normal(0, 2, (4, 2, 3)), jnp.float32) for _ in range(2))
    loss = getattr(ADVERSARIAL[name], network)
    whole, gradient = jax.value_and_grad(loss, argnums=1)(real.reshape(8, 3), fake.reshape(8, 3), None)

    @functools.partial(jax.pmap, axis_name="devices")
    def share(real: jax.Array, fake: jax.Array, weight: jax.Array) -> tuple[jax.Array, jax.Array]:
        """As a step takes it: the mean over devices of the gradient of a parameter that all logits share."""
        value, slope = jax.value_and_grad(lambda weight: loss(real, weight * fake, "devices"))(weight)
        return jax.lax.pmean(value, "devices"), jax.lax.pmean(slope, "devices")

    values, slopes = share(real, fake, jnp.ones(4))
    np.testing.assert_allclose(values, whole, rtol=1e-5)
    np.testing.assert_allclose(slopes, (gradient * fake.reshape(8, 3)).sum(), rtol=1e-4)


def test_a_wider_gap_lowers_the_discriminators_loss_and_raises_the_generators() -> None:
    for name, losses_of in ADVERSARIAL.items():
        near, far = ((jnp.full((4, 1), gap), jnp.full((4, 1), -gap), None) for gap in (0.1, 0.5))
        assert losses_of.discriminator(*far) < losses_of.discriminator(*near), name
        assert losses_of.generator(*far) > losses_of.generator(*near), name


def test_r1_is_half_the_squared_gradient() -> None:
    images = jnp.asarray(np.random.default_rng(0).random((3, 4, 4, 1)), jnp.float32)
    expected = 0.5 * (4 * np.square(images)).sum((1, 2, 3)).mean()
    assert float(r1(lambda x: jnp.square(x).sum((1, 2, 3)), images)) == pytest.approx(float(expected), rel=1e-5)


def test_perceptual_sums_the_layers_with_their_weights() -> None:
    a = {"one": jnp.zeros((1, 2, 2, 3)), "two": jnp.zeros((1, 1, 1, 5))}
    b = {"one": a["one"] + 1.0, "two": a["two"] - 3.0}
    assert float(losses.perceptual(a, b, {"one": 0.1, "two": 2.0})) == pytest.approx(0.1 + 6.0)
    assert float(losses.perceptual(a, b, {"two": 1.0})) == pytest.approx(3.0)


@pytest.fixture
def objective() -> Objective:
    return Objective(
        pixel=losses.l1,
        pixel_weight=0.5,
        features=lambda constants, images: {"mean": constants * images.mean((1, 2), keepdims=True)},
        constants=4.0,
        layer_weights={"mean": 2.0},
        perceptual_weight=3.0,
        adversarial=ADVERSARIAL["vanilla"],
        adversarial_weight=0.1,
    )


def test_the_objective_is_the_weighted_sum_of_its_terms(objective: Objective) -> None:
    prediction, target = jnp.zeros((2, 4, 4, 1)), jnp.full((2, 4, 4, 1), 0.25)
    loss, terms = restoration_loss(objective, prediction, target, constants=4.0)
    assert float(terms["pixel"]) == pytest.approx(0.25)
    assert float(terms["perceptual"]) == pytest.approx(2.0)
    assert float(loss) == pytest.approx(0.5 * 0.25 + 3.0 * 2.0)
    logits = {"real": [REAL, REAL], "fake": [FAKE, FAKE]}
    whole, terms = generator_loss(objective, prediction, target, constants=4.0, axis=None, **logits)
    assert float(whole) == pytest.approx(float(loss) + 0.1 * softplus(-FAKE).mean(), rel=1e-6)


def test_no_gradient_reaches_the_target(objective: Objective) -> None:
    def loss(target: jax.Array) -> jax.Array:
        return restoration_loss(objective, jnp.zeros((1, 4, 4, 1)), target, constants=4.0)[0]

    gradient = jax.grad(loss)(jnp.full((1, 4, 4, 1), 0.25))
    # Of the pixel loss alone: features of the target are constants.
    np.testing.assert_allclose(gradient, 0.5 / 16, rtol=1e-6)


def test_accuracy_is_the_mean_over_real_and_fake(objective: Objective) -> None:
    _, terms = discriminator_loss(objective, real=[REAL], fake=[FAKE], axis=None)
    assert float(terms["accuracy"]) == pytest.approx(0.5 * (3 / 4 + 2 / 4))
    assert adversarial.ADVERSARIAL["relativistic"].relativistic
