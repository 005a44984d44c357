"""UIDs of derived objects, computed from what they are derived from: the same work twice makes nothing twice."""

from __future__ import annotations

import hmac
import uuid

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "medsr_jax")


def derived_uid(*parts: str) -> str:
    """A UID under 2.25 (PS3.5 B.2) from a version 5 UUID (RFC 9562, section 5.5) of `parts`."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, '|'.join(parts)).int}"


def keyed_uid(secret: bytes, uid: str) -> str:
    """A UID under 2.25 in place of another: HMAC-SHA256 (RFC 2104) as a version 8 UUID (RFC 9562, section 5.8).

    Args:
        secret: without it, neither UID tells the other.
        uid: the original one.
    """
    digest = bytearray(hmac.digest(secret, b"uid|" + uid.encode(), "sha256")[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return f"2.25.{int.from_bytes(digest)}"


IMPLEMENTATION_CLASS_UID = derived_uid("implementation class")
