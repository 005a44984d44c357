"""Small images that are ready to be coded, in any setting of their codec."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from medsr_jax.transmission.codecs import Codec
from medsr_jax.transmission.fidelity import Fidelity
from medsr_jax.transmission.mapping import to_codes, widened
from medsr_jax.transmission.packet import Packet, PacketHeader

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


class Shrunk:
    """Small images that are ready to be coded; the middle frame stands for all where one is judged.

    Args:
        frames: of codes, (rows, columns) each.
        header: with any quality.
        codec: that codes them.
        dataset, container: of the packet.
        values: of the one frame, less `base`, before they became codes; where the codec has speeds.
        base: was subtracted from `values`.
    """

    def __init__(
        self,
        frames: list[np.ndarray],
        header: PacketHeader,
        codec: Codec,
        dataset: Dataset | None,
        container: str,
        *,
        values: np.ndarray | None = None,
        base: float = 0,
    ) -> None:
        self.frames, self.header, self._codec, self._dataset = frames, header, codec, dataset
        self._container = container
        self._values, self._base = values, base
        self.middle = len(frames) // 2
        self.fidelity = Fidelity(frames[self.middle])

    def packet(self, setting: float) -> Packet:
        """Of one setting of the codec for all frames."""
        streams = tuple(self._codec.encode(frame, setting) for frame in self.frames)
        return self._packet(streams, self.fidelity.quality_of(self._codec, setting, streams[self.middle]))

    def paced(self, setting: float, contrast: float, speed: int) -> Packet:
        """Of one setting of a codec with speeds; its quality is 100 until `with_quality`."""
        header = self.header
        header = dataclasses.replace(header, high=widened(header.low, header.high, contrast=contrast), quality=100)
        stream = self._codec.encode(self._codes(header), setting, speed=speed)
        return Packet((stream,), header, self._dataset, container=self._container)

    def with_quality(self, packet: Packet) -> Packet:
        """A packet of `paced` with its quality."""
        codes = self._codes(packet.header)
        fidelity = self.fidelity if codes is self.frames[0] else Fidelity(codes)
        quality = fidelity.quality_of(self._codec, 1, packet.streams[0])
        return dataclasses.replace(packet, header=dataclasses.replace(packet.header, quality=quality))

    def _codes(self, header: PacketHeader) -> np.ndarray:
        """The codes of the one frame under a header's window."""
        if header.high == self.header.high or self._values is None:
            return self.frames[0]
        low, high = header.low - self._base, header.high - self._base
        return to_codes(self._values, low=low, high=high, levels=header.levels, dithered=True)

    def of_quality(self, quality: int) -> Packet:
        """Of one quality: each frame has the fidelity that it would have as a JPEG."""
        measured = (
            self.fidelity if number == self.middle else Fidelity(frame) for number, frame in enumerate(self.frames)
        )
        return self._packet(tuple(one.stream(self._codec, quality) for one in measured), quality)

    def _packet(self, streams: tuple[bytes, ...], quality: int) -> Packet:
        header = dataclasses.replace(self.header, quality=quality)
        return Packet(streams, header, self._dataset, container=self._container)
