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

_CONFIG = config_flags.DEFINE_config_file("config", None, "The experiment: a file with get_config(), or FILE:VARIANT.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Where checkpoints, logs and weights go; a run there is resumed.")
_COORDINATOR = flags.DEFINE_string(
    "coordinator", None, "HOST:PORT of the first process, in a run of several. Not needed under Slurm and the like."
)
_PROCESSES = flags.DEFINE_integer("processes", None, "How many there are.", lower_bound=1)
_PROCESS = flags.DEFINE_integer("process", None, "Which of them this is, from 0.", lower_bound=0)
_DISTRIBUTED = flags.DEFINE_boolean(
    "distributed", False, "One of several processes, as the environment says (Slurm, Open MPI, Kubernetes, JAX_*)."
)


def main(argv: list[str]) -> None:
    del argv
    from medsr_jax import terminal

    with terminal.session(kept="the same command goes on from the last checkpoint"):
        _train()


def _train() -> None:
    from medsr_jax.errors import MedsrError, UsageError
    from medsr_jax.training.run.distributed import join
    from medsr_jax.training.run.loop import train_and_evaluate

    log_to_stdout()
    if not _WORKDIR.value:
        _misused("--workdir: is empty; name the run's folder")
    try:
        config = _CONFIG.value
        config.keys()  # a file that could not be loaded says so when it is first used
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
    except UsageError as error:
        _misused(str(error))
    except MedsrError as error:
        # One write past `sys.stderr`: threads of TensorStore may be printing there, and the line was lost among theirs.
        sys.stderr.flush()
        os.write(2, f"{visible(str(error))}\n".encode("utf-8", "backslashreplace"))
        sys.exit(1)


def log_to_stdout() -> None:
    """Our lines and clu's progress; of Orbax and JAX, which write dozens of lines a checkpoint, warnings alone."""
    # A log that can't be written, to a full disk, is no reason to end a run, nor for a traceback a line.
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
    """absl's own parser, but for a field that the config does not have: a line in place of a traceback."""
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
        # ml_collections goes on to print all fields.
        words = str(error.args[0] if error.args else error).split()
        _misused(f"--config: no such field: {' '.join(words)[:200]}; the config file lists them")
    except Exception as error:  # the config file's own, which is a program
        _misused(f"--config: {_place(error)}: {type(error).__name__}: {' '.join(str(error).split())[:200]}")


def _unreadable(error: OSError) -> str:
    """The line for a config file that can't be read, from ml_collections' account of its attempts."""
    reason = re.findall(r"\[Errno \d+\] ([^:\n]+): '([^'\n]*)'", str(error))
    what = f"{reason[-1][1]}: {reason[-1][0]}" if reason else " ".join(str(error).split())[:200]
    return f"--config: cannot be read ({what}); name a file of configs/"


def _place(error: Exception) -> str:
    """File and line that an exception comes from."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}"
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.filename}, line {frame.lineno}"


def _misused(line: str) -> NoReturn:
    """End as commands do whose options are wrong."""
    print(visible(line), file=sys.stderr)
    raise SystemExit(2)


if __name__ == "__main__":
    flags.mark_flags_as_required(["config", "workdir"])
    app.run(main, flags_parser=parse_flags)
