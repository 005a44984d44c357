"""Elements that can't be parsed or decoded, kept as the bytes that they are.

Text that doesn't decode under the Specific Character Set would come back with replacement characters, and a damaged
number not at all. Neither is this package's to mend: such elements travel, and are written again, byte by byte.
"""

from __future__ import annotations

from typing import Any

from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

_TEXT = frozenset(
    {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"}
)
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class VerbatimElement(DataElement):
    """An element whose value is the bytes of the file, which pydicom writes as they are."""

    is_raw = True

    def __init__(self, tag: BaseTag | int, vr: str, value: bytes) -> None:
        super().__init__(tag, vr, value + b" " * (len(value) % 2), already_converted=True)

    @property
    def length(self) -> int:
        """Bytes of the value, as pydicom's writer asks of elements that are not parsed."""
        return len(self.value)


def parse_elements(dataset: Dataset) -> list[str]:
    """Parses every element in place, functional groups and all, and keeps as bytes those that can't be.

    This settles elements of ambiguous VR while the Pixel Representation that they were written for is there.

    Returns:
      A note for each element that was kept as bytes, or left out since its byte order can't be turned around.
    """
    notes: list[str] = []
    _, little_endian = dataset.original_encoding
    for tag in list(dataset.keys()):
        raw = dataset.get_item(tag)
        try:
            element = dataset[tag]
            damaged = isinstance(raw, RawDataElement) and _undecodable(element, raw)
        except Exception:  # pydicom raises whatever a value trips it up on
            damaged = True
        if damaged and isinstance(raw, RawDataElement):
            notes.append(_keep(dataset, raw, little_endian=little_endian is not False))
        elif not damaged and element.VR == "SQ":
            for item in element.value:
                notes += parse_elements(item)
    return notes


def _undecodable(element: DataElement, raw: RawDataElement) -> bool:
    if element.VR not in _TEXT or not raw.value:
        return False
    return _REPLACEMENT in _text_of(element.value) and _REPLACEMENT.encode() not in raw.value


def _text_of(value: Any) -> str:
    return str(value) if isinstance(value, str) or not hasattr(value, "__iter__") else "".join(map(str, value))


def _keep(dataset: Dataset, raw: RawDataElement, *, little_endian: bool) -> str:
    name = keyword_for_tag(raw.tag) or str(raw.tag)
    vr = raw.VR or _dictionary_vr(raw.tag)
    if vr == "SQ" or raw.value is None or not (little_endian or vr in _TEXT):
        del dataset[raw.tag]
        return f"{name} can't be parsed and is left out"
    dataset[raw.tag] = VerbatimElement(raw.tag, vr, raw.value)
    return f"{name} can't be parsed or decoded: its bytes travel as they are"


def _dictionary_vr(tag: BaseTag) -> str:
    try:
        vr = dictionary_VR(tag)
    except KeyError:
        return "UN"
    return vr if len(vr) == 2 else "UN"
