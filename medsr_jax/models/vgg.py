"""VGG's convolutional features (Simonyan and Zisserman, arXiv 1409.1556), taken before the ReLU.

ESRGAN (arXiv 1809.00219, section 3.2) compares images there, where more of the features are alive than after it.
"""

from __future__ import annotations

from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from medsr_jax.models.convolution import convolve, kernel_and_bias

# 3x3 convolutions of each stage, and their features; a 2x2 maximum lies between the stages.
STAGES: dict[int, tuple[int, ...]] = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
WIDTHS = (64, 128, 256, 512, 512)

# The mean and the deviation of ImageNet's red, green and blue in [0, 1], with which the weights were trained.
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


class VGG(nn.Module):
    """The features of the named layers. Its parameters are constants: no gradient flows to them.

    None is computed for them either. `convolution.convolve` states both gradients of a convolution, but JAX drops the
    filter's, of which nothing depends, when it lowers the jitted program.

    Attributes:
        depth: 16 or 19.
        layers: names such as ``conv3_3``: the third convolution of the third stage. Nothing after the last is computed.
        normalise: subtract ImageNet's mean and divide by its deviation; False for images that are ready.
        dtype: the type computed in; parameters and the result are float32.
    """

    depth: int = 19
    layers: tuple[str, ...] = ("conv1_2", "conv2_2", "conv3_4", "conv4_4", "conv5_4")
    normalise: bool = True
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array) -> dict[str, jax.Array]:
        """Features of images.

        Args:
            images: (N, H, W, 3) or (N, H, W, 1), which stands for three equal channels; in [0, 1] if ``normalise``.
                H and W are at least 2 for each stage before the last layer's.

        Returns:
            For each layer (N, H / 2^(stage - 1), W / 2^(stage - 1), features), sides rounded down.
        """
        chex.assert_rank(images, 4)
        names = layer_names(self.depth)
        if unknown := [name for name in self.layers if name not in names]:
            raise ValueError(f"VGG{self.depth} has no layer {unknown[0]!r}; it has {', '.join(names)}")
        if images.shape[-1] not in (1, 3):
            raise ValueError(f"VGG sees 1 or 3 channels, not {images.shape[-1]}")
        x = jnp.broadcast_to(images, (*images.shape[:3], 3))
        x = ((x - MEAN) / DEVIATION if self.normalise else x).astype(self.dtype)
        features: dict[str, jax.Array] = {}
        deepest = max(names.index(name) for name in self.layers)
        for name in names[: deepest + 1]:
            stage = int(name[4])
            if stage > 1 and name.endswith("_1"):
                x = max_pool(x)
            x = _FrozenConv(WIDTHS[stage - 1], self.dtype, name=name)(x)
            if name in self.layers:
                features[name] = x.astype(jnp.float32)
            x = nn.relu(x)
        return features


class _FrozenConv(nn.Module):
    """`convolution.Conv` with constants."""

    features: int
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel, bias = jax.lax.stop_gradient(kernel_and_bias(self, x.shape[-1], self.features))
        return convolve(x, kernel.astype(self.dtype)) + bias.astype(self.dtype)


def max_pool(x: jax.Array) -> jax.Array:
    """(N, H, W, C) -> (N, H // 2, W // 2, C): the largest of each 2x2; an odd last row or column is dropped."""
    n, h, w, c = x.shape
    # Not `nn.max_pool`, whose gradient is four times slower on a CPU.
    return x[:, : h // 2 * 2, : w // 2 * 2].reshape(n, h // 2, 2, w // 2, 2, c).max((2, 4))


def layer_names(depth: int) -> tuple[str, ...]:
    """All convolutions of VGG16 or VGG19 in order: ``conv1_1``, ``conv1_2``, ``conv2_1``, ..."""
    return tuple(f"conv{stage}_{i}" for stage, count in enumerate(STAGES[depth], 1) for i in range(1, count + 1))
