"""Both stages of Real-ESRGAN's training in PyTorch, to be timed beside ours. Started by benchmark/training.py.

    python pytorch_training.py l1|gan|parts --problem FILE.npz [--threads N] [--device cuda] [--bfloat16]

A step of the first stage is forward, L1, backward, Adam and the running average. One of the second: the generator
against pixels, VGG16's features before the ReLU and a frozen discriminator; then the discriminator on the truth and on
the same output, detached. Spectral norms advance in each of the discriminator's three passes (the hook that
Real-ESRGAN uses). Float32, or with --bfloat16 its autocast; Adam fused and the average by `foreach`, which are
PyTorch's fastest; on a GPU cuDNN chooses by trying.

Prints one line of JSON: what it is, the losses of its first three steps, and which of channels last or contiguous was
faster at the start, which is kept. Then it takes a step for each line on standard input and answers with
{"seconds": ...}; for ``parts`` it takes parts of the second stage's step one by one, and says {"parts": ...} too. Needs
torch and numpy.
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
import sys
import time
from collections.abc import Callable

# That file says so and ends where one of torch and numpy is missing.
from pytorch_rrdb import BETAS, LEARNING_RATE, RRDBNet, convolution, leaky

import numpy as np  # isort: skip
import torch  # isort: skip
import torch.nn.functional as F  # isort: skip
from torch import nn  # isort: skip

DECAY, GAN_WEIGHT = 0.999, 0.1
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Convolutions of a stage and their features.
STAGES = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
LAYOUTS = {"channels last": torch.channels_last, "contiguous": torch.contiguous_format}


class UNet(nn.Module):
    """Real-ESRGAN's discriminator, one logit a pixel."""

    def __init__(self, channels: int, features: int) -> None:
        super().__init__()

        def spectral(c_in: int, c_out: int, *, down: bool = False) -> nn.Module:
            layer = nn.Conv2d(c_in, c_out, 4 if down else 3, stride=2 if down else 1, padding=1, bias=False)
            return nn.utils.spectral_norm(layer)

        f = features
        self.conv0 = convolution(channels, f)
        self.conv1, self.conv2, self.conv3 = (spectral(f * n, 2 * f * n, down=True) for n in (1, 2, 4))
        self.conv4, self.conv5, self.conv6 = (spectral(2 * f * n, f * n) for n in (4, 2, 1))
        self.conv7, self.conv8 = spectral(f, f), spectral(f, f)
        self.conv9 = convolution(f, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        encoded = [leaky(self.conv0(x))]
        for layer in (self.conv1, self.conv2, self.conv3):
            encoded.append(leaky(layer(encoded[-1])))
        y = encoded.pop()
        for layer in (self.conv4, self.conv5, self.conv6):
            y = F.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False)
            y = leaky(layer(y)) + encoded.pop()
        return self.conv9(leaky(self.conv8(leaky(self.conv7(y)))))


class VGG(nn.Module):
    """VGG16 up to its last convolution: features before the ReLU, by name."""

    def __init__(self, wanted: set[str]) -> None:
        super().__init__()
        self.wanted = wanted
        c_in = 3
        for stage, (count, features) in enumerate(STAGES, 1):
            for i in range(1, count + 1):
                setattr(self, f"conv{stage}_{i}", convolution(c_in, features))
                c_in = features
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION)[:, None, None], persistent=False)

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        y = (images.expand(-1, 3, -1, -1) - self.mean) / self.deviation
        found = {}
        for stage, (count, _) in enumerate(STAGES, 1):
            y = F.max_pool2d(y, 2) if stage > 1 else y
            for i in range(1, count + 1):
                name = f"conv{stage}_{i}"
                y = getattr(self, name)(y)
                if name in self.wanted:
                    found[name] = y
                y = F.relu(y)
        return found


class Training:
    """The networks of a problem, in one memory layout on one device, and the steps on its batch."""

    def __init__(
        self, problem: dict[str, np.ndarray], what: str, layout: torch.memory_format, device: str, bfloat16: bool
    ) -> None:
        self.autocast = torch.autocast(device, torch.bfloat16, enabled=bfloat16)
        sizes = json.loads(str(problem["sizes"]))
        self.layers: dict[str, float] = sizes.get("layers", {})

        def built(net: nn.Module, prefix: str) -> nn.Module:
            weights = {name[len(prefix) :]: problem[name] for name in problem if name.startswith(prefix)}
            net.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in weights.items()})
            return net.to(device, memory_format=layout)

        def adam(net: nn.Module) -> torch.optim.Adam:
            return torch.optim.Adam(net.parameters(), lr=LEARNING_RATE, betas=BETAS, fused=True)

        self.generator = built(RRDBNet(**sizes["generator"]), "generator/")
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        self.by_generator = adam(self.generator)
        if what != "l1":
            self.discriminator = built(UNet(**sizes["discriminator"]), "discriminator/")
            self.by_discriminator = adam(self.discriminator)
            self.features = built(VGG(set(self.layers)), "vgg/").requires_grad_(False)
        self.bytes = [torch.from_numpy(problem[name]).permute(0, 3, 1, 2).to(device) for name in ("lr", "hr")]
        self.layout = layout
        self.step = self.l1 if what == "l1" else self.gan

    def batch(self) -> list[torch.Tensor]:
        return [(part.float() / 255).contiguous(memory_format=self.layout) for part in self.bytes]

    def l1(self) -> list[float]:
        lr, hr = self.batch()
        self.by_generator.zero_grad(set_to_none=True)
        with self.autocast:
            loss = F.l1_loss(self.generator(lr), hr)
        loss.backward()
        self.by_generator.step()
        self.track()
        return [loss.item()]

    def gan(self) -> list[float]:
        lr, hr = self.batch()
        self.discriminator.requires_grad_(False)
        self.by_generator.zero_grad(set_to_none=True)
        with self.autocast:
            output = self.generator(lr)
            loss = F.l1_loss(output, hr) + self.perceptual(output, hr)
            loss = loss + GAN_WEIGHT * game(self.discriminator(output), real=True)
        loss.backward()
        self.by_generator.step()

        self.discriminator.requires_grad_(True)
        self.by_discriminator.zero_grad(set_to_none=True)
        with self.autocast:
            real = game(self.discriminator(hr), real=True)
        real.backward()
        with self.autocast:
            fake = game(self.discriminator(output.detach()), real=False)
        fake.backward()
        self.by_discriminator.step()
        self.track()
        return [loss.item(), real.item() + fake.item()]

    def perceptual(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        ours, theirs = self.features(output), self.features(target)
        return sum(weight * F.l1_loss(ours[name], theirs[name]) for name, weight in self.layers.items())

    @torch.no_grad()
    def track(self) -> None:
        torch._foreach_lerp_(list(self.average.parameters()), list(self.generator.parameters()), 1 - DECAY)

    def parts(self) -> dict[str, Callable[[], object]]:
        """Parts of the second stage by themselves, named as ours are."""
        lr, hr = self.batch()
        output = self.generator(lr).detach()

        def generator() -> None:
            self.generator.zero_grad(set_to_none=True)
            self.generator(lr).backward(output)

        def by_input(loss: Callable[[torch.Tensor], torch.Tensor]) -> None:
            self.discriminator.requires_grad_(False)
            loss(output.clone().requires_grad_(True)).backward()

        def discriminator() -> None:
            self.discriminator.requires_grad_(True)
            self.discriminator.zero_grad(set_to_none=True)
            game(self.discriminator(hr), real=True).backward()
            game(self.discriminator(output), real=False).backward()

        return {
            "generator, forward and backward": generator,
            "features of both, and back to one": lambda: by_input(lambda x: self.perceptual(x, hr)),
            "discriminator, and back to its input": lambda: by_input(lambda x: game(self.discriminator(x), real=True)),
            "discriminator on both, and back to its weights": discriminator,
        }


def game(logits: torch.Tensor, *, real: bool) -> torch.Tensor:
    labels = torch.ones_like(logits) if real else torch.zeros_like(logits)
    return F.binary_cross_entropy_with_logits(logits, labels)


def seconds_of(run: Callable[[], object]) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("l1", "gan", "parts"))
    parser.add_argument("--problem", required=True)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--bfloat16", action="store_true")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.backends.cudnn.benchmark = True
    problem = dict(np.load(options.problem))
    trainings = {
        name: Training(problem, options.what, layout, options.device, options.bfloat16)
        for name, layout in LAYOUTS.items()
    }
    losses = {name: [training.step() for _ in range(3)] for name, training in trainings.items()}
    warm = {name: statistics.median(seconds_of(one.step) for _ in range(3)) for name, one in trainings.items()}
    best = min(warm, key=lambda name: warm[name])
    training = trainings[best]
    about = {
        "library": f"PyTorch {torch.__version__}, {best}",
        "threads": torch.get_num_threads(),
        "losses": losses[best],
        "layouts": warm,
    }
    del trainings, problem
    print(json.dumps(about), flush=True)
    for _ in sys.stdin:
        if options.what == "parts":
            parts = {name: seconds_of(run) for name, run in training.parts().items()}
            print(json.dumps({"seconds": sum(parts.values()), "parts": parts}), flush=True)
        else:
            print(json.dumps({"seconds": seconds_of(training.step)}), flush=True)


if __name__ == "__main__":
    main()
