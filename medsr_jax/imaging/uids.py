"""UIDs of derived objects, computed from what they are derived from: the same work twice makes nothing twice."""

from __future__ import annotations

import uuid

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "medsr_jax")


def derived_uid(*parts: str) -> str:
    """A UID under 2.25 (PS3.5 B.2) from a version 5 UUID (RFC 9562, section 5.5) of `parts`."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, '|'.join(parts)).int}"


IMPLEMENTATION_CLASS_UID = derived_uid("implementation class")
