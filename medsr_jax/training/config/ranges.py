"""What values the fields of a config may have beyond their types, checked before anything is read or compiled."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from medsr_jax.errors import UsageError
from medsr_jax.transmission.downscaling import KERNELS


class Range(NamedTuple):
    """Values that a field may have.

    Attributes:
        allows: of a value that is not None.
        text: ends the sentence "VALUE is not".
    """

    allows: Callable[[Any], bool]
    text: str


def _at_least(low: int) -> Range:
    return Range(lambda value: low <= value < math.inf, f"{low} or more")


def _one_of(*names: str) -> Range:
    return Range(lambda value: value in names, f"one of {', '.join(names)}")


def _is_pair(value: Any, low: float, high: float) -> bool:
    return (
        len(value) == 2
        and all(isinstance(number, int | float) and not isinstance(number, bool) for number in value)
        and low <= value[0] <= value[1] <= high
    )


_POSITIVE = Range(lambda value: 0.0 < value < math.inf, "above 0")
_SHARE = Range(lambda value: 0.0 <= value <= 1.0, "between 0 and 1")
_PART = Range(lambda value: 0.0 < value <= 1.0, "above 0 and up to 1")
_DECAY = Range(lambda value: 0.0 <= value < 1.0, "0 or more and below 1")
_QUALITY = Range(lambda value: 1 <= value <= 100, "between 1 and 100")

RANGES: Mapping[str, Range] = {
    "seed": Range(lambda value: 0 <= value < 2**31, "between 0 and 2147483647"),
    **dict.fromkeys(("steps", "batch", "accumulate", "log_every", "validate_every"), _at_least(1)),
    **dict.fromkeys(("checkpoint_every", "keep_checkpoints", "most_skips"), _at_least(1)),
    "ema_decay": _DECAY,
    "optimizer.learning_rate": _POSITIVE,
    "optimizer.warmup": _at_least(0),
    "optimizer.final": _at_least(0),
    "optimizer.factor": _PART,
    "optimizer.b1": _DECAY,
    "optimizer.b2": _DECAY,
    "optimizer.clip_norm": _at_least(0),
    **dict.fromkeys(("objective.pixel_weight", "objective.perceptual_weight"), _at_least(0)),
    **dict.fromkeys(("objective.adversarial_weight", "objective.r1_weight"), _at_least(0)),
    "discriminator.learning_rate": _POSITIVE,
    "data.side": _at_least(1),
    "data.window": _one_of("random", "full"),
    "data.cache_gib": _POSITIVE,
    "data.threads": _at_least(0),
    "data.pair.patch": _at_least(1),
    "data.pair.scale": _at_least(1),
    "data.pair.kernel": _one_of(*KERNELS),
    "data.pair.quality": Range(lambda value: _is_pair(value, 1, 100), "two rising numbers between 1 and 100"),
    "data.pair.uncoded": _SHARE,
    "data.pair.zoom": _PART,
    "data.pair.zoomed": _SHARE,
    "data.pair.contrast": Range(lambda value: _is_pair(value, 0.0, 1e3), "two rising numbers, not negative"),
    "plateau.min_delta": _at_least(0),
    "plateau.min_scale": _SHARE,
    "early_stopping.min_delta": _at_least(0),
    "alarms.accuracy": Range(lambda value: 0.5 <= value <= 1.0, "between 0.5 and 1"),
    "alarms.deviation": _at_least(0),
    "alarms.patience": _at_least(1),
    "validation.folder": Range(bool, "the name of a folder"),
    "validation.quality": _QUALITY,
    "validation.side": _at_least(1),
    "validation.count": _at_least(1),
    "validation.pictures": _at_least(0),
}


def check_ranges(config: ConfigDict) -> None:
    """Refuse what no run can be made of.

    Raises:
        UsageError: a field is out of its range, or a list is not of the form that it needs; the field is named.
    """
    for name, allowed in RANGES.items():
        value = _value(config, name)
        if value is not None and not _holds(allowed.allows, value):
            raise UsageError(f"config.{name}: {value!r} is not {allowed.text}")
    for name, form in _FORMS.items():
        value = _value(config, name)
        if not (isinstance(value, (tuple, list)) and _holds(form.allows, value)):
            raise UsageError(f"config.{name}: {value!r} is not {form.text}")
    c = config.objective
    if not any((c.pixel_weight, c.perceptual_weight, c.adversarial_weight)):
        raise UsageError("config.objective: all weights are 0", remedy="give pixel_weight, say, 1.0")


def _holds(allows: Callable[[Any], bool], value: Any) -> bool:
    try:
        return bool(allows(value))
    except (TypeError, ValueError, IndexError):  # of another type, which is not in the range either
        return False


def _value(config: ConfigDict, name: str) -> Any:
    for part in name.split("."):
        config = config[part]
    return config


def _is_weighted(entry: Any) -> bool:
    name, weight = entry
    return isinstance(name, str) and bool(name) and isinstance(weight, int | float) and 0.0 < weight < math.inf


def _are_weighted(value: Any) -> bool:
    return len(value) > 0 and all(isinstance(entry, (tuple, list)) and _is_weighted(entry) for entry in value)


def _are_whole(value: Any, low: int) -> bool:
    return all(isinstance(number, int) and not isinstance(number, bool) and number >= low for number in value)


def _is_rising(value: Any) -> bool:
    return _are_whole(value, 1) and all(a < b for a, b in itertools.pairwise(value))


_FORMS: Mapping[str, Range] = {
    "data.folders": Range(_are_weighted, "folders with their shares above 0, such as (('data/train', 1.0),)"),
    "objective.layers": Range(_are_weighted, "layers with their weights above 0, such as (('conv3_last', 1.0),)"),
    "optimizer.milestones": Range(_is_rising, "rising numbers of updates, such as (1000, 2000)"),
    "discriminator.scales": Range(
        lambda value: len(value) > 0 and _are_whole(value, 1) and len(set(value)) == len(value),
        "different whole numbers from 1, such as (1, 2)",
    ),
}
