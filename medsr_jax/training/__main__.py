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
        train_and_evaluate(_CONFIG.value, pathlib.Path(str(_WORKDIR.value)))
    except MedsrError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    flags.mark_flags_as_required(["config", "workdir"])
    app.run(main)
