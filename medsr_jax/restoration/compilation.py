"""Compiled programs kept between processes: compiling takes longer than restoring an image does."""

from __future__ import annotations

import os
import pathlib
import warnings

import jax


def keep_compiled_programs() -> None:
    """Use JAX's persistent cache, in ``$JAX_COMPILATION_CACHE_DIR`` or ``$XDG_CACHE_HOME/medsr_jax``.

    Where there is no home or the folder can't be written, as in a container, there is no cache, silently:
    it costs a compilation.
    """
    jax.config.update("jax_compilation_cache_dir", _cache_folder())
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
    # A disk that becomes full.
    warnings.filterwarnings("ignore", message=".*persistent compilation cache")


def _cache_folder() -> str | None:
    """The folder, made; None where it can't be had."""
    named = os.environ.get("JAX_COMPILATION_CACHE_DIR", "")
    if "://" in named:  # a bucket, which JAX opens
        return named
    try:
        if named:
            folder = pathlib.Path(named)
        else:
            base = os.environ.get("XDG_CACHE_HOME")
            folder = (pathlib.Path(base) if base else pathlib.Path.home() / ".cache") / "medsr_jax"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # the latter where there is no home directory
        return None
    return str(folder) if os.access(folder, os.W_OK | os.X_OK) else None
