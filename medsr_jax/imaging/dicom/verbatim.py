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

from medsr_jax.errors import MedsrError

MOST_NESTED = 32
"""Deepest nesting of sequences: structured reports reach about 15, and every later copy recurses."""

_TEXT = frozenset(
    ["AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"]
)
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
# Elements that describe the pixels must be sound.
_PIXEL_GROUP = 0x0028


class VerbatimElement(DataElement):
    """An element whose value is the bytes of the file, which pydicom writes as they are."""

    is_raw = True

    def __init__(self, tag: BaseTag | int, vr: str, value: bytes) -> None:
        super().__init__(tag, vr, value + b" " * (len(value) % 2), already_converted=True)

    @property
    def length(self) -> int:
        """Bytes of the value, as pydicom's writer asks of elements that are not parsed."""
        return len(self.value)


def parse_elements(dataset: Dataset, *, depth: int = 1) -> tuple[str, ...]:
    """Parses every element in place, functional groups and all, and keeps as bytes those that can't be.

    This settles elements of ambiguous VR while the Pixel Representation that they were written for is there.

    Args:
        dataset: as it was read from a file.
        depth: of its sequences.

    Returns:
        A note for each element that was kept as bytes; or left out, since it is no sequence where one belongs, or its
        byte order can't be turned around.

    Raises:
        MedsrError: sequences are nested too deep. The message names no file.
        Exception: an element that describes the pixels can't be parsed.
    """
    check_depth(depth)
    notes: tuple[str, ...] = ()
    _, little_endian = dataset.original_encoding
    for tag in list(dataset.keys()):
        raw = dataset.get_item(tag)
        try:
            element = dataset[tag]
        except Exception:  # pydicom raises whatever a value trips it up on
            if tag.group == _PIXEL_GROUP and depth == 1:
                raise
            notes += (_keep(dataset, raw, little_endian=little_endian is not False),)
            continue
        if element.VR not in ("SQ", "UN") and _dictionary_vr(tag) == "SQ":
            del dataset[tag]
            notes += (f"{_name(tag)} is {element.VR} where a sequence belongs and was left out",)
        elif element.VR == "SQ":
            for item in element.value or []:
                notes += parse_elements(item, depth=depth + 1)
        elif isinstance(raw, RawDataElement) and _undecodable(element, raw):
            if tag.group == _PIXEL_GROUP and depth == 1:
                raise ValueError(f"{_name(tag)} can't be decoded")
            notes += (_keep(dataset, raw, little_endian=True),)
    return notes


def check_depth(depth: int) -> None:
    """Refuses sequences that are nested too deep.

    Raises:
        MedsrError: they are. The message names no file.
    """
    if depth > MOST_NESTED:
        raise MedsrError(f"has sequences nested more than {MOST_NESTED} deep", remedy="the file is damaged or hostile")


def _name(tag: BaseTag) -> str:
    return keyword_for_tag(tag) or str(tag)


def _undecodable(element: DataElement, raw: RawDataElement) -> bool:
    if element.VR not in _TEXT or not raw.value:
        return False
    return _REPLACEMENT in _text_of(element.value) and _REPLACEMENT.encode() not in raw.value


def _text_of(value: Any) -> str:
    return str(value) if isinstance(value, str) or not hasattr(value, "__iter__") else "".join(map(str, value))


def _keep(dataset: Dataset, raw: DataElement | RawDataElement, *, little_endian: bool) -> str:
    vr = str(raw.VR or _dictionary_vr(raw.tag))
    value = raw.value
    usable = vr != "SQ" and vr.isalpha() and vr.isupper() and vr.isascii()
    if (
        not isinstance(value, bytes)
        or not usable
        or not (little_endian or vr in _TEXT)
        or _dictionary_vr(raw.tag) == "SQ"
    ):
        del dataset[raw.tag]
        return f"{_name(raw.tag)} could not be parsed and was left out"
    dataset[raw.tag] = VerbatimElement(raw.tag, vr, value)
    return f"{_name(raw.tag)} can't be parsed or decoded: its bytes travel as they are"


def _dictionary_vr(tag: BaseTag) -> str:
    try:
        vr = dictionary_VR(tag)
    except KeyError:
        return "UN"
    return vr if len(vr) == 2 else "UN"
