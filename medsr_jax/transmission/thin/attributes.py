"""The attributes of DICOM in a thin packet: the original's data set, deflated with a dictionary of usual elements.

A standard packet is a DICOM object of the small image, with the original's form beside it. A thin one is no object that
an archive could file: it carries the original's elements alone, and the receiver derives the packet's object anew for
the history that the restored object begins with. Nothing re-writes a thin packet on its way, so that its checksum takes
the place of the seals.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag, Tag

from medsr_jax import __version__
from medsr_jax.errors import MedsrError
from medsr_jax.imaging.dicom.derive import STALE, damage_named, parsed_copy
from medsr_jax.imaging.dicom.differences import differing
from medsr_jax.transmission.dicom_packet import (
    GROUP,
    LONGEST_NOTE,
    MOST_NOTES,
    damage_told,
    history,
    sent_dataset,
)
from medsr_jax.transmission.original_form import deflated, inflated
from medsr_jax.transmission.packet import Packet
from medsr_jax.transmission.thin.numbers import damaged

DICTIONARY = 1
"""The number of the dictionary that senders use."""

_DICTIONARIES = range(1, DICTIONARY + 1)

_NOTES, _VERSION, _HISTORY = Tag(0x6D73, 0x1002), Tag(0x6D73, 0x1007), Tag(0x6D73, 0x1008)
PRIVATE = ((_NOTES, "UT", b""), (_VERSION, "SH", f"{__version__:16.16}".rstrip().encode()))
"""Elements of our own in the data set, with values, as the dictionary has them."""

_STALE = frozenset(Tag(keyword) for keyword in STALE)


def dictionary_file(number: int) -> pathlib.Path:
    """The file of a dictionary."""
    return pathlib.Path(__file__).parent / f"attributes-{number}.bin"


@functools.cache
def _dictionary(number: int) -> bytes:
    return dictionary_file(number).read_bytes()


def attribute_bytes(packet: Packet) -> bytes:
    """The attributes of a DICOM packet: the number of the dictionary, and a raw deflate stream.

    Raises:
        MedsrError: they can't be written.
    """
    assert packet.dataset is not None
    with damage_named():
        item = parsed_copy(packet.dataset)
        for tag in [tag for tag in item.keys() if not _travels(tag)]:  # noqa: SIM118
            del item[tag]
        version = _version(packet.sent)
        if packet.header.notes:
            text = "\n".join(packet.header.notes).encode("ascii", "replace").decode()
            item[_NOTES] = DataElement(_NOTES, "UT", text)
        item[_VERSION] = DataElement(_VERSION, "SH", version)
        if packet.sent is not None and differing(packet.sent, _history(packet, version)):
            item[_HISTORY] = DataElement(_HISTORY, "SQ", Sequence([parsed_copy(packet.sent)]))
        return bytes([DICTIONARY]) + deflated(item, dictionary=_dictionary(DICTIONARY))


def with_attributes(packet: Packet, data: bytes) -> Packet:
    """A packet with its attributes, notes and history.

    Args:
        packet: of header and code streams alone.
        data: as `attribute_bytes` wrote them.

    Raises:
        MedsrError: they are damaged, too large, or hold what no sender puts there.
    """
    if not data or data[0] not in _DICTIONARIES:
        raise MedsrError("the packet's attributes need a later version of this software: update medsr-jax")
    with damage_told():
        return _with_dataset(packet, data)


def _with_dataset(packet: Packet, data: bytes) -> Packet:
    item = inflated(data[1:], dictionary=_dictionary(data[0]))
    notes, version, sent = (item.pop(tag, None) for tag in (_NOTES, _VERSION, _HISTORY))
    if any(not _travels(tag) for tag in item.keys()):  # noqa: SIM118
        raise damaged("it has attributes that no sender puts there")
    lines = str(notes.value if notes is not None else "").splitlines()
    told = tuple(line[:LONGEST_NOTE] for line in lines[:MOST_NOTES])
    header = dataclasses.replace(packet.header, notes=told)
    found = dataclasses.replace(packet, header=header, dataset=item)
    if sent is None:
        begun = _history(found, str(version.value if version is not None else ""))
    elif isinstance(sent.value, Sequence) and len(sent.value) == 1:
        begun = sent.value[0]
    else:
        raise damaged("its history is no sequence of one item")
    kept = dataclasses.replace(header, notes=told + packet.header.notes)
    return dataclasses.replace(found, header=kept, sent=begun)


def _travels(tag: BaseTag) -> bool:
    """Whether an element of an original is one that a packet carries: none of its file, its pixels or our own."""
    return tag.group > 0x0002 and tag.element != 0 and tag not in _STALE and not (tag.group == GROUP and tag.is_private)


def _history(packet: Packet, version: str) -> Dataset:
    """What the history of a restored object begins with, were the packet's object derived by a version."""
    sent = history(sent_dataset(packet))
    sent.ContributingEquipmentSequence[-1].SoftwareVersions = version
    return sent


def _version(sent: Dataset | None) -> str:
    """The version of the software that made a packet: of one that was read, as its history states it."""
    equipment = (sent.get("ContributingEquipmentSequence") if sent is not None else None) or []
    stated = equipment[-1].get("SoftwareVersions") if equipment else __version__
    return str(stated or "")[:16].strip()
