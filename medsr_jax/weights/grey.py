"""Convert a colour model into an exactly equivalent grayscale one, which costs a third less at its ends."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from medsr_jax.errors import MedsrError
from medsr_jax.weights.model_file import Weights


def for_grey(weights: Weights) -> Weights:
    """The one-channel network whose output for x is the mean of the colour network's output for (x, x, x).

    Exact, since both ends are linear: the first kernel is summed over the input channels, and the last one averaged
    over the output channels. Models of one channel are returned unchanged.

    Raises:
        MedsrError: the model has several channels, and its first and last layers are not known.
    """
    channels = weights.fields.get("channels", 1)
    if channels == 1:
        return weights
    ends = _ENDS.get(weights.model)
    if ends is None or weights.fields.get("out_channels") not in (None, channels):
        raise MedsrError(
            f"{weights.model} of {channels} channels can't be converted to grayscale",
            path=weights.path,
            remedy="name a grayscale model",
        )
    params = dict(weights.params)
    first, last = ends(params)
    params[first] = _summed(params[first], channels)
    params[last] = _averaged(params[last], channels)
    fields = {**weights.fields, "channels": 1}
    fields.pop("out_channels", None)
    note = f"converted from {channels} channels to grayscale: the mean of its output channels"
    return dataclasses.replace(weights, fields=fields, params=params, card={**weights.card, "channels": note})


# The names of the first and of the last convolution.
_ENDS = {
    "rrdbnet": lambda _: ("conv_first", "conv_last"),
    "srvgg": lambda _: ("conv_first", "conv_last"),
}


def _summed(layer: dict[str, Any], channels: int) -> dict[str, Any]:
    """Inputs are ordered by colour, with the pixels that were folded into them inside (models/shuffling.py)."""
    rows, columns, c, d = layer["kernel"].shape
    kernel = layer["kernel"].reshape(rows, columns, channels, c // channels, d).sum(2, dtype=np.float64)
    return {**layer, "kernel": kernel.astype(np.float32)}


def _averaged(layer: dict[str, Any], channels: int) -> dict[str, Any]:
    """Outputs are ordered by colour, with the pixels that they unfold to inside."""
    return {
        name: leaf.reshape(*leaf.shape[:-1], channels, -1).mean(-2, dtype=np.float64).astype(np.float32)
        for name, leaf in layer.items()
    }
