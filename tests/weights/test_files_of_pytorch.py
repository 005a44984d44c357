"""What PyTorch saved computes here what it computes there."""

from __future__ import annotations

import pathlib
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from medsr_jax.models import build  # noqa: E402
from medsr_jax.models.vgg import DEVIATION, MEAN, VGG  # noqa: E402
from medsr_jax.weights.importing.generator import import_weights  # noqa: E402
from medsr_jax.weights.importing.vgg_weights import load_vgg  # noqa: E402

RANDOM = np.random.default_rng(0)


class DenseBlock(nn.Module):
    def __init__(self, features: Any, growth: Any) -> None:
        super().__init__()
        for i in range(1, 6):
            setattr(self, f"conv{i}", nn.Conv2d(features + (i - 1) * growth, growth if i < 5 else features, 3, 1, 1))

    def forward(self, x: Any) -> Any:
        seen = [x]
        for i in range(1, 5):
            seen.append(F.leaky_relu(getattr(self, f"conv{i}")(torch.cat(seen, 1)), 0.2))
        return x + 0.2 * self.conv5(torch.cat(seen, 1))


class Block(nn.Module):
    def __init__(self, features: Any, growth: Any) -> None:
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = (DenseBlock(features, growth) for _ in range(3))

    def forward(self, x: Any) -> Any:
        return x + 0.2 * self.rdb3(self.rdb2(self.rdb1(x)))


class RRDBNet(nn.Module):
    """Real-ESRGAN's."""

    def __init__(self, scale: Any, *, channels: Any = 3, features: Any = 8, blocks: Any = 2, growth: Any = 4) -> None:
        super().__init__()
        self.fold = 4 // scale
        self.conv_first = nn.Conv2d(channels * self.fold**2, features, 3, 1, 1)
        self.body = nn.Sequential(*(Block(features, growth) for _ in range(blocks)))
        for name in ("conv_body", "conv_up1", "conv_up2", "conv_hr"):
            setattr(self, name, nn.Conv2d(features, features, 3, 1, 1))
        self.conv_last = nn.Conv2d(features, channels, 3, 1, 1)

    def forward(self, x: Any) -> Any:
        shallow = self.conv_first(F.pixel_unshuffle(x, self.fold))
        y = shallow + self.conv_body(self.body(shallow))
        for layer in (self.conv_up1, self.conv_up2):
            y = F.leaky_relu(layer(F.interpolate(y, scale_factor=2, mode="nearest")), 0.2)
        return self.conv_last(F.leaky_relu(self.conv_hr(y), 0.2))


class Compact(nn.Module):
    """Real-ESRGAN's SRVGGNetCompact."""

    def __init__(self, scale: Any, *, channels: Any = 3, features: Any = 8, convolutions: Any = 2) -> None:
        super().__init__()
        self.scale, self.body = scale, nn.ModuleList()
        for number in range(convolutions + 1):
            self.body.append(nn.Conv2d(features if number else channels, features, 3, 1, 1))
            self.body.append(nn.PReLU(features))
        self.body.append(nn.Conv2d(features, channels * scale**2, 3, 1, 1))

    def forward(self, x: Any) -> Any:
        y = x
        for layer in self.body:
            y = layer(y)
        return F.pixel_shuffle(y, self.scale) + F.interpolate(x, scale_factor=self.scale, mode="nearest")


def randomised(net: Any) -> Any:
    """Weights that leave a mark on the output, and slopes that differ."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    return net


def assert_same_images(net: Any, path: Any, *, side: Any = 8) -> None:
    x = RANDOM.random((2, side, side + 4, 3), np.float32)
    weights = import_weights(path)
    ours = build(weights.model, weights.fields).apply({"params": weights.params}, jnp.asarray(x))
    with torch.no_grad():
        theirs = net(torch.from_numpy(x.transpose(0, 3, 1, 2))).numpy().transpose(0, 2, 3, 1)
    assert theirs.std() > 0.01
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize("scale", [4, 2, 1])
def test_rrdbnets_of_all_scales_in_a_checkpoint(tmp_path: pathlib.Path, scale: int) -> None:
    net = randomised(RRDBNet(scale))
    stale = {key: torch.zeros_like(value) for key, value in net.state_dict().items()}
    torch.save({"params": stale, "params_ema": net.state_dict()}, tmp_path / "model.pth")
    assert_same_images(net, tmp_path / "model.pth")


@pytest.mark.parametrize("scale", [4, 3])
def test_compact_networks_inside_another_module(tmp_path: pathlib.Path, scale: int) -> None:
    net = randomised(Compact(scale))
    optimizer = torch.optim.Adam(net.parameters())
    checkpoint = {"epoch": 3, "generator": nn.DataParallel(net).state_dict(), "optimizer": optimizer.state_dict()}
    torch.save(checkpoint, tmp_path / "model.pth", _use_new_zipfile_serialization=scale == 4)
    assert_same_images(net, tmp_path / "model.pth")


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_numbers_of_all_widths(tmp_path: pathlib.Path, dtype: str) -> None:
    net = randomised(RRDBNet(4, blocks=1))
    kind = getattr(torch, dtype)
    torch.save({key: value.to(kind) for key, value in net.state_dict().items()}, tmp_path / "model.pth")
    assert_same_images(net.to(kind).float(), tmp_path / "model.pth")


def test_vgg_as_torchvision_saves_it(tmp_path: pathlib.Path) -> None:
    layers, before = [], 3
    for width, count in zip((64, 128, 256, 512, 512), (2, 2, 3, 3, 3), strict=True):
        for _ in range(count):
            layers += [nn.Conv2d(before, width, 3, 1, 1), nn.ReLU()]
            before = width
        layers.append(nn.MaxPool2d(2, 2))
    net = nn.ModuleDict({"features": nn.Sequential(*layers), "classifier": nn.Linear(4, 2)})
    torch.save(net.state_dict(), tmp_path / "vgg16.pth")
    weights = load_vgg(str(tmp_path / "vgg16.pth"))
    assert weights.depth == 16
    x = RANDOM.random((1, 32, 32, 3), np.float32)
    ours = VGG(16, ("conv2_2", "conv5_3")).apply({"params": weights.params}, x)
    y = torch.from_numpy(((x - MEAN) / DEVIATION).astype(np.float32).transpose(0, 3, 1, 2))
    with torch.no_grad():
        # The convolutions before their ReLU.
        for name, end in (("conv2_2", 8), ("conv5_3", 29)):
            theirs = net["features"][:end](y).numpy().transpose(0, 2, 3, 1)
            np.testing.assert_allclose(ours[name], theirs, atol=1e-4)
