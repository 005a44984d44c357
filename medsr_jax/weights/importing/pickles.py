"""Read untrusted pickles: a pickle names functions to call, and here only a few of this module's are allowed.

`pickle_machine` looks up every global name of a pickle here. The functions that it gets build plain data; any other
name is refused before anything is called.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import numpy as np

from medsr_jax.weights.importing.pickle_machine import run

Name = tuple[str, str]


class Refused(Exception):
    """A pickle uses a name or an operation that is not allowed, or is damaged."""


def load_restricted(
    file: BinaryIO, *, names: Mapping[Name, Callable[..., Any]], persistent: Callable[[Any], Any] | None = None
) -> Any:
    """The next pickle of a file.

    Args:
        file: at the pickle's beginning; afterwards it is at its end.
        names: replacements by (module, name); any other name is refused.
        persistent: resolves a persistent id; None refuses them.

    Raises:
        Refused: a name is not allowed, or the pickle is damaged.
    """
    try:
        return run(file, _Builder(names, persistent))
    except (Refused, OSError):
        raise
    except Exception as error:  # The opcodes of a damaged pickle meet the wrong operands in every way.
        raise Refused(f"the pickle is damaged ({str(error)[:200]})") from error


class _Builder:
    def __init__(self, names: Mapping[Name, Callable[..., Any]], persistent: Callable[[Any], Any] | None) -> None:
        self._names, self._persistent = names, persistent

    def name(self, module: str, name: str) -> Any:
        if (module, name) not in self._names:
            raise Refused(f"it asks for {module[:100]}.{name[:100]}, which is not allowed in weights")
        return _Call(self._names[module, name])

    def call(self, function: Any, arguments: tuple[Any, ...]) -> Any:
        if not isinstance(function, _Call):
            raise Refused("it calls an object that is no function")
        return function(*arguments)

    def state(self, target: Any, state: Any) -> None:
        if not isinstance(target, _STATEFUL):
            raise Refused("it sets the state of an object that has none")
        target.__setstate__(state)

    def persistent(self, pid: Any) -> Any:
        if self._persistent is None:
            raise Refused("it refers to data outside itself")
        return self._persistent(pid)


class _Call:
    """A function that a pickle can call and nothing more."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)


class Dict(dict[Any, Any]):
    """Stands for `collections.OrderedDict`; attributes that were pickled with it are dropped."""

    def __setstate__(self, state: Any) -> None:
        pass


class Array:
    """Stands for a `numpy.ndarray` of numbers; `numbers` is what arrived in its state."""

    def __init__(self, *_: Any) -> None:
        self.numbers: np.ndarray | None = None

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, fortran, data = state
        if not isinstance(kind, _Type) or not isinstance(data, bytes):
            raise Refused("it holds an array that is not of numbers")
        self.numbers = np.frombuffer(data, kind.dtype).reshape(shape, order="F" if fortran else "C")


class _Type:
    """Stands for a `numpy.dtype`: numbers of a size and a byte order."""

    def __init__(self, code: Any, *_: Any) -> None:
        if code not in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"):
            raise Refused(f"it holds values of type {reprlib.repr(code)}, not numbers")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: Any) -> None:
        self.dtype = self.dtype.newbyteorder(state[1])


_STATEFUL = (Dict, Array, _Type)

# What NumPy names in its pickles, before and since version 2.
NUMPY: dict[Name, Callable[..., Any]] = {
    ("numpy", "ndarray"): Array,
    ("numpy", "dtype"): _Type,
    ("numpy.core.multiarray", "_reconstruct"): Array,
    ("numpy._core.multiarray", "_reconstruct"): Array,
}
