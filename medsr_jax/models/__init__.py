"""Networks in Flax Linen, and the registry that names them."""

from medsr_jax.errors import missing_part

try:
    from medsr_jax.models.compact import CompactRRDBNet
    from medsr_jax.models.interpolation import Bicubic
    from medsr_jax.models.registry import DISCRIMINATORS, MODELS, build, build_discriminator
    from medsr_jax.models.rrdb import RRDBNet
    from medsr_jax.models.srcnn import SRCNN
    from medsr_jax.models.srvgg import SRVGGNetCompact
    from medsr_jax.models.unet_discriminator import UNetDiscriminator
    from medsr_jax.models.vgg_discriminator import VGGStyleDiscriminator
except ImportError as error:
    raise missing_part(error, what=__name__) or error from None

__all__ = [
    "DISCRIMINATORS",
    "MODELS",
    "SRCNN",
    "Bicubic",
    "CompactRRDBNet",
    "RRDBNet",
    "SRVGGNetCompact",
    "UNetDiscriminator",
    "VGGStyleDiscriminator",
    "build",
    "build_discriminator",
]
