"""The shapes of a generator's parameters.

`jax.eval_shape` of a module's ``init`` gives them, but its tracing takes a quarter of a second of each start of a
receiver. So the usual generators' are written out, and a test compares them with the traced ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from medsr_jax.errors import MedsrError
from medsr_jax.jpeg.dct import BLOCK
from medsr_jax.models import build
from medsr_jax.models.conditions import CONDITIONS
from medsr_jax.models.rrdb import DENSE_CONVOLUTIONS
from medsr_jax.weights.parameters import flatten

Shapes = dict[str, tuple[int, ...]]


def shapes_of(model: str, fields: Mapping[str, Any]) -> Shapes:
    """{path with slashes: shape} of a generator in `models.MODELS`.

    Raises:
        MedsrError: the model or a field is unknown, or a field has a wrong type or value.
    """
    module = build(model, fields)
    return _SHAPES.get(model, traced_shapes)(module)


def traced_shapes(module: Any) -> Shapes:
    """The shapes of any generator, by tracing it.

    Raises:
        MedsrError: no network has these fields.
    """
    side = module.multiple
    x = jax.ShapeDtypeStruct((1, side, side, getattr(module, "channels", 1)), np.float32)
    try:
        tree = jax.eval_shape(module.init, jax.random.key(0), x).get("params", {})
    except (ValueError, TypeError, ArithmeticError, AssertionError) as error:
        raise MedsrError(f"invalid fields of {type(module).__name__} ({error})") from error
    return {name: leaf.shape for name, leaf in flatten(tree).items()}


def mismatch(flat: Mapping[str, np.ndarray], expected: Shapes) -> str:
    """The first difference between parameters and expected shapes; empty for none.

    Args:
        flat: by path with slashes.
        expected: their shapes.
    """
    for key, shape in expected.items():
        if key not in flat:
            return f"lacks {key}"
        if flat[key].shape != shape:
            return f"{key} has the shape {flat[key].shape}, not {shape}"
    left_over = sorted(flat.keys() - expected.keys())
    return f"has an unknown {left_over[0]}" if left_over else ""


def _convolution(name: str, c_in: int, c_out: int, *, size: int = 3) -> Shapes:
    return {f"{name}/kernel": (size, size, c_in, c_out), f"{name}/bias": (c_out,)}


def _stacked(shapes: Shapes, length: int) -> Shapes:
    return {name: (length, *shape) for name, shape in shapes.items()}


def _blocks(module: Any) -> Shapes:
    """`models.rrdb.scan_blocks`."""
    shapes: Shapes = {}
    for rdb in (1, 2, 3):
        for i in range(DENSE_CONVOLUTIONS):
            width = module.growth if i + 1 < DENSE_CONVOLUTIONS else module.features
            shapes |= _convolution(f"body/rdb{rdb}/conv{i + 1}", module.features + i * module.growth, width)
    return _stacked(shapes, module.blocks)


def _rrdbnet(module: Any) -> Shapes:
    if module.scale not in (1, 2, 4):
        raise MedsrError(f"field 'scale' of rrdbnet must be 1, 2 or 4, not {module.scale}")
    features = module.features
    inner = [_convolution(f"conv_{name}", features, features) for name in ("body", "up1", "up2", "hr")]
    shapes = _convolution("conv_first", module.channels * module.multiple**2, features) | _blocks(module)
    for layer in inner:
        shapes |= layer
    return shapes | _convolution("conv_last", features, module.out_channels or module.channels)


def _compact(module: Any) -> Shapes:
    if BLOCK % module.fold:
        raise MedsrError(f"field 'fold' of compact_rrdbnet must divide {BLOCK}, not {module.fold}")
    shapes: Shapes = {}
    inputs = 2 * module.fold**2 + 1
    if module.context:
        shapes |= _convolution("context_1", BLOCK**2 + 1, module.context)
        for i in range(2, module.context_layers + 1):
            shapes |= _convolution(f"context_{i}", module.context, module.context)
        shapes |= _convolution("context_last", module.context, 16 * (BLOCK // module.fold) ** 2, size=1)
        inputs += 16
    shapes |= _convolution("conv_first", inputs, module.features) | _blocks(module)
    shapes |= _convolution("conv_body", module.features, module.features)
    return shapes | _convolution("conv_last", module.features, (module.fold * module.scale) ** 2)


def _conditional(module: Any) -> Shapes:
    if wrong := [scale for scale in (module.scale, *module.scales) if module.grid % scale]:
        raise MedsrError(f"field 'grid' of conditional_rrdbnet must be a multiple of {wrong[0]}, not {module.grid}")
    features = module.features
    shapes = _blocks(module) | _convolution("conv_body", features, features)
    for scale in module.scales:
        shapes |= _convolution(f"first_x{scale}", 2 * (module.grid // scale) ** 2 + CONDITIONS, features)
        shapes |= _convolution(f"last_x{scale}", features, module.grid**2)
    return shapes


def _srvgg(module: Any) -> Shapes:
    features, slopes = module.features, (module.features,)
    body = _convolution("body/conv", features, features) | {"body/act/weight": slopes}
    return {
        **_convolution("conv_first", module.channels, features),
        "act_first/weight": slopes,
        **_stacked(body, module.convolutions),
        **_convolution("conv_last", features, module.channels * module.scale**2),
    }


_SHAPES: dict[str, Callable[[Any], Shapes]] = {
    "rrdbnet": _rrdbnet,
    "compact_rrdbnet": _compact,
    "conditional_rrdbnet": _conditional,
    "srvgg": _srvgg,
}
