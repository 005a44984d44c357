"""``python -m medsr_jax.training --config=configs/xray_x4.py --workdir=DIR [--config.field=value]``."""

from __future__ import annotations

import logging
import pathlib
import sys

from absl import app, flags
from absl import logging as absl_logging
from ml_collections import config_flags

_CONFIG = config_flags.DEFINE_config_file("config", None, "The experiment: a file with get_config().")
_WORKDIR = flags.DEFINE_string("workdir", None, "Where checkpoints, logs and weights go; a run there is resumed.")


def main(argv: list[str]) -> None:
    del argv
    from medsr_jax.errors import MedsrError
    from medsr_jax.training.loop import train_and_evaluate

    # Ours alone: Orbax and JAX write dozens of lines a checkpoint to absl's logger.
    absl_logging.set_verbosity(absl_logging.WARNING)
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    log = logging.getLogger("medsr_jax")
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    log.propagate = False
    try:
        config = _CONFIG.value
        config.keys()  # a file that could not be loaded says so when it is first used
    except OSError as error:
        sys.exit(f"--config: cannot be read; name a file of configs/ ({' '.join(str(error).split())})")
    try:
        train_and_evaluate(config, pathlib.Path(str(_WORKDIR.value)))
    except MedsrError as error:
        sys.exit(str(error))


def parse_flags(argv: list[str]) -> list[str]:
    """absl's own parser, but for a field that the config does not have: a line in place of a traceback."""
    try:
        return app.parse_flags_with_usage(argv)
    except (AttributeError, KeyError) as error:
        sys.exit(f"--config: no such field as {' '.join(str(error).split())}; the config file lists them")


if __name__ == "__main__":
    flags.mark_flags_as_required(["config", "workdir"])
    app.run(main, flags_parser=parse_flags)
