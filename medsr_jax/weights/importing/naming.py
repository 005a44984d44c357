"""Map PyTorch tensor names to Flax parameter paths.

RRDBNet has three naming schemes: ESRGAN's first code (``model.1.sub.0.RDB1.conv1.0.weight``), its later one
(``RRDB_trunk.0.RDB1.conv1.weight``), and BasicSR (``body.0.rdb1.conv1.weight``), whose names Flax parameters have here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# An index that our parameters hold as one slice of a stack.
Path = tuple[str, int | None]

_BLOCK = r"\.(\d{1,4})\.(?:rdb|RDB)([123])\.conv([1-5])(?:\.0)?"
_RRDB_BLOCKS = re.compile(rf"(?:body|RRDB_trunk|model\.1\.sub){_BLOCK}")
_RRDB_ENDS = {
    "conv_first": ("conv_first", "model.0"),
    "conv_body": ("conv_body", "trunk_conv"),
    "conv_up1": ("conv_up1", "upconv1", "model.3"),
    "conv_up2": ("conv_up2", "upconv2", "model.6"),
    "conv_hr": ("conv_hr", "HRconv", "model.8"),
    "conv_last": ("conv_last", "model.10"),
}
_TRUNK = re.compile(r"model\.1\.sub\.(\d{1,4})")
_SEQUENTIAL = re.compile(r"body\.(\d{1,4})")
_LEAVES = {"weight": "kernel", "bias": "bias"}
_UNET = re.compile(r"(conv\d)\.(.+)")
# Spectral normalisation has two sets of names: of torch.nn.utils, which the published discriminators have, and of its
# later parametrizations.
_UNET_LEAVES = {
    "weight": ("params", "kernel"),
    "bias": ("params", "bias"),
    "weight_orig": ("params", "kernel"),
    "weight_u": ("batch_stats", "u"),
    "weight_v": ("batch_stats", "v"),
    "parametrizations.weight.original": ("params", "kernel"),
    "parametrizations.weight.0._u": ("batch_stats", "u"),
    "parametrizations.weight.0._v": ("batch_stats", "v"),
}


def is_generator(names: Iterable[str]) -> bool:
    """Whether the names are those of a known generator."""
    names = list(names)
    return is_rrdbnet(names) or is_srvgg(names)


def is_rrdbnet(names: Iterable[str]) -> bool:
    """Whether the names hold a block of RRDBs."""
    return any(_RRDB_BLOCKS.match(name) for name in names)


def is_srvgg(names: Iterable[str]) -> bool:
    """Whether the names are those of one sequence of layers, and no more."""
    names = list(names)
    return bool(names) and all(re.fullmatch(rf"{_SEQUENTIAL.pattern}\.(weight|bias)", name) for name in names)


def rrdbnet_path(name: str) -> Path | None:
    """``body.7.rdb2.conv3.weight`` -> ("body/rdb2/conv3/kernel", 7); None for any other name."""
    layer, _, leaf = name.rpartition(".")
    if leaf not in _LEAVES:
        return None
    if block := _RRDB_BLOCKS.fullmatch(layer):
        number, rdb, conv = block.groups()
        return f"body/rdb{rdb}/conv{conv}/{_LEAVES[leaf]}", int(number)
    if _TRUNK.fullmatch(layer):
        return f"conv_body/{_LEAVES[leaf]}", None
    ours = next((ours for ours, theirs in _RRDB_ENDS.items() if layer in theirs), None)
    return None if ours is None else (f"{ours}/{_LEAVES[leaf]}", None)


def srvgg_path(name: str, *, convolutions: int) -> Path | None:
    """``body.0.weight`` is the first convolution, ``body.1.weight`` its slopes, and so on in turns."""
    layer, _, leaf = name.rpartition(".")
    match = _SEQUENTIAL.fullmatch(layer)
    if match is None or leaf not in _LEAVES:
        return None
    number = int(match[1])
    if number == 2 * convolutions + 2:
        return f"conv_last/{_LEAVES[leaf]}", None
    if number % 2:
        if leaf != "weight":
            return None
        return ("act_first/weight", None) if number == 1 else ("body/act/weight", number // 2 - 1)
    return (f"conv_first/{_LEAVES[leaf]}", None) if number == 0 else (f"body/conv/{_LEAVES[leaf]}", number // 2 - 1)


def is_unet(names: Iterable[str]) -> bool:
    """Whether the names are those of a U-Net discriminator."""
    return {"conv0.weight", "conv9.weight"} <= set(names)


def unet_path(name: str) -> tuple[str, str] | None:
    """``conv3.weight_u`` -> ("batch_stats", "conv3/u"): the collection and the path in it."""
    match = _UNET.fullmatch(name)
    if match is None or match[2] not in _UNET_LEAVES:
        return None
    collection, leaf = _UNET_LEAVES[match[2]]
    return collection, f"{match[1]}/{leaf}"


def described(names: Iterable[str]) -> str:
    """A description of tensors that are no generator's, for a message."""
    names = list(names)
    has = set(names)
    if is_unet(has):
        return "a U-Net discriminator"
    if "linear1.weight" in has and "conv0_0.weight" in has:
        return "a VGG-style discriminator"
    if "features.0.weight" in has or any(name.startswith("classifier.") for name in names):
        return "a classifier such as VGG, which belongs in config.objective.features"
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return f"{len(names)} tensors, {shown}" if names else "no tensor"
