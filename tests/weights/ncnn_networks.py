"""Tiny generators as files of ncnn's, written line by line."""

from __future__ import annotations

from typing import Any

import numpy as np

FLOAT16, FLOAT32 = 0x01306B47, 0


class Writer:
    """Collects layers and their numbers."""

    def __init__(self, *, seed: Any = 0, half: Any = False) -> None:
        self.random, self.half = np.random.default_rng(seed), half
        self.lines, self.numbers, self.blobs = [], b"", 0
        self.names, self.tensors = iter(()), {}

    def layer(self, kind: Any, inputs: Any, *settings: Any, outputs: Any = 1) -> Any:
        first = self.blobs + 1
        self.blobs += outputs
        made = [str(number) for number in range(first, self.blobs + 1)]
        name = f"{kind}_{len(self.lines)}"
        self.lines.append(" ".join([kind, name, str(len(inputs)), str(outputs), *inputs, *made, *settings]))
        return made[0] if outputs == 1 else made

    def convolution(self, x: Any, c: Any, d: Any, *, slope: Any = None) -> Any:
        weight = self.random.normal(0, 0.3 / np.sqrt(c), (d, c, 3, 3)).astype(np.float16 if self.half else np.float32)
        bias = self.random.normal(0, 0.05, d).astype(np.float32)
        data = weight.tobytes()
        self.numbers += (FLOAT16 if self.half else FLOAT32).to_bytes(4, "little") + data + b"\0" * (-len(data) % 4)
        self.numbers += bias.tobytes()
        name = next(self.names)
        self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"] = weight.astype(np.float32), bias
        activation = [] if slope is None else ["9=2", f"-23310=1,{slope:e}"]
        return self.layer("Convolution", [x], f"0={d}", "1=3", "4=1", "5=1", f"6={weight.size}", *activation)

    def prelu(self, x: Any, d: Any) -> Any:
        slopes = self.random.uniform(0.1, 0.5, d).astype(np.float32)
        self.numbers += slopes.tobytes()
        self.tensors[f"{next(self.names)}.weight"] = slopes
        return self.layer("PReLU", [x], f"0={d}")

    def add(self, x: Any, y: Any, factor: Any) -> Any:
        """factor x + y."""
        return self.layer("Eltwise", [x, y], "0=1", f"-23301=2,{factor:e},1.0")

    def save(self, folder: Any, name: Any = "model") -> str:
        lines = ["7767517", f"{len(self.lines)} {self.blobs}", *self.lines]
        (folder / f"{name}.param").write_text("\n".join(lines) + "\n")
        (folder / f"{name}.bin").write_bytes(self.numbers)
        return folder / f"{name}.param"


def rrdbnet(
    *,
    channels: Any = 3,
    features: Any = 6,
    growth: Any = 4,
    blocks: Any = 2,
    half: Any = False,
    residual: Any = 0.2,
    seed: Any = 0,
) -> Any:
    """An RRDBNet of scale 4."""
    w = Writer(half=half, seed=seed)
    inner = [f"body.{b}.rdb{r}.conv{c}" for b in range(blocks) for r in (1, 2, 3) for c in range(1, 6)]
    w.names = iter(["conv_first", *inner, "conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last"])
    shallow = x = w.convolution(w.layer("Input", []), channels, features)
    for _ in range(blocks):
        start = x
        for _ in range(3):
            seen = [x]
            for i in range(4):
                joined = w.layer("Concat", seen, "0=0") if i else x
                seen.append(w.convolution(joined, features + i * growth, growth, slope=0.2))
            last = w.convolution(w.layer("Concat", seen, "0=0"), features + 4 * growth, features)
            x = w.add(last, x, residual)
        x = w.add(x, start, 0.2)
    x = w.layer("BinaryOp", [shallow, w.convolution(x, features, features)], "0=0")
    for _ in range(2):
        x = w.convolution(w.layer("Interp", [x], "0=1", "1=2.0", "2=2.0"), features, features, slope=0.2)
    w.convolution(w.convolution(x, features, features, slope=0.2), features, channels)
    return w


def srvgg(
    *,
    channels: Any = 3,
    features: Any = 6,
    convolutions: Any = 2,
    scale: Any = 2,
    half: Any = False,
    shrink: Any = None,
) -> Any:
    """An SRVGGNetCompact; ``shrink`` resizes its result, as some published files do."""
    w = Writer(half=half)
    w.names = iter([f"body.{number}" for number in range(2 * convolutions + 3)])
    x, skip = w.layer("Split", [w.layer("Input", [])], outputs=2)
    for number in range(convolutions + 1):
        x = w.prelu(w.convolution(x, features if number else channels, features), features)
    x = w.layer("PixelShuffle", [w.convolution(x, features, channels * scale**2)], f"0={scale}")
    base = w.layer("Interp", [skip], "0=1", f"1={float(scale)}", f"2={float(scale)}")
    x = w.layer("BinaryOp", [x, base], "0=0")
    if shrink is not None:
        w.layer("Interp", [x], "0=3", f"1={shrink:e}", f"2={shrink:e}")
    return w
