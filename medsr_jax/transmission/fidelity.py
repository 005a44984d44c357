"""One meaning of quality for all codecs: quality q is the fidelity that a JPEG of quality q has for the same image.

Each encoder has a scale of its own (libjpeg's q, a PSNR to meet, AV1's quantiser), and one number on it is another
fidelity for each image: at q 60 a JPEG has 37 dB of one radiograph and 47 dB of another. So the small image is coded as
JPEG, that PSNR is measured, and the encoder is set to reach it. Above quality 95, where a JPEG's eight bits end, deep
codes go on, to 65.75 dB at 100.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from medsr_jax.transmission.codecs import CODECS, Codec

_LOWEST, _HIGHEST = 1, 100
_EIGHT_BITS_END, _FINEST = 95, 65.75
# Decibels from the target within which a search ends: a step of the AVIF encoder is about twice as much.
_CLOSE, _DECIBELS_A_STEP, _TRIES, _FIRST = 0.15, 0.2, 8, 60
_FLAWLESS = 100.0


@dataclasses.dataclass(frozen=True)
class Coded:
    """The image in a codec.

    Attributes:
        stream: the code stream.
        decibels: its PSNR with the codes' full range as peak, at most 100.
    """

    stream: bytes
    decibels: float


class Fidelity:
    """The fidelity of one small image in JPEG and in other codecs, measured on demand, once.

    Args:
        small: (rows, columns) codes, uint8 or uint16; of the latter JPEG is given the upper eight bits.

    Attributes:
        small: as given.
    """

    def __init__(self, small: np.ndarray) -> None:
        self._deep = small.dtype != np.uint8
        self.small = small
        self._in_eight_bits = small / np.float32(257) if self._deep else small
        self._for_jpeg = np.rint(self._in_eight_bits).astype(np.uint8)
        self._jpegs: dict[int, Coded] = {}
        self._tried: dict[str, dict[float, Coded]] = {}

    def decibels(self, quality: int) -> float:
        """The PSNR in dB that a quality stands for."""
        if self._deep and quality > _EIGHT_BITS_END:
            share = (quality - _EIGHT_BITS_END) / (_HIGHEST - _EIGHT_BITS_END)
            start = self._jpeg(_EIGHT_BITS_END).decibels
            return start + share * max(_FINEST - start, 0.0)
        return self._jpeg(quality).decibels

    def _jpeg(self, quality: int) -> Coded:
        if quality not in self._jpegs:
            stream = CODECS["jpeg"].encode(self._for_jpeg, quality)
            # Against the deep codes: what eight bits can't hold is JPEG's error too.
            decibels = _decibels(CODECS["jpeg"].decode(stream), self._in_eight_bits, peak=255)
            self._jpegs[quality] = Coded(stream, decibels)
        return self._jpegs[quality]

    def quality_of(self, codec: Codec, setting: float, stream: bytes) -> int:
        """The quality, 1..100, that comes nearest in PSNR to a code stream of the image, made with a setting."""
        if codec.name == "jpeg":
            return int(setting)
        decibels = _decibels(codec.decode(stream, self.small.shape), self.small, peak=np.iinfo(self.small.dtype).max)
        low, high = _LOWEST, _HIGHEST
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.decibels(middle) <= decibels else (low, middle)
        return min((low, high), key=lambda quality: abs(self.decibels(quality) - decibels))

    def setting(self, codec: Codec, quality: int) -> float:
        """What a codec must be set to, 1..100 on its own scale, for a quality."""
        if codec.name == "jpeg" or quality == _HIGHEST:
            return quality
        target = self.decibels(quality)
        if codec.setting_of is None:
            return self._searched(codec, target)
        # Encoders stop a little short of the PSNR that they are given (0.7 dB at most seen): what is missing is added.
        first = codec.setting_of(target)
        missing = target - self._try(codec, first).decibels
        return codec.setting_of(target + missing) if _CLOSE < missing < _FLAWLESS - target else first

    def stream(self, codec: Codec, quality: int) -> bytes:
        """The code stream of a quality; one that was measured is not coded again."""
        if codec.name == "jpeg" and quality not in self._jpegs:
            return CODECS["jpeg"].encode(self._for_jpeg, quality)
        return self.coded(codec, quality).stream

    def coded(self, codec: Codec, quality: int) -> Coded:
        """The image in a codec at a quality; coded once."""
        if codec.name == "jpeg":
            return self._jpeg(quality)
        return self._try(codec, self.setting(codec, quality))

    def _try(self, codec: Codec, setting: float) -> Coded:
        tried = self._tried.setdefault(codec.name, {})
        if setting not in tried:
            stream = codec.encode(self.small, setting)
            peak = np.iinfo(self.small.dtype).max
            tried[setting] = Coded(stream, _decibels(codec.decode(stream, self.small.shape), self.small, peak=peak))
        return tried[setting]

    def _searched(self, codec: Codec, target: float) -> int:
        """The integer setting whose PSNR is nearest to a target: by linear interpolation and bisection."""
        known = {int(setting): coded.decibels for setting, coded in self._tried.get(codec.name, {}).items()}
        found = known | {_LOWEST - 1: -math.inf, _HIGHEST + 1: math.inf}
        for attempt in range(_TRIES):
            low = max(setting for setting in found if found[setting] < target)
            high = min(setting for setting in found if setting > low and found[setting] >= target)
            if high - low <= 1 or min(abs(found[low] - target), abs(found[high] - target)) < _CLOSE:
                break
            # Lines alone would creep up where one end is the leap to lossless coding.
            guess = (low + high) // 2 if attempt % 2 else _guess(found, target, low, high)
            setting = min(max(guess, low + 1), high - 1)
            found[setting] = self._try(codec, setting).decibels
        return min(found, key=lambda setting: abs(found[setting] - target))


def _guess(found: dict[int, float], target: float, low: int, high: int) -> int:
    if math.isfinite(found[low]) and math.isfinite(found[high]):
        return round(low + (target - found[low]) / (found[high] - found[low]) * (high - low))
    known = low if math.isfinite(found[low]) else high
    return round(known + (target - found[known]) / _DECIBELS_A_STEP) if math.isfinite(found[known]) else _FIRST


def _decibels(decoded: np.ndarray, truth: np.ndarray, *, peak: float) -> float:
    error = float(np.mean(np.square(np.subtract(decoded, truth, dtype=np.float32)), dtype=np.float64))
    return _FLAWLESS if error == 0 else min(10 * math.log10(peak**2 / error), _FLAWLESS)
