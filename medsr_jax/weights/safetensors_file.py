"""Files of safetensors as NumPy arrays."""

from __future__ import annotations

import pathlib

import numpy as np
import safetensors

from medsr_jax.errors import named


def read_safetensors(path: pathlib.Path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """The metadata in a file's header, and its tensors: of their own type, and float32 for bfloat16.

    Raises:
        MedsrError: the file is damaged, or holds types that NumPy has not.
    """
    import ml_dtypes  # noqa: F401  # gives NumPy the type bfloat16; comes with JAX, and `medsr info` has none

    key = ""
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            tensors = {}
            for key in file.keys():  # noqa: SIM118
                tensor = file.get_tensor(key)
                tensors[key] = tensor.astype(np.float32) if tensor.dtype.name == "bfloat16" else tensor
            return file.metadata() or {}, tensors
    except (safetensors.SafetensorError, OSError) as error:
        raise named(path, f"is damaged or ends early as a safetensors file ({error}); fetch it again") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        problem = f"{key} is of a type that is not read here ({error}); take the file in 16- or 32-bit floats"
        raise named(path, problem) from error
