"""``python -m medsr_jax.training --config=configs/xray_x4.py --workdir=DIR [--config.field=value]``."""

from __future__ import annotations

import logging
import os
import pathlib
import re
import sys
import traceback
from typing import NoReturn

from medsr_jax.errors import missing_part
from medsr_jax.text import visible

try:
    from absl import app, flags
    from absl import logging as absl_logging
    from ml_collections import config_flags
except ImportError as error:
    sys.exit(str(missing_part(error, what="training") or error))

_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "A file with get_config(), such as those of configs/; or FILE:VARIANT."
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Folder for checkpoints, logs and weights; a run found there is resumed."
)
_COORDINATOR = flags.DEFINE_string(
    "coordinator", None, "HOST:PORT of the first of several processes; not needed under Slurm and the like."
)
_PROCESSES = flags.DEFINE_integer("processes", None, "Number of processes.", lower_bound=1)
_PROCESS = flags.DEFINE_integer("process", None, "Index of this process, from 0.", lower_bound=0)
_DISTRIBUTED = flags.DEFINE_boolean(
    "distributed", False, "Find the processes from the environment (Slurm, Open MPI, Kubernetes, JAX_*)."
)


def main(argv: list[str]) -> None:
    del argv
    from medsr_jax import terminal

    with terminal.session(kept="the same command resumes from the last checkpoint"):
        _train()


def _train() -> None:
    from medsr_jax.errors import MedsrError, UsageError
    from medsr_jax.training.config.checking import ConfigError
    from medsr_jax.training.run.distributed import join
    from medsr_jax.training.run.loop import train_and_evaluate

    log_to_stdout()
    if not _WORKDIR.value:
        _misused("--workdir: is empty; give the run's folder")
    try:
        config = _CONFIG.value
        config.keys()  # a file that can't be loaded raises when it is first used
    except OSError as error:
        _misused(_unreadable(error))
    try:
        join(
            coordinator=_COORDINATOR.value,
            processes=_PROCESSES.value,
            process=_PROCESS.value,
            from_environment=_DISTRIBUTED.value,
        )
        train_and_evaluate(config, pathlib.Path(str(_WORKDIR.value)))
    except ConfigError as error:
        _misused(*error.lines)
    except UsageError as error:
        _misused(str(error))
    except MedsrError as error:
        # One unbuffered write: threads of TensorStore may be printing too, and would interrupt the line.
        sys.stderr.flush()
        os.write(2, f"{visible(str(error))}\n".encode("utf-8", "backslashreplace"))
        sys.exit(1)


def log_to_stdout() -> None:
    """Log this package's lines and clu's progress, but only warnings of Orbax and JAX, which log much more."""
    # A log that can't be written, to a full disk, must neither end a run nor print a traceback for each line.
    logging.raiseExceptions = False
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    log = logging.getLogger("medsr_jax")
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    log.propagate = False
    # Progress is for a terminal.
    absl_logging.set_verbosity(absl_logging.INFO if sys.stderr.isatty() else absl_logging.WARNING)
    # Orbax logs the traceback of a failed write before it raises the exception, which is reported in one line.
    absl_logging.get_absl_logger().addFilter(
        lambda record: (record.levelno >= logging.WARNING and not record.exc_info) or "work unit notes" in record.msg
    )


def parse_flags(argv: list[str]) -> list[str]:
    """absl's parser, with one line instead of a traceback for an unknown field."""
    from medsr_jax.errors import MedsrError

    try:
        return flags.FLAGS(argv)
    except MedsrError as error:
        _misused(str(error))
    except flags.Error as error:
        if missing := re.findall(r"flag (--\w+)=None: Flag \S+ must have a value", str(error)):
            _misused(f"{' and '.join(missing)}: required; --help lists the flags")
        _misused(f"{' '.join(str(error).split())}; --help lists the flags")
    except OSError as error:
        _misused(_unreadable(error))
    except (AttributeError, KeyError) as error:
        # ml_collections appends all fields.
        words = str(error.args[0] if error.args else error).split()
        _misused(f"--config: no such field: {' '.join(words)[:200]}; docs/config.md lists them")
    except Exception as error:  # of the config file, which is a program
        _misused(f"--config: {_place(error)}: {type(error).__name__}: {' '.join(str(error).split())[:200]}")


def _unreadable(error: OSError) -> str:
    """The line for a config file that can't be read, from the message of ml_collections."""
    reason = re.findall(r"\[Errno \d+\] ([^:\n]+): '([^'\n]*)'", str(error))
    what = f"{reason[-1][1]}: {reason[-1][0]}" if reason else " ".join(str(error).split())[:200]
    return f"--config: cannot be read ({what}); give a file such as those of configs/"


def _place(error: Exception) -> str:
    """File and line of an exception."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}"
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.filename}, line {frame.lineno}"


def _misused(*lines: str) -> NoReturn:
    """Print the lines and exit with the status of wrong options."""
    print("\n".join(visible(line) for line in lines), file=sys.stderr)
    raise SystemExit(2)


if __name__ == "__main__":
    flags.mark_flags_as_required(["config", "workdir"])
    app.run(main, flags_parser=parse_flags)
