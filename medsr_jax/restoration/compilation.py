"""Compiled programs kept between processes: compiling takes longer than restoring an image does."""

from __future__ import annotations

import os
import pathlib

import jax


def keep_compiled_programs() -> None:
    """Use JAX's persistent cache, in ``$JAX_COMPILATION_CACHE_DIR`` or ``$XDG_CACHE_HOME/medsr_jax``.

    A folder that can't be written costs a compilation and is no error.
    """
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        base = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
        jax.config.update("jax_compilation_cache_dir", str(base / "medsr_jax"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
