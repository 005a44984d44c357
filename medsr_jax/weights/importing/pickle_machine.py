"""The pickle virtual machine, with the operations that files of weights need and no others.

`pickletools` of the standard library reads opcodes and their arguments; what they do is done here. Python's own
`pickle.Unpickler` takes memory for whatever number a memo entry is said to have, and hashes keys of tuples in tuples
for hours; here what a file can cost grows with its length alone.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from typing import Any, BinaryIO, Protocol

_MARK = object()
_KEYS = (str, int, float, bool, type(None))


class Malformed(ValueError):
    """Opcodes that make no sense, or that no file of weights has."""


class Builder(Protocol):
    """What a machine asks for names and for data outside the pickle."""

    def name(self, module: str, name: str) -> Any:
        """What a global name stands for."""

    def call(self, function: Any, arguments: tuple[Any, ...]) -> Any:
        """What a function that `name` gave returns."""

    def state(self, target: Any, state: Any) -> None:
        """Give an object the state that was pickled with it."""

    def persistent(self, pid: Any) -> Any:
        """What a persistent id stands for."""


def run(file: BinaryIO, builder: Builder) -> Any:
    """The value of the pickle at the file's place; afterwards the file is at the pickle's end.

    Raises:
        Malformed: it is damaged, or has operations that are not supported.
        ValueError: as `pickletools.genops`.
    """
    machine = _Machine(builder)
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name == "STOP":
            return machine.pop()
        operation = _OPERATIONS.get(opcode.name)
        if operation is None:
            raise Malformed(f"it has the operation {opcode.name}, which weights don't need")
        operation(machine, argument)
    raise Malformed("it has no end")


class _Machine:
    """A stack, and the values that were put aside by number."""

    def __init__(self, builder: Builder) -> None:
        self.builder = builder
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise Malformed("it takes a value that is not there")
        return self.stack.pop()

    def top(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise Malformed("it takes a value that is not there")
        return self.stack[-1]

    def since_mark(self) -> list[Any]:
        values: list[Any] = []
        while self.stack:
            value = self.stack.pop()
            if value is _MARK:
                values.reverse()
                return values
            values.append(value)
        raise Malformed("it takes values from a mark that is not there")

    def several(self, count: int) -> list[Any]:
        return [self.pop() for _ in range(count)][::-1]

    def append(self, values: list[Any]) -> None:
        target = self.top()
        if not isinstance(target, list):
            raise Malformed("it appends to what is no list")
        target.extend(values)

    def set_items(self, values: list[Any]) -> None:
        target = self.top()
        if not isinstance(target, dict) or len(values) % 2:
            raise Malformed("it sets items of what is no dict")
        for key, value in zip(values[::2], values[1::2], strict=True):
            if not isinstance(key, _KEYS):
                raise Malformed("it has a dict whose keys are neither texts nor numbers")
            target[key] = value

    def make_dict(self, values: list[Any]) -> None:
        self.push({})
        self.set_items(values)

    def name(self, module: Any, name: Any) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise Malformed("it asks for a name that is no text")
        self.push(self.builder.name(module, name))

    def reduce(self) -> None:
        function, arguments = self.several(2)
        if not isinstance(arguments, tuple):
            raise Malformed("it calls with what are no arguments")
        self.push(self.builder.call(function, arguments))

    def build(self) -> None:
        state = self.pop()
        self.builder.state(self.top(), state)

    def recall(self, number: int) -> None:
        if number not in self.memo:
            raise Malformed(f"it recalls value {number}, which it has not")
        self.push(self.memo[number])

    def remember(self, number: int) -> None:
        self.memo[number] = self.top()


_Operation = Callable[[_Machine, Any], Any]


def _literal(machine: _Machine, value: Any) -> None:
    machine.push(value)


_OPERATIONS: dict[str, _Operation] = {
    "PROTO": lambda *_: None,
    "FRAME": lambda *_: None,
    "MARK": lambda m, _: m.push(_MARK),
    "POP": lambda m, _: m.stack.pop() if m.stack else m.pop(),
    "POP_MARK": lambda m, _: m.since_mark(),
    "DUP": lambda m, _: m.push(m.top()),
    "NONE": lambda m, _: m.push(None),
    "NEWTRUE": lambda m, _: m.push(True),
    "NEWFALSE": lambda m, _: m.push(False),
    **dict.fromkeys(("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"), _literal),
    **dict.fromkeys(("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "BINUNICODE8"), _literal),
    **dict.fromkeys(("SHORT_BINUNICODE", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"), _literal),
    "EMPTY_LIST": lambda m, _: m.push([]),
    "LIST": lambda m, _: m.push(m.since_mark()),
    "APPEND": lambda m, _: m.append([m.pop()]),
    "APPENDS": lambda m, _: m.append(m.since_mark()),
    "EMPTY_TUPLE": lambda m, _: m.push(()),
    "TUPLE": lambda m, _: m.push(tuple(m.since_mark())),
    "TUPLE1": lambda m, _: m.push(tuple(m.several(1))),
    "TUPLE2": lambda m, _: m.push(tuple(m.several(2))),
    "TUPLE3": lambda m, _: m.push(tuple(m.several(3))),
    "EMPTY_DICT": lambda m, _: m.push({}),
    "DICT": lambda m, _: m.make_dict(m.since_mark()),
    "SETITEM": lambda m, _: m.set_items(m.several(2)),
    "SETITEMS": lambda m, _: m.set_items(m.since_mark()),
    "GLOBAL": lambda m, text: m.name(*text.split(" ", 1)),
    "STACK_GLOBAL": lambda m, _: m.name(*m.several(2)),
    "REDUCE": lambda m, _: m.reduce(),
    "BUILD": lambda m, _: m.build(),
    "PERSID": lambda m, text: m.push(m.builder.persistent(text)),
    "BINPERSID": lambda m, _: m.push(m.builder.persistent(m.pop())),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), lambda m, number: m.remember(number)),
    "MEMOIZE": lambda m, _: m.remember(len(m.memo)),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), lambda m, number: m.recall(number)),
}
