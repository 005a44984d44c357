"""Seals of DICOM packets: what must not change in transit, what an archive may coerce, detection of both.

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
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.tag import BaseTag, Tag
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32
from pydicom.values import convert_SQ

from medsr_jax.errors import MedsrError
from medsr_jax.imaging.dicom.verbatim import check_depth

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
_SHORT_VALUE = 32
_PIXEL_DATA = Tag("PixelData")


def seal(dataset: Dataset, *, but: BaseTag, key: bytes | None) -> bytes:
    """The seal of a packet's data set as it was parsed from a file.

    Args:
        dataset: of the packet, its coercion marks included.
        but: the element that will hold the seal.
        key: of the sender and its receivers, or None.

    Returns:
        8 bytes over all sealed elements and 4 over the VRs of private ones; with a key 16 bytes more over the sealed
        elements, and 16 over those that are sealed one by one.
    """
    content, representations = _content(dataset, but)
    plain = hashlib.sha256(content).digest()[:_SEAL_BYTES] + hashlib.sha256(representations).digest()[:_MARK_BYTES]
    if key is None:
        return plain
    coercible = b"".join(_value(dataset, tag) for tag in _NUMBERS if tag in dataset)
    signatures = [hmac.digest(key, what, "sha256")[:_KEYED_BYTES] for what in (content, coercible)]
    return plain + b"".join(signatures)


def check_seal(dataset: Dataset, value: bytes, marked: bytes, *, but: BaseTag, key: bytes | None) -> list[str]:
    """Refuses a data set that is not the sealed one; notes on what was lawfully changed.

    Args:
        dataset: as it was parsed from a file.
        value, marked: of `seal` and `marks`.
        but, key: as of `seal`.

    Raises:
        MedsrError: it was damaged or changed, or is not signed with the key.
    """
    plain = _SEAL_BYTES + _MARK_BYTES
    signed = len(value) == plain + 2 * _KEYED_BYTES
    if key is not None and len(value) == plain:
        raise MedsrError("the packet is not signed, and a key was given: have it sent with the key")
    expected = seal(dataset, but=but, key=key if signed else None)
    if not (signed or len(value) == plain) or value[:_SEAL_BYTES] != expected[:_SEAL_BYTES]:
        raise _damaged()
    coerced = check_marks(dataset, marked)
    notes = list(coerced)
    if value[_SEAL_BYTES:plain] != expected[_SEAL_BYTES:plain]:
        if "UN" not in _all_private(dataset):
            raise _damaged()
        notes.append("private elements came back with VR UN")
    if signed and key is not None:
        sealed = slice(plain, plain + _KEYED_BYTES)
        # Where nothing was coerced, marks of 4 bytes could have been forged.
        whole = coerced or hmac.compare_digest(value[-_KEYED_BYTES:], expected[-_KEYED_BYTES:])
        if not (hmac.compare_digest(value[sealed], expected[sealed]) and whole):
            raise MedsrError("the packet's signature doesn't match the key: another sender's, or a changed packet")
    if signed and key is None:
        notes.append("the packet is signed, and no key was given to check that")
    return notes


def _damaged() -> MedsrError:
    return MedsrError(
        "the packet is damaged or was changed on the way: its seal doesn't match", remedy="have it sent again"
    )


def marks(dataset: Dataset) -> bytes:
    """The seals of the coercible and addable elements that are there: a byte of number and four of digest each."""
    return b"".join(
        bytes([number]) + _mark(tag, _value(dataset, tag)) for tag, number in _NUMBERS.items() if tag in dataset
    )


def check_marks(dataset: Dataset, value: bytes) -> list[str]:
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
                raise MedsrError(f"the packet is damaged: {name} is gone", remedy="have it sent again")
            continue
        vr = str(dataset.get_item(tag).VR)
        if vr != dictionary_VR(tag):
            raise MedsrError(f"the packet is damaged: {name} has VR {vr}", remedy="have it sent again")
        if number not in sealed:
            notes.append(f"{name} was added on the way")
        elif _mark(tag, _value(dataset, tag)) != sealed[number]:
            if tag not in COERCIBLE or _looks_damaged(dataset, tag, sealed[number]):
                raise MedsrError(f"the packet is damaged: {name} doesn't match its seal", remedy="have it sent again")
            notes.append(f"{name} was changed on the way")
    return notes


def _mark(tag: BaseTag, value: bytes) -> bytes:
    return hashlib.sha256(struct.pack("<I", tag) + value).digest()[:_MARK_BYTES]


def _looks_damaged(dataset: Dataset, tag: BaseTag, mark: bytes) -> bool:
    """Whether flipping back a bit, or two in a short value, gives the sealed one; or the value is no text."""
    element, encodings = dataset.get_item(tag), _encodings(dataset, ["iso8859"])
    value, vr = element.value, str(element.VR)
    if not isinstance(value, bytes):
        value = _written(element, encodings)

    def is_sealed(candidate: bytes) -> bool:
        return _mark(tag, _plain(candidate, vr, encodings)) == mark

    if any(byte < 32 and byte not in b"\0\t\n\f\r\x1b" for byte in value):
        return True
    bits = range(8 * len(value))
    if any(is_sealed(_flipped(value, bit)) for bit in bits):
        return True
    short = len(value) <= _SHORT_VALUE
    return short and any(is_sealed(_flipped(_flipped(value, bit), other)) for bit in bits for other in bits[bit + 1 :])


def _flipped(value: bytes, bit: int) -> bytes:
    changed = bytearray(value)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def _value(dataset: Dataset, tag: BaseTag) -> bytes:
    """An element's content: of a sequence in the canonical form, else the value alone."""
    element = dataset.get_item(tag)
    if str(element.VR) != "SQ":
        return _bytes_of(element, _encodings(dataset, ["iso8859"]))
    return b"".join(part for part in _canonical(dataset, [tag], ["iso8859"]) if isinstance(part, bytes))


def _encodings(dataset: Dataset, outer: list[str]) -> list[str]:
    if "SpecificCharacterSet" not in dataset:
        return outer
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about names that are none
        return convert_encodings(dataset.SpecificCharacterSet)


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


def _canonical(dataset: Dataset, tags: list[BaseTag], encodings: list[str], *, depth: int = 1) -> Iterator[bytes | str]:
    """Bytes that are the same for every lawful way of writing the elements; as text the VRs of private ones."""
    check_depth(depth)
    encodings = _encodings(dataset, encodings)
    for tag in tags:
        element = dataset.get_item(tag)
        vr = str(element.VR)
        items = _items(dataset, tag, vr)
        yield f"{tag}{'SQ' if items is not None else vr};" if tag.is_private else vr.encode()
        if items is not None:
            yield struct.pack("<II", tag, 0xFFFFFFFF)
            for item in items:
                yield b"item"
                yield from _canonical(item, _tags(item), encodings, depth=depth + 1)
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
    """The value as it stands in the file; of standard elements without padding, text as UTF-8 where it decodes."""
    value, vr = element.value, str(element.VR)
    if not isinstance(value, bytes):  # parsed by the way, as the character set is
        value = _written(element, encodings)
    return value if element.tag.is_private else _plain(value, vr, encodings)


def _plain(value: bytes, vr: str, encodings: list[str]) -> bytes:
    if vr in _TEXT:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about what can't be decoded, which stays as it is
            text = decode_bytes(value, encodings, set())
        value = value if "\N{REPLACEMENT CHARACTER}" in text else text.encode("utf-8", "surrogateescape")
    return value.rstrip(b" \0") if vr in _PADDED else value


def _written(element: Any, encodings: list[str]) -> bytes:
    """The value of a parsed element as it is written in explicit VR little endian."""
    target = DicomBytesIO()
    target.is_implicit_VR, target.is_little_endian = False, True
    write_data_element(target, element, encodings)
    return target.getvalue()[12 if str(element.VR) in EXPLICIT_VR_LENGTH_32 else 8 :]


def _all_private(dataset: Dataset) -> Iterator[str]:
    """VRs of private elements at any depth."""
    for tag in _tags(dataset):
        vr = str(dataset.get_item(tag).VR)
        if tag.is_private:
            yield vr
        for item in _items(dataset, tag, vr) or []:
            yield from _all_private(item)
