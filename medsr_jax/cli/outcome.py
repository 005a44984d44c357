"""The outcome of one file of many: its value, or one line with its path and problem."""

from __future__ import annotations

import dataclasses
import os
import traceback
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from medsr_jax.errors import MedsrError, ParameterError, missing_part

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Outcome(Generic[T]):
    """A value or a problem.

    Attributes:
        value: None where there is a problem.
        problem: a line that names the file; empty where there is none.
        trace: the traceback of the problem.
    """

    value: T | None = None
    problem: str = ""
    trace: str = ""


def attempt(work: Callable[[Any], T], file: os.PathLike[str]) -> Outcome[T]:
    """The outcome of the work on a file; any exception is that file's problem alone."""
    try:
        return Outcome(work(file))
    except Exception as error:  # libraries raise exceptions of all kinds on unusual files
        return failed(error, file)


def failed(error: Exception, file: os.PathLike[str], *others: os.PathLike[str]) -> Outcome[Any]:
    """The outcome where an exception was raised.

    Args:
        error: the exception.
        file: that it is about.
        others: paths that its message may name in place of the file, such as the output.
    """
    trace = "".join(traceback.format_exception(error))
    problem = described(error)
    names = [str(os.fspath(path)) for path in (file, *others)]
    if not isinstance(error, MedsrError) or not any(problem.startswith(name) for name in names):
        problem = str(MedsrError(problem, path=file))
    return Outcome(problem=problem, trace=trace)


def described(error: BaseException) -> str:
    """An exception in one line; a parameter is named by its option."""
    if isinstance(error, ParameterError):
        return f"--{error.parameter.replace('_', '-')}: {error.description}"
    if isinstance(error, MedsrError):
        return str(error)
    if isinstance(error, ImportError) and (missing := missing_part(error)):
        return str(missing)
    if isinstance(error, MemoryError):
        return "does not fit into memory; free some, or use a machine that has more"
    if isinstance(error, RecursionError):
        return "is nested too deeply to be read; --debug shows where"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}"
    first = next(iter(str(error).strip().splitlines()), "")[:300]
    return f"unexpected problem ({type(error).__name__}{': ' if first else ''}{first}); --debug shows where"
