"""Super-resolution and restoration of radiographs sent over thin links.

>>> import medsr_jax as medsr
>>> packet = medsr.compress(medsr.read_image("chest.dcm"), scale=4)
>>> medsr.write_packet("chest-sent.dcm", packet)
>>> restored = medsr.Restorer("xray-x4")(medsr.read_packet("chest-sent.dcm"))
>>> restored.pixels.shape, restored.violation  # (frames, rows, columns), and how far it contradicts what was sent

Names are imported when they are used: the sender's load no JAX.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "Image": "imaging",
    "MedsrError": "errors",
    "Packet": "transmission.packet",
    "Restored": "restoration.restorer",
    "Restorer": "restoration.restorer",
    "assume_packet": "transmission.packet_io",
    "blend": "weights.blend",
    "compress": "transmission.compress",
    "deidentify": "imaging.dicom.deidentification",
    "enlarge": "evaluation.baselines",
    "load_weights": "weights",
    "measure": "evaluation.link",
    "psnr": "evaluation.metrics",
    "read_image": "imaging",
    "read_packet": "transmission.packet_io",
    "restore_array": "restoration.arrays",
    "restored_image": "restoration.output",
    "ssim": "evaluation.metrics",
    "write_image": "imaging",
    "write_packet": "transmission.packet_io",
    "write_restored": "restoration.output",
}
_OTHER_NAMES = {"load_weights": "load"}

__all__ = [*sorted(_HOME), "__version__"]

if TYPE_CHECKING:
    from medsr_jax.errors import MedsrError as MedsrError
    from medsr_jax.evaluation.baselines import enlarge as enlarge
    from medsr_jax.evaluation.link import measure as measure
    from medsr_jax.evaluation.metrics import psnr as psnr
    from medsr_jax.evaluation.metrics import ssim as ssim
    from medsr_jax.imaging import Image as Image
    from medsr_jax.imaging import read_image as read_image
    from medsr_jax.imaging import write_image as write_image
    from medsr_jax.imaging.dicom.deidentification import deidentify as deidentify
    from medsr_jax.restoration.arrays import restore_array as restore_array
    from medsr_jax.restoration.output import restored_image as restored_image
    from medsr_jax.restoration.output import write_restored as write_restored
    from medsr_jax.restoration.restorer import Restored as Restored
    from medsr_jax.restoration.restorer import Restorer as Restorer
    from medsr_jax.transmission.compress import compress as compress
    from medsr_jax.transmission.packet import Packet as Packet
    from medsr_jax.transmission.packet_io import assume_packet as assume_packet
    from medsr_jax.transmission.packet_io import read_packet as read_packet
    from medsr_jax.transmission.packet_io import write_packet as write_packet
    from medsr_jax.weights import load as load_weights  # noqa: F401
    from medsr_jax.weights.blend import blend as blend


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = importlib.import_module(f"{__name__}.{_HOME[name]}")
    except ImportError as error:
        from medsr_jax.errors import missing_part

        if missing := missing_part(error, what=f"medsr_jax.{name}"):
            raise missing from None
        raise
    return getattr(module, _OTHER_NAMES.get(name, name))


def __dir__() -> list[str]:
    return __all__
