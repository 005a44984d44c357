"""The VGG-style discriminator of SRGAN (arXiv 1609.04802, section 2.1.2) with ESRGAN's widths (arXiv 1809.00219)."""

from __future__ import annotations

from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from medsr_jax.models.convolution import PYTORCH_SCALE, Conv
from medsr_jax.models.rrdb import leaky

STAGES = 5


class VGGStyleDiscriminator(nn.Module):
    """One realness value for an image of a fixed size. Layers carry the reference's names, conv0_0 to linear2.

    Five stages of a 3x3 convolution and a 4x4 one with stride 2, then two linear layers. Normalised over the batch,
    except the first layer. State is in ``batch_stats``, which a training pass needs to be mutable.

    Attributes:
        channels: of the images.
        features: of the first stage, 64 in the published one; each stage doubles them, up to eight times as many.
        side: of the images, 128 in the published one; the first linear layer depends on it.
        axis_name: the mapped axis over which a batch is spread, for its mean and variance; None outside `jax.pmap`.
        dtype: the type computed in; parameters, state and the result are float32.
    """

    channels: int = 3
    features: int = 64
    side: int = 128
    axis_name: str | None = "devices"
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        """Judge images.

        Args:
            x: (N, side, side, channels) in [0, 1].
            train: normalise with this batch's statistics, and fold them into the running ones.

        Returns:
            (N, 1) logits.
        """
        chex.assert_rank(x, 4)
        if self.side % 2**STAGES:
            raise ValueError(f"side {self.side} is not a multiple of {2**STAGES}")
        if x.shape[1:] != (self.side, self.side, self.channels):
            expected = f"{self.side}x{self.side} with {self.channels} channels"
            raise ValueError(f"this discriminator judges images of {expected}, not {x.shape[1:]}; set its side")

        y = x.astype(self.dtype)
        for stage in range(STAGES):
            features = self.features * min(2**stage, 8)
            for half, (size, stride) in enumerate(((3, 1), (4, 2))):
                normalised = stage + half > 0
                name = f"{stage}_{half}"
                y = Conv(
                    features,
                    size=size,
                    stride=stride,
                    use_bias=not normalised,
                    scale=PYTORCH_SCALE,
                    dtype=self.dtype,
                    name=f"conv{name}",
                )(y)
                y = leaky(self._batch_norm(f"bn{name}", train=train)(y) if normalised else y)
        y = y.reshape(y.shape[0], -1)
        y = leaky(self._dense(100, "linear1")(y))
        return self._dense(1, "linear2")(y).astype(jnp.float32)

    def _batch_norm(self, name: str, *, train: bool) -> nn.BatchNorm:
        # Linen's running variance is the batch's own; PyTorch's is n / (n - 1) times that, which is read in
        # evaluation alone.
        return nn.BatchNorm(
            use_running_average=not train,
            momentum=0.9,
            epsilon=1e-5,
            axis_name=self.axis_name,
            dtype=self.dtype,
            name=name,
        )

    def _dense(self, features: int, name: str) -> nn.Dense:
        initial = nn.initializers.variance_scaling(2.0 * PYTORCH_SCALE**2, "fan_in", "normal")
        return nn.Dense(features, kernel_init=initial, dtype=self.dtype, name=name)
