"""The RRDB generator in PyTorch, to be timed beside ours. Needs torch and numpy alone; started by benchmark scripts.

    python pytorch_rrdb.py --problem FILE.npz [--threads N]

Prints one line of JSON that says what it is and what it computed, then runs once for each line on standard input and
answers with {"seconds": ...}. Float32, channels last, oneDNN: the fastest that PyTorch has at this precision on a CPU.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable

try:
    import numpy as np
    import torch
    import torch.nn.functional as F
    from torch import nn
except ImportError as error:
    print(json.dumps({"missing": error.name}), flush=True)
    sys.exit(0)

SLOPE = 0.2
RESIDUAL = 0.2
LEARNING_RATE = 1e-4
BETAS = (0.9, 0.99)


def convolution(c_in: int, c_out: int) -> nn.Conv2d:
    return nn.Conv2d(c_in, c_out, 3, padding=1)


def leaky(x: torch.Tensor) -> torch.Tensor:
    return F.leaky_relu(x, SLOPE)


class DenseBlock(nn.Module):
    """Five convolutions, each over all features before it, and a scaled residual."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        for i in range(5):
            setattr(self, f"conv{i + 1}", convolution(features + i * growth, growth if i < 4 else features))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        seen = [x]
        for layer in (self.conv1, self.conv2, self.conv3, self.conv4):
            seen.append(leaky(layer(torch.cat(seen, 1))))
        return x + RESIDUAL * self.conv5(torch.cat(seen, 1))


class Block(nn.Module):
    """Three dense blocks and a scaled residual."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = (DenseBlock(features, growth) for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + RESIDUAL * self.rdb3(self.rdb2(self.rdb1(x)))


class RRDBNet(nn.Module):
    """Enlarges by 4: nearest x2 twice, each followed by a convolution."""

    def __init__(self, channels: int, features: int, blocks: int, growth: int) -> None:
        super().__init__()
        self.conv_first = convolution(channels, features)
        self.body = nn.Sequential(*(Block(features, growth) for _ in range(blocks)))
        self.conv_body = convolution(features, features)
        self.conv_up1 = convolution(features, features)
        self.conv_up2 = convolution(features, features)
        self.conv_hr = convolution(features, features)
        self.conv_last = convolution(features, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shallow = self.conv_first(x)
        y = shallow + self.conv_body(self.body(shallow))
        for layer in (self.conv_up1, self.conv_up2):
            y = leaky(layer(F.interpolate(y, scale_factor=2, mode="nearest")))
        return self.conv_last(leaky(self.conv_hr(y)))


def images(array: np.ndarray) -> torch.Tensor:
    """(N, H, W, C) -> (N, C, H, W), laid out channels last, in [0, 1] if it was bytes."""
    tensor = torch.from_numpy(array).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
    return tensor.float() / 255 if tensor.dtype == torch.uint8 else tensor


def forward(net: RRDBNet, x: torch.Tensor) -> tuple[Callable[[], object], dict[str, object]]:
    """Inference. Says the mean and the first values of the result, by which it is compared."""

    def run() -> torch.Tensor:
        with torch.inference_mode():
            return net(x)

    result = run().permute(0, 2, 3, 1)
    return run, {"mean": result.mean().item(), "first": result[0, 0, :4].flatten().tolist()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problem", required=True)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    problem = np.load(options.problem)
    net = RRDBNet(**json.loads(str(problem["sizes"])))
    prefix = "weights/"
    weights = {name[len(prefix) :]: problem[name] for name in problem.files if name.startswith(prefix)}
    net.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    net = net.to(memory_format=torch.channels_last)
    x = images(problem["x"])
    run, result = forward(net, x)
    about = {
        "library": f"PyTorch {torch.__version__}",
        "parameters": sum(parameter.numel() for parameter in net.parameters()),
        "threads": torch.get_num_threads(),
        **result,
    }
    print(json.dumps(about), flush=True)
    for _ in sys.stdin:
        begin = time.perf_counter()
        run()
        print(json.dumps({"seconds": time.perf_counter() - begin}), flush=True)


if __name__ == "__main__":
    main()
