"""The lines of a command on a terminal or in a pipe: one place that prints, and that knows when it can't.

Results go to the standard output and problems to the standard error. Text from file names, DICOM attributes and model
cards reaches neither without `text.visible`.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import signal
import sys
from collections.abc import Iterator
from typing import IO, Any

from medsr_jax.errors import missing_part
from medsr_jax.text import visible

_LONGEST = 2000
_BROKEN_PIPE, _INTERRUPTED, _TERMINATED = 128 + 13, 128 + 2, 128 + 15


class Terminated(BaseException):
    """SIGTERM arrived. No subclass of Exception: nothing but `session` may stop it on its way out."""


class _State:
    """How a command prints.

    Attributes:
        lost: the standard output could not be written.
        debug: tracebacks are shown.
        quiet: lines of results are not.
        aside: they go to the standard error, since the standard output carries something else.
        log: a file that is given all lines and tracebacks, with their time.
    """

    lost = False
    debug = False
    quiet = False
    aside = False
    log: IO[str] | None = None


def say(line: str) -> None:
    """Print a line of results."""
    _note(visible(line))
    if _State.quiet:
        return
    if _State.aside:
        with contextlib.suppress(OSError, ValueError):
            _write(sys.stderr, f"{visible(line)}\n")
    else:
        show(visible(line))


def emit(value: dict[str, Any]) -> None:
    """Print one JSON object as a line, for programs, even where other output is suppressed."""
    show(json.dumps(value))


def deliver(data: bytes) -> None:
    """Write a file's bytes to the standard output.

    Raises:
        OSError: it can't be written.
    """
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def set_quiet(*, quiet: bool = False, aside: bool = False) -> None:
    """Whether lines of results are left out, or go to the standard error."""
    _State.quiet, _State.aside = quiet, aside


def open_log(path: str | os.PathLike[str]) -> None:
    """Append all lines and tracebacks from now on to a file.

    Raises:
        OSError: it can't be opened.
    """
    _State.log = open(path, "a", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115  # closed with the process


def _note(text: str) -> None:
    if _State.log is not None:
        with contextlib.suppress(OSError, ValueError):
            _State.log.write(f"{datetime.datetime.now().astimezone().isoformat(timespec='seconds')} {text}\n")
            _State.log.flush()


def show(block: str) -> None:
    """Print formatted text whose external parts went through `visible`.

    Where the standard output can't be written, the rest of the work is still done: the problem is reported once, and
    `session` exits 1. A reader that has closed the pipe wants no more: the command ends.
    """
    if _State.lost:
        return
    stream = sys.stdout
    try:
        if stream is None:
            raise OSError("it is closed")
        _write(stream, f"{block}\n")
    except BrokenPipeError:
        _discard(stream)
        raise SystemExit(_BROKEN_PIPE) from None
    except (OSError, ValueError) as error:
        _State.lost = True
        _discard(stream)
        complain(f"the standard output can't be written ({_reason(error)}); files are written all the same")


def complain(line: str) -> None:
    """Print a problem on the standard error; ignored where that can't be written either."""
    text = visible(line)
    _note(text)
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    with contextlib.suppress(OSError, ValueError):
        if sys.stderr is not None:
            _write(sys.stderr, f"{text}\n")


def trace(text: str) -> None:
    """Print a traceback under --debug; a log has it in any case."""
    for line in text.rstrip("\n").split("\n") if text else []:
        if _State.debug:
            complain(line)
        else:
            _note(visible(line))


def set_debug(shown: bool) -> None:
    """Whether tracebacks are shown."""
    _State.debug = shown


def debugging() -> bool:
    """Whether tracebacks are shown."""
    return _State.debug


def output_lost() -> bool:
    """Whether lines of results could not be printed."""
    return _State.lost


@contextlib.contextmanager
def session(*, kept: str = "finished files are kept") -> Iterator[None]:
    """A whole command: every way in which it can end has its line and its exit status, and none a traceback.

    Args:
        kept: what remains after an interruption.
    """
    _State.lost = _State.quiet = _State.aside = False
    _State.log = None
    _occupy_standard_streams()
    _listen()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with contextlib.suppress(AttributeError, ValueError):
                stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        yield
    except KeyboardInterrupt:
        complain(f"interrupted; {kept}")
        _exit(_INTERRUPTED)
    except Terminated:
        # A second signal must not cut off the way out.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        complain(f"terminated; {kept}")
        _exit(_TERMINATED)
    except ImportError as error:
        if not (missing := missing_part(error)):
            raise
        complain(str(missing))
        _exit(1)
    except BrokenPipeError:
        _discard(sys.stdout)
        _exit(_BROKEN_PIPE)
    except OSError as error:
        # Of what prints by itself, such as the help.
        _discard(sys.stdout)
        complain(f"the command ended early: {_reason(error)}")
        _exit(1)
    except SystemExit as ending:
        _exit(ending.code)
    else:
        _exit(0)


def _exit(code: Any) -> None:
    if sys.stdout is not None and not _State.lost:
        try:
            sys.stdout.flush()
        except (OSError, ValueError) as error:
            _State.lost = True
            _discard(sys.stdout)
            if not isinstance(error, BrokenPipeError):
                complain(f"the standard output can't be written ({_reason(error)})")
    raise SystemExit(1 if _State.lost and not code else code)


def _write(stream: Any, text: str) -> None:
    try:
        stream.write(text)
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()


def _discard(stream: Any) -> None:
    """Let what is still in the stream's buffer go nowhere: at its end Python would complain once more."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _occupy_standard_streams() -> None:
    """Open what was closed: else the next file opened would be the standard output, and libraries print into it."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _listen() -> None:
    """Make SIGTERM an exception, unless whoever started the command has it ignored."""
    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)


def _terminate(*_: Any) -> None:
    raise Terminated


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
