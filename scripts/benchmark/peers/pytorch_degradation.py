"""Real-ESRGAN's high-order degradation in PyTorch, to be timed beside ours. Started by benchmark/degradation.py.

    python pytorch_degradation.py --problem FILE.npz [--threads N] [--sharpen]

Works as that training does: kernels for each sample are made outside (a data loader's workers make them, so they are
not timed); which way a resize goes, its scale and method, Gaussian or Poisson noise, the second blur and the order of
the last steps are drawn once for a batch; strengths and qualities for each sample. Blurs are grouped convolutions,
resizes `interpolate`, JPEG a differentiable one of unrounded tables, on luminance alone where images are grey.

Prints one line of JSON about itself, then runs a batch for each line on standard input and answers with
{"seconds": ..., "ops": {...}}. Needs torch and numpy.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

try:
    import numpy as np
    import torch
    import torch.nn.functional as F
except ImportError as error:
    print(json.dumps({"missing": error.name}), flush=True)
    sys.exit(0)

SUPPORT = 21
LUMINANCE = [
    [16, 11, 10, 16, 24, 40, 51, 61],
    [12, 12, 14, 19, 26, 58, 60, 55],
    [14, 13, 16, 24, 40, 57, 69, 56],
    [14, 17, 22, 29, 51, 87, 80, 62],
    [18, 22, 37, 56, 68, 109, 103, 77],
    [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101],
    [72, 92, 95, 98, 112, 100, 103, 99],
]
CHROMINANCE = np.full((8, 8), 99.0)
CHROMINANCE[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]
TO_YCBCR = torch.tensor([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
TO_RGB = torch.linalg.inv(TO_YCBCR)
_SECONDS: dict[str, float] = {}


@contextmanager
def timed(op: str) -> Iterator[None]:
    begin = time.perf_counter()
    yield
    _SECONDS[op] = _SECONDS.get(op, 0.0) + time.perf_counter() - begin


def bessel_j1(x: np.ndarray) -> np.ndarray:
    """By its integral, (1 / pi) int cos(t - x sin t) dt: slow, but not timed."""
    t = (np.arange(400) + 0.5) * math.pi / 400
    return np.cos(t - x[..., None] * np.sin(t)).mean(axis=-1)


def sinc(size: int, cutoff: float) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - size // 2
    radius = np.hypot(y, x)
    away = np.where(radius > 0, radius, 1.0)
    kernel = np.where(radius > 0, cutoff * bessel_j1(cutoff * away) / (2 * math.pi * away), cutoff**2 / (4 * math.pi))
    return padded(kernel)


def padded(kernel: np.ndarray) -> np.ndarray:
    return np.pad(kernel / kernel.sum(), (SUPPORT - len(kernel)) // 2)


def blur_kernel(sigma: tuple[float, float]) -> np.ndarray:
    size = random.choice(range(7, SUPPORT + 1, 2))
    if random.random() < 0.1:
        return sinc(size, random.uniform(math.pi / 3 if size < 13 else math.pi / 5, math.pi))
    form, skewed = random.choices(
        [("bell", 0), ("bell", 1), ("generalised", 0), ("generalised", 1), ("plateau", 0), ("plateau", 1)],
        [0.45, 0.25, 0.12, 0.03, 0.12, 0.03],
    )[0]
    first = random.uniform(*sigma)
    second, angle = (random.uniform(*sigma), random.uniform(-math.pi, math.pi)) if skewed else (first, 0.0)
    low, high = (0.5, 4.0) if form == "generalised" else (1.0, 2.0)
    beta = random.uniform(low, 1.0) if random.random() < 0.5 else random.uniform(1.0, high)
    y, x = np.mgrid[:size, :size] - size // 2
    along, across = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    m = (along / first) ** 2 + (across / second) ** 2
    if form == "bell":
        return padded(np.exp(-0.5 * m))
    return padded(np.exp(-0.5 * m**beta) if form == "generalised" else 1 / (1 + m**beta))


def identity() -> np.ndarray:
    kernel = np.zeros((SUPPORT, SUPPORT))
    kernel[SUPPORT // 2, SUPPORT // 2] = 1
    return kernel


def kernels(n: int) -> list[torch.Tensor]:
    """First blur, second blur, last sinc of a batch."""
    first = [blur_kernel((0.2, 3.0)) for _ in range(n)]
    second = [blur_kernel((0.2, 1.5)) for _ in range(n)]
    last = [
        sinc(random.choice(range(7, SUPPORT + 1, 2)), random.uniform(math.pi / 3, math.pi))
        if random.random() < 0.8
        else identity()
        for _ in range(n)
    ]
    return [torch.from_numpy(np.stack(group)).float() for group in (first, second, last)]


def filter2d(image: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Each sample with its own kernel, or all with the one."""
    n, c, h, w = image.shape
    k = kernel.shape[-1]
    image = F.pad(image, [k // 2] * 4, mode="reflect")
    if len(kernel) == 1:
        return F.conv2d(image.reshape(n * c, 1, *image.shape[2:]), kernel[None]).reshape(n, c, h, w)
    weight = kernel[:, None].repeat(1, c, 1, 1).reshape(n * c, 1, k, k)
    return F.conv2d(image.reshape(1, n * c, *image.shape[2:]), weight, groups=n * c).reshape(n, c, h, w)


def sharpened(image: torch.Tensor) -> torch.Tensor:
    offsets = torch.arange(51) - 25.0
    taps = torch.exp(-0.5 * (offsets / 8.0) ** 2)
    taps = taps / taps.sum()
    kernel = torch.outer(taps, taps)[None]
    detail = image - filter2d(image, kernel)
    mask = filter2d((detail.abs() * 255 > 10).float(), kernel)
    return mask * torch.clamp(image + 0.5 * detail, 0, 1) + (1 - mask) * image


def draw_scale(shares: list[float], up: float, down: float) -> float:
    way = random.choices(["up", "down", "keep"], shares)[0]
    return random.uniform(1, up) if way == "up" else random.uniform(down, 1) if way == "down" else 1.0


def draw_method() -> str:
    return random.choice(["area", "bilinear", "bicubic"])


def gaussian_noise(image: torch.Tensor, strongest: float) -> torch.Tensor:
    n = len(image)
    sigma = (torch.rand(n, 1, 1, 1) * (strongest - 1) + 1) / 255
    grey = (torch.rand(n, 1, 1, 1) < 0.4).float()
    noise = torch.randn_like(image) * sigma
    if grey.sum() > 0:
        noise = noise * (1 - grey) + torch.randn(n, 1, *image.shape[2:]) * sigma * grey
    return torch.clamp(image + noise, 0, 1)


def poisson_residual(image: torch.Tensor) -> torch.Tensor:
    image = torch.clamp((image * 255).round(), 0, 255) / 255
    levels = [len(torch.unique(sample)) for sample in image]
    photons = torch.tensor([2.0 ** math.ceil(math.log2(count)) for count in levels])[:, None, None, None]
    return torch.poisson(image * photons) / photons - image


def poisson_noise(image: torch.Tensor, strongest: float) -> torch.Tensor:
    n = len(image)
    scale = torch.rand(n, 1, 1, 1) * (strongest - 0.05) + 0.05
    grey = (torch.rand(n, 1, 1, 1) < 0.4).float()
    noise = poisson_residual(image)
    if grey.sum() > 0:
        luma = (
            image if image.shape[1] == 1 else (image * torch.tensor([0.2989, 0.587, 0.114])[:, None, None]).sum(1, True)
        )
        noise = noise * (1 - grey) + poisson_residual(luma) * grey
    return torch.clamp(image + noise * scale, 0, 1)


def noise(image: torch.Tensor, sigma: float, scale: float) -> torch.Tensor:
    return gaussian_noise(image, sigma) if random.random() < 0.5 else poisson_noise(image, scale)


def coded(plane: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """(N, H, W) levels about zero through the 8x8 transform and its quantisation."""
    n, h, w = plane.shape
    blocks = plane.reshape(n, h // 8, 8, w // 8, 8).permute(0, 1, 3, 2, 4).reshape(n, -1, 64)
    steps = table.reshape(n, 1, 64)
    blocks = torch.round(blocks @ DCT.T / steps) * steps @ DCT
    return blocks.reshape(n, h // 8, w // 8, 8, 8).permute(0, 1, 3, 2, 4).reshape(n, h, w)


def jpeg(image: torch.Tensor) -> torch.Tensor:
    n, c, h, w = image.shape
    quality = torch.rand(n) * 65 + 30
    factor = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)[:, None, None] / 100
    image = torch.clamp(image, 0, 1) * 255
    image = F.pad(image, [0, -w % 16, 0, -h % 16])
    if c == 1:
        image = coded(image[:, 0] - 128, factor * torch.tensor(LUMINANCE))[:, None] + 128
    else:
        ycbcr = torch.tensordot(image.permute(0, 2, 3, 1), TO_YCBCR.T, 1)
        y = coded(ycbcr[..., 0] - 128, factor * torch.tensor(LUMINANCE)) + 128
        chroma = []
        for plane in (ycbcr[..., 1], ycbcr[..., 2]):
            half = F.avg_pool2d(plane[:, None], 2)[:, 0]
            half = coded(half, factor * torch.from_numpy(CHROMINANCE).float())
            chroma.append(half.repeat_interleave(2, 1).repeat_interleave(2, 2))
        image = torch.tensordot(torch.stack([y, *chroma], -1), TO_RGB.T, 1).permute(0, 3, 1, 2)
    return torch.clamp(image, 0, 255)[:, :, :h, :w] / 255


def degraded(image: torch.Tensor, blurs: list[torch.Tensor], sharpen: bool) -> torch.Tensor:
    """(N, C, H, W) in [0, 1] -> (N, C, H / 4, W / 4) of whole levels."""
    rows, columns = image.shape[2] // 4, image.shape[3] // 4
    first, second, last = blurs
    if sharpen:
        with timed("sharpen"):
            image = sharpened(image)
    with timed("blur_1"):
        image = filter2d(image, first)
    with timed("resize_1"):
        image = F.interpolate(image, scale_factor=draw_scale([0.2, 0.7, 0.1], 1.5, 0.15), mode=draw_method())
    with timed("noise_1"):
        image = noise(image, 30, 3)
    with timed("jpeg_1"):
        image = jpeg(image)
    if random.random() < 0.8:
        with timed("blur_2"):
            image = filter2d(image, second)
    with timed("resize_2"):
        scale = draw_scale([0.3, 0.4, 0.3], 1.2, 0.3)
        image = F.interpolate(image, size=(int(rows * scale), int(columns * scale)), mode=draw_method())
    with timed("noise_2"):
        image = noise(image, 25, 2.5)
    with timed("finish"):
        jpeg_first = random.random() < 0.5
        image = jpeg(image) if jpeg_first else image
        image = filter2d(F.interpolate(image, size=(rows, columns), mode=draw_method()), last)
        image = image if jpeg_first else jpeg(image)
        return torch.clamp((image * 255).round(), 0, 255) / 255


def dct() -> torch.Tensor:
    k, n = np.indices((8, 8))
    basis = np.cos(math.pi * (2 * n + 1) * k / 16) * np.where(k == 0, math.sqrt(1 / 8), 0.5)
    return torch.from_numpy(np.kron(basis, basis)).float()


DCT = dct()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problem", required=True, help="an npz with hr, uint8 (N, H, W, C)")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--sharpen", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    random.seed(options.seed)
    torch.manual_seed(options.seed)
    hr = torch.from_numpy(np.load(options.problem)["hr"]).permute(0, 3, 1, 2).contiguous().float() / 255

    with torch.inference_mode():
        small = F.interpolate(hr, scale_factor=0.25, mode="area")
        error = [
            (degraded(hr, kernels(len(hr)), options.sharpen) - small).square().mean().sqrt().item() for _ in range(8)
        ]
        about = {
            "library": f"PyTorch {torch.__version__}",
            "threads": torch.get_num_threads(),
            "error": sum(error) / len(error),
        }
        print(json.dumps(about), flush=True)
        for _ in sys.stdin:
            blurs = kernels(len(hr))
            _SECONDS.clear()
            begin = time.perf_counter()
            degraded(hr, blurs, options.sharpen)
            print(json.dumps({"seconds": time.perf_counter() - begin, "ops": _SECONDS}), flush=True)


if __name__ == "__main__":
    main()
