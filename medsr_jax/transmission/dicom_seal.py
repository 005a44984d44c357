"""Seals of DICOM packets: what may not change on the way, what an archive may coerce, and how each is told.

A packet passes archives that rewrite files: sequences change between defined and undefined length, private elements
come back with VR UN, text in another character set. So the seal is computed over what the elements say and not over the
file. It covers every element but itself and those of two lists, which are sealed one by one: what an archive may
lawfully coerce (PS3.4 B.4.1), and what it may add. A coerced value is a note, a damaged one a refusal.
With a key the seals are HMACs (RFC 2104) and prove who sent the packet; without, they find damage.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
import warnings
from collections.abc import Iterator
from typing import Any

from pydicom.charset import convert_encodings, decode_bytes
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag
from pydicom.values import convert_SQ

from medsr_jax.errors import MedsrError

COERCIBLE = tuple(
    Tag(keyword)
    for keyword in (
        "SpecificCharacterSet",
        "AccessionNumber",
        "InstitutionName",
        "ReferringPhysicianName",
        "StudyDescription",
        "PatientName",
        "PatientID",
        "IssuerOfPatientID",
        "PatientBirthDate",
        "PatientBirthTime",
        "PatientSex",
        "OtherPatientIDs",
        "OtherPatientNames",
        "PatientAge",
        "EthnicGroup",
        "PatientComments",
        "StudyInstanceUID",
        "StudyID",
        "AdmissionID",
    )
)
"""What an archive may coerce to its own master data. Its place here is its number in packets: append only."""

ADDABLE = tuple(
    Tag(keyword)
    for keyword in (
        "OriginalAttributesSequence",
        "RequestAttributesSequence",
        "OtherPatientIDsSequence",
        "IssuerOfPatientIDQualifiersSequence",
        "IssuerOfAccessionNumberSequence",
        "InstanceCoercionDateTime",
        "TimezoneOffsetFromUTC",
        "RetrieveAETitle",
        "InstanceAvailability",
        "StorageMediaFileSetID",
        "StorageMediaFileSetUID",
        "DataSetTrailingPadding",
    )
)
"""What an archive may add where the packet has none, and not change. Numbered from 128: append only."""

_NUMBERS = {tag: number for number, tag in enumerate(COERCIBLE)} | {tag: 128 + at for at, tag in enumerate(ADDABLE)}
_SEAL_BYTES, _KEYED_BYTES, _MARK_BYTES = 8, 16, 4
_TEXT = frozenset({"SH", "LO", "ST", "PN", "LT", "UC", "UT"})
_PADDED = _TEXT | {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"}
_SHORT_VALUE = 64
_PIXEL_DATA = Tag("PixelData")


def seal(dataset: Dataset, *, but: BaseTag, key: bytes | None) -> bytes:
    """The seal of a packet's data set as it was parsed from a file.

    Args:
        dataset: of the packet, its coercion marks included.
        but: the element that will hold the seal.
        key: of the sender and its receivers, or None.

    Returns:
        8 bytes over all sealed elements and 4 over the VRs of private ones; with a key 16 bytes more.
    """
    content, representations = _content(dataset, but)
    plain = hashlib.sha256(content).digest()[:_SEAL_BYTES] + hashlib.sha256(representations).digest()[:_MARK_BYTES]
    return plain if key is None else plain + hmac.digest(key, content, "sha256")[:_KEYED_BYTES]


def check_seal(dataset: Dataset, value: bytes, *, but: BaseTag, key: bytes | None) -> list[str]:
    """Refuses a data set that is not the sealed one; notes on what was lawfully changed.

    Raises:
        MedsrError: it was damaged or changed, or is not signed with the key.
    """
    signed = len(value) == _SEAL_BYTES + _MARK_BYTES + _KEYED_BYTES
    expected = seal(dataset, but=but, key=key if signed else None)
    if key is not None and not signed:
        raise MedsrError("the packet is not signed, and a key was given: have it sent with the key")
    if len(value) not in (len(expected), _SEAL_BYTES + _MARK_BYTES + _KEYED_BYTES):
        raise _damaged()
    if value[:_SEAL_BYTES] != expected[:_SEAL_BYTES]:
        raise _damaged()
    notes = []
    if value[_SEAL_BYTES : _SEAL_BYTES + _MARK_BYTES] != expected[_SEAL_BYTES : _SEAL_BYTES + _MARK_BYTES]:
        if "UN" not in _all_private(dataset):
            raise _damaged()
        notes.append("private elements came back with VR UN")
    if signed and key is not None and not hmac.compare_digest(value[-_KEYED_BYTES:], expected[-_KEYED_BYTES:]):
        raise MedsrError("the packet's signature doesn't match the key: another sender's, or a changed packet")
    if signed and key is None:
        notes.append("the packet is signed, and no key was given to check that")
    return notes


def _damaged() -> MedsrError:
    return MedsrError("the packet is damaged or was changed on the way: its seal doesn't match; have it sent again")


def marks(dataset: Dataset, *, key: bytes | None) -> bytes:
    """The seals of the coercible and addable elements that are there: a byte of number and four of digest each."""
    return b"".join(
        bytes([number]) + _mark(tag, _value(dataset, tag), key) for tag, number in _NUMBERS.items() if tag in dataset
    )


def check_marks(dataset: Dataset, value: bytes, *, key: bytes | None) -> list[str]:
    """Notes on elements that were coerced or added on the way.

    A change of one or two bits, or to characters that no text holds, is damage, and so is an element that is gone:
    archives empty what they don't know.

    Raises:
        MedsrError: an element is damaged; the message names it.
    """
    step = 1 + _MARK_BYTES
    sealed = {value[at]: value[at + 1 : at + step] for at in range(0, len(value) // step * step, step)}
    notes = []
    for tag, number in _NUMBERS.items():
        name = keyword_for_tag(tag)
        if tag not in dataset:
            if number in sealed:
                raise MedsrError(f"the packet is damaged: {name} is gone; have it sent again")
            continue
        vr = str(dataset.get_item(tag).VR)
        if vr != dictionary_VR(tag):
            raise MedsrError(f"the packet is damaged: {name} has VR {vr}; have it sent again")
        now = _value(dataset, tag)
        if number not in sealed:
            notes.append(f"{name} was added on the way")
        elif _mark(tag, now, key) != sealed[number]:
            if tag not in COERCIBLE or _looks_damaged(tag, now, sealed[number], key):
                raise MedsrError(f"the packet is damaged: {name} doesn't match its seal; have it sent again")
            notes.append(f"{name} was changed on the way")
    return notes


def _mark(tag: BaseTag, value: bytes, key: bytes | None) -> bytes:
    content = struct.pack("<I", tag) + value
    digest = hashlib.sha256(content).digest() if key is None else hmac.digest(key, content, "sha256")
    return digest[:_MARK_BYTES]


def _looks_damaged(tag: BaseTag, value: bytes, mark: bytes, key: bytes | None) -> bool:
    """Whether flipping back a bit, or two in a short value, gives the sealed one; or the value is no text."""
    if any(byte < 32 and byte not in b"\t\n\f\r\x1b" for byte in value):
        return True
    bits = 8 * len(value)
    for first in range(bits):
        once = _flipped(value, first)
        if _mark(tag, once, key) == mark:
            return True
        if len(value) <= _SHORT_VALUE:
            for second in range(first + 1, bits):
                if _mark(tag, _flipped(once, second), key) == mark:
                    return True
    return False


def _flipped(value: bytes, bit: int) -> bytes:
    changed = bytearray(value)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def _value(dataset: Dataset, tag: BaseTag) -> bytes:
    return b"".join(part for part in _canonical(dataset, [tag], ["iso8859"]) if isinstance(part, bytes))


def _content(dataset: Dataset, but: BaseTag) -> tuple[bytes, bytes]:
    """What the sealed elements say, and the VRs of the private ones."""
    unsealed = {but, _PIXEL_DATA, *_NUMBERS}
    content, representations = bytearray(), bytearray()
    for part in _canonical(dataset, [tag for tag in _tags(dataset) if tag not in unsealed], ["iso8859"]):
        if isinstance(part, str):
            representations += part.encode()
        else:
            content += part
    return bytes(content), bytes(representations)


def _tags(dataset: Dataset) -> list[BaseTag]:
    """In order, without group lengths."""
    return [tag for tag in sorted(dataset.keys()) if tag.element]


def _canonical(dataset: Dataset, tags: list[BaseTag], encodings: list[str]) -> Iterator[bytes | str]:
    """Bytes that are the same for every lawful way of writing the elements; as text the VRs of private ones."""
    if "SpecificCharacterSet" in dataset:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about names that are none
            encodings = convert_encodings(dataset.SpecificCharacterSet)
    for tag in tags:
        element = dataset.get_item(tag)
        vr = str(element.VR)
        items = _items(dataset, tag, vr)
        yield f"{tag}{'SQ' if items is not None else vr};" if tag.is_private else vr.encode()
        if items is not None:
            yield struct.pack("<II", tag, 0xFFFFFFFF)
            for item in items:
                yield b"item"
                yield from _canonical(item, _tags(item), encodings)
            yield b"end"
        else:
            data = _bytes_of(element, encodings)
            yield struct.pack("<II", tag, len(data)) + data


def _items(dataset: Dataset, tag: BaseTag, vr: str) -> list[Dataset] | None:
    """The items of a sequence; also of a private one that came back as UN, in implicit VR (PS3.5, 6.2.2)."""
    if vr == "SQ":
        return list(dataset[tag].value or [])
    value = dataset.get_item(tag).value
    if vr != "UN" or not isinstance(value, bytes) or not value.startswith(b"\xfe\xff\x00\xe0"):
        return None
    try:
        return list(convert_SQ(value, True, True))
    except Exception:  # not a sequence after all
        return None


def _bytes_of(element: DataElement | RawDataElement, encodings: list[str]) -> bytes:
    """The value as it stands in the file, without padding, text as UTF-8 where it decodes."""
    value, vr = element.value, str(element.VR)
    if not isinstance(value, bytes):  # parsed before, as the character set is
        values: Any = [value] if isinstance(value, str) or not hasattr(value, "__iter__") else value
        value = "\\".join("" if one is None else str(one) for one in values).encode("utf-8", "surrogateescape")
    elif vr in _TEXT:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about what can't be decoded, which stays as it is
            text = decode_bytes(value, encodings, set())
        value = value if "\N{REPLACEMENT CHARACTER}" in text else text.encode("utf-8", "surrogateescape")
    return value.rstrip(b" \0") if vr in _PADDED and not element.tag.is_private else value


def _all_private(dataset: Dataset) -> Iterator[str]:
    """VRs of private elements at any depth."""
    for tag in _tags(dataset):
        vr = str(dataset.get_item(tag).VR)
        if tag.is_private:
            yield vr
        for item in _items(dataset, tag, vr) or []:
            yield from _all_private(item)
