"""The choices of a sender, checked in this one place. Imports neither NumPy nor a codec."""

from __future__ import annotations

import dataclasses
import math

from medsr_jax.errors import ParameterError
from medsr_jax.transmission.ceilings import RATIOS

AUTO = "auto"
SCALES = range(1, 9)
QUALITIES = range(1, 101)
KERNELS = ("area", "bicubic", "lanczos")
CODECS = ("jpeg", "jpeg2000", "avif", "vvc")
WINDOWS = ("data", "full")
HEADERS = ("all", "minimal")
CONTAINERS = ("standard", "thin")
THIN_SUFFIX = ".medsr"
EFFORTS = ("fast", "normal", "thorough")

Window = str | tuple[float, float]


@dataclasses.dataclass(frozen=True, kw_only=True)
class SendingOptions:
    """How an image is sent.

    Attributes:
        scale: 1..8, how many times fewer rows and columns are sent. "auto" is 4; with a budget, the one that gives the
            least error (`budget.best_scale`).
        quality: 1..100, the fidelity of a JPEG of that quality, whatever the codec (`fidelity`); or "auto": 50..75 by
            the image's content (`quality.choose_quality`).
        codec: "jpeg", "jpeg2000", "avif" or "vvc". "auto" is "jpeg", and "jpeg2000" for several DICOM frames of more
            than 8 bits; with a budget, the one that gives the least error (`budget.codec_for`).
        max_bytes: a budget for the packet's whole file: the best quality that fits replaces `quality`. None for none.
        ratio: a compression ratio as (0028,2112) counts it (`Packet.ratio`), or a name of `ceilings.RATIOS`: the result
            has that ratio or a little less, whatever `quality` is. None for none. Not together with `max_bytes`.
        effort: the encoder's, where it has a choice (AV1, VVC) and a budget or ratio is given: "fast", "normal" or
            "thorough" (`av1_rate.pace_of`, `vvc_rate.pace_of`).
        preprocess: smooth images that are dark or noisy; others are never touched.
        kernel: of the downscaling (`downscale`): "area", "bicubic" or "lanczos".
        window: the stored values that are mapped to the range of the codes (`mapping.choose_window`): "data", "full",
            (low, high), or None for "full" at 8 bits and "data" above.
        headers: of DICOM: "all" attributes are sent, or the "minimal" ones (`headers.MODULES`).
        container: "standard", a file that any viewer opens, or "thin", the fewest bytes. "auto" is thin with a budget
            and standard without.

    Raises:
        ParameterError: a value is none of these.
    """

    scale: int | str | None = AUTO
    quality: int | str = AUTO
    codec: str | None = AUTO
    max_bytes: int | None = None
    ratio: float | str | None = None
    effort: str = EFFORTS[1]
    preprocess: bool = True
    kernel: str = KERNELS[0]
    window: Window | None = None
    headers: str = HEADERS[0]
    container: str = AUTO

    def __post_init__(self) -> None:
        for name in ("scale", "codec"):  # None is another way to write "auto"
            object.__setattr__(self, name, AUTO if getattr(self, name) is None else getattr(self, name))
        _check_number("scale", self.scale, SCALES)
        _check_number("quality", self.quality, QUALITIES)
        _check_choice("codec", self.codec, (AUTO, *CODECS))
        _check_choice("kernel", self.kernel, KERNELS)
        _check_choice("headers", self.headers, HEADERS)
        _check_choice("container", self.container, (AUTO, *CONTAINERS))
        if self.max_bytes is not None and self.max_bytes < 1:
            raise ParameterError("max_bytes", f"must be a number of bytes from 1 up, not {self.max_bytes}")
        _check_choice("effort", self.effort, EFFORTS)
        if self.ratio is not None:
            number = self.ratio_number
            if number is None or not 1 <= number < math.inf:
                names = ", ".join(RATIOS)
                raise ParameterError("ratio", f"must be {names} or a number from 1 up, not {self.ratio}")
            if self.max_bytes is not None:
                raise ParameterError("ratio", "contradicts a budget of bytes", remedy="give one of them")
        check_window(self.window)
        if self.codec == "avif" and not has_avif():
            raise ParameterError("codec", "avif is not part of Pillow here", remedy="choose jpeg or jpeg2000")
        if self.codec == "vvc":
            from medsr_jax.transmission.vvc import has_vvc

            if not has_vvc():
                raise ParameterError(
                    "codec", "vvc needs ffmpeg with libvvenc", remedy="install imageio-ffmpeg, or choose another"
                )

    @property
    def thin(self) -> bool:
        """Whether packets are thin."""
        return self.container == "thin" or (self.container == AUTO and self.max_bytes is not None)

    @property
    def ratio_number(self) -> float | None:
        """The ratio as a number; None where none is given, or no such name."""
        return RATIOS.get(self.ratio) if isinstance(self.ratio, str) else self.ratio


def check_window(window: Window | None) -> None:
    """Refuse what is no window.

    Raises:
        ParameterError: it is neither a name of `WINDOWS` nor two finite, rising numbers.
    """
    if window is None or window in WINDOWS:
        return
    if isinstance(window, str) or len(window) != 2:
        raise ParameterError("window", f"must be {', '.join(WINDOWS)} or LOW:HIGH, not {window}")
    low, high = window
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ParameterError("window", f"must go from a lower to a higher value, not from {low:g} to {high:g}")


def has_avif() -> bool:
    """Whether Pillow was built with AVIF, which some distributions leave out."""
    from PIL import features

    return bool(features.check("avif"))


def _check_number(name: str, value: object, allowed: range) -> None:
    if value != AUTO and (isinstance(value, (str, float)) or value not in allowed):
        raise ParameterError(name, f"must be auto or an integer from {allowed[0]} to {allowed[-1]}, not {value}")


def _check_choice(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ParameterError(name, f"must be one of {', '.join(allowed)}, not {value}")
