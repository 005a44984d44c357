"""The same networks written in PyTorch, with the same random weights."""

from __future__ import annotations

import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch.nn.utils import spectral_norm  # noqa: E402

from medsr_jax.models import UNetDiscriminator, VGGStyleDiscriminator  # noqa: E402
from medsr_jax.models.vgg import DEVIATION, MEAN, STAGES, VGG, WIDTHS, layer_names  # noqa: E402
from medsr_jax.weights.importing.discriminator import load_unet  # noqa: E402

RANDOM = np.random.default_rng(0)


def kernel_of(weight: Any) -> Any:
    """PyTorch's (D, C, rows, columns) as (rows, columns, C, D)."""
    return jnp.asarray(weight.detach().numpy().transpose(2, 3, 1, 0))


def nhwc(tensor: Any) -> Any:
    return tensor.detach().numpy().transpose(0, 2, 3, 1)


def nchw(array: Any) -> Any:
    return torch.from_numpy(np.ascontiguousarray(array.transpose(0, 3, 1, 2)))


class UNet(nn.Module):
    def __init__(self, channels: Any, features: Any) -> None:
        super().__init__()
        f = features
        self.conv0 = nn.Conv2d(channels, f, 3, padding=1)
        widths = [
            (f, 2 * f),
            (2 * f, 4 * f),
            (4 * f, 8 * f),
            (8 * f, 4 * f),
            (4 * f, 2 * f),
            (2 * f, f),
            (f, f),
            (f, f),
        ]
        for i, (before, after) in enumerate(widths, 1):
            shape = {"kernel_size": 4, "stride": 2} if i < 4 else {"kernel_size": 3}
            setattr(self, f"conv{i}", spectral_norm(nn.Conv2d(before, after, **shape, padding=1, bias=False)))
        self.conv9 = nn.Conv2d(f, 1, 3, padding=1)

    def forward(self, x: Any) -> Any:
        def layer(i: Any, x: Any) -> Any:
            return F.leaky_relu(getattr(self, f"conv{i}")(x), 0.2)

        def enlarged(x: Any) -> Any:
            return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)

        x0 = layer(0, x)
        x1 = layer(1, x0)
        x2 = layer(2, x1)
        y = layer(4, enlarged(layer(3, x2))) + x2
        y = layer(5, enlarged(y)) + x1
        y = layer(6, enlarged(y)) + x0
        return self.conv9(layer(8, layer(7, y)))


def test_the_unet_discriminator_over_training_passes_gradients_and_evaluation(tmp_path: pathlib.Path) -> None:
    net = UNet(3, 4)
    torch.save({"params": net.state_dict()}, tmp_path / "netD.pth")
    weights = load_unet(tmp_path / "netD.pth")
    ours, variables = UNetDiscriminator(**weights.fields), weights.variables
    x = RANDOM.random((2, 16, 24, 3)).astype(np.float32)
    weight = RANDOM.normal(size=(2, 16, 24, 1)).astype(np.float32)

    def passes(params: Any) -> tuple[Any, ...]:
        first, state = ours.apply({**variables, "params": params}, x, train=True, mutable=["batch_stats"])
        second, state = ours.apply({**state, "params": params}, x, train=True, mutable=["batch_stats"])
        return (second * weight).sum(), (first, second, state)

    gradient, (first, second, state) = jax.jit(jax.grad(passes, has_aux=True))(variables["params"])
    net.train()
    np.testing.assert_allclose(first, nhwc(net(nchw(x))), atol=1e-4)
    logits = net(nchw(x))
    np.testing.assert_allclose(second, nhwc(logits), atol=1e-4)
    (logits * nchw(weight)).sum().backward()
    for i in range(10):
        layer = getattr(net, f"conv{i}")
        theirs = layer.weight if i in (0, 9) else layer.weight_orig
        np.testing.assert_allclose(gradient[f"conv{i}"]["kernel"], kernel_of(theirs.grad), rtol=1e-3, atol=1e-4)
    net.eval()
    with torch.no_grad():  # an update, which an evaluation has to see
        net.conv4.weight_orig *= 2.0
        net.conv4.weight_orig += 0.05
    changed = {**variables["params"], "conv4": {"kernel": kernel_of(net.conv4.weight_orig)}}
    np.testing.assert_allclose(ours.apply({**state, "params": changed}, x), nhwc(net(nchw(x))), atol=1e-4)


class VGGStyle(nn.Module):
    def __init__(self, channels: Any, features: Any, side: Any) -> None:
        super().__init__()
        self.stages = nn.ModuleDict()
        before = channels
        for stage in range(5):
            after = features * min(2**stage, 8)
            for half, (size, stride) in enumerate(((3, 1), (4, 2))):
                plain = stage + half == 0
                self.stages[f"conv{stage}_{half}"] = nn.Conv2d(before, after, size, stride, 1, bias=plain)
                if not plain:
                    self.stages[f"bn{stage}_{half}"] = nn.BatchNorm2d(after)
                before = after
        self.linear1 = nn.Linear(before * (side // 32) ** 2, 100)
        self.linear2 = nn.Linear(100, 1)

    def forward(self, x: Any) -> Any:
        for name in (f"{stage}_{half}" for stage in range(5) for half in range(2)):
            x = self.stages[f"conv{name}"](x)
            x = self.stages[f"bn{name}"](x) if f"bn{name}" in self.stages else x
            x = F.leaky_relu(x, 0.2)
        return self.linear2(F.leaky_relu(self.linear1(x.flatten(1)), 0.2))


def test_the_vgg_style_discriminator_in_training() -> None:
    side, features = 64, 4
    net = VGGStyle(3, features, side).train()
    ours = VGGStyleDiscriminator(features=features, side=side, axis_name=None)
    x = RANDOM.random((4, side, side, 3)).astype(np.float32)
    variables = ours.init(jax.random.key(0, impl="rbg"), x)
    params = dict(variables["params"])
    for name, layer in net.stages.items():
        if name.startswith("conv"):
            bias = {} if layer.bias is None else {"bias": jnp.asarray(layer.bias.detach().numpy())}
            params[name] = {"kernel": kernel_of(layer.weight), **bias}
    for name in ("linear1", "linear2"):
        layer = getattr(net, name)
        kernel = layer.weight.detach().numpy()
        if name == "linear1":  # PyTorch flattens channels first
            kernel = kernel.reshape(100, 8 * features, side // 32, side // 32).transpose(0, 2, 3, 1).reshape(100, -1)
        params[name] = {"kernel": jnp.asarray(kernel.T), "bias": jnp.asarray(layer.bias.detach().numpy())}
    logits, state = ours.apply({**variables, "params": params}, x, train=True, mutable=["batch_stats"])
    np.testing.assert_allclose(logits, net(nchw(x)).detach().numpy(), atol=1e-4)
    for name, layer in net.stages.items():
        if name.startswith("bn"):
            np.testing.assert_allclose(state["batch_stats"][name]["mean"], layer.running_mean.numpy(), atol=1e-4)


def pytorch_features(params: Any, x: Any, depth: Any) -> Any:
    """VGG's convolutions before their ReLU, by name, with torchvision's maxima."""
    features = {}
    for stage, count in enumerate(STAGES[depth], 1):
        for i in range(1, count + 1):
            name = f"conv{stage}_{i}"
            kernel, bias = (torch.from_numpy(params[name][leaf]) for leaf in ("kernel", "bias"))
            features[name] = F.conv2d(x, kernel.permute(3, 2, 0, 1), bias, padding=1)
            x = F.relu(features[name])
        x = F.max_pool2d(x, 2, 2)
    return features


@pytest.mark.parametrize("depth", [16, 19])
def test_vgg_s_features_before_the_relu_and_their_gradient(depth: int) -> None:
    layers = ("conv1_2", "conv2_2", "conv3_4" if depth == 19 else "conv3_3", "conv5_1")
    params, before = {}, 3
    for name in layer_names(depth):
        after = WIDTHS[int(name[4]) - 1]
        kernel = RANDOM.normal(0, np.sqrt(2 / (9 * before)), (3, 3, before, after))
        params[name] = {"kernel": kernel, "bias": RANDOM.normal(0, 0.1, after)}
        before = after
    x = RANDOM.random((1, 35, 32, 3))

    def total(x: Any) -> tuple[Any, ...]:
        features = VGG(depth, layers, dtype=jnp.float64).apply({"params": params}, x)
        return sum(jnp.sin(leaf).mean() for leaf in features.values()), features

    # In float64, since among so many features one is within float32's error of a ReLU's kink.
    with jax.enable_x64(True):
        gradient, features = jax.device_get(jax.jit(jax.grad(total, has_aux=True))(x))
    theirs = nchw(x).requires_grad_()
    mean, deviation = (torch.from_numpy(v)[:, None, None] for v in (MEAN, DEVIATION))
    expected = pytorch_features(params, (theirs - mean) / deviation, depth)
    assert list(features) == list(layers)
    for name in layers:
        np.testing.assert_allclose(features[name], nhwc(expected[name]), atol=1e-5)
    sum(expected[name].sin().mean() for name in layers).backward()
    np.testing.assert_allclose(gradient, nhwc(theirs.grad), atol=1e-7)
    assert np.abs(gradient).max() > 1e-4
