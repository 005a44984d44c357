from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as Pillow

from medsr_jax.errors import MedsrError
from medsr_jax.jpeg.coefficients import coefficients, parse
from medsr_jax.transmission.codecs import decode_jpeg, encode_jpeg
from tests.transmission.images import bundled, made


def _cosines() -> np.ndarray:
    n = np.arange(8)
    matrix = np.sqrt(2 / 8) * np.cos((2 * n[None] + 1) * n[:, None] * np.pi / 16)
    matrix[0] /= np.sqrt(2)
    return matrix


def _blocks(image: np.ndarray) -> np.ndarray:
    rows, columns = image.shape
    padded = np.pad(image.astype(np.float64), ((0, -rows % 8), (0, -columns % 8)), mode="edge") - 128
    return padded.reshape(-(-rows // 8), 8, -(-columns // 8), 8).transpose(0, 2, 1, 3)


def _real() -> list[np.ndarray]:
    found = []
    for name in ("CT_small.dcm", "examples_overlay.dcm", "MR_small.dcm"):
        pixels = bundled(name).pixels[0].astype(np.float64)
        stretched = 300 * (pixels - pixels.min()) / np.ptp(pixels) - 20  # clips at both ends
        found.append(np.clip(np.rint(stretched), 0, 255).astype(np.uint8))
    return found


@pytest.mark.parametrize("quality", [1, 30, 50, 75, 100])
def test_truth_lies_within_half_a_step_of_what_was_sent(quality: int) -> None:
    for image in _real():
        stream = encode_jpeg(image, quality)
        parts = parse(stream)
        indices, table = coefficients(parts), parts.table
        assert indices is not None
        assert table is not None
        matrix = _cosines()
        truth = np.einsum("ij,abjk,lk->abil", matrix, _blocks(image), matrix) / table
        # The encoder's integer transform is exact to about 0.3 in the unit of the samples.
        assert np.abs(truth - indices).max() <= 0.5 + 0.35 / table.min()


@pytest.mark.parametrize("quality", [50, 75])
def test_inverse_transform_of_the_indices_is_the_decoded_image(quality: int) -> None:
    for image in _real():
        stream = encode_jpeg(image, quality)
        parts = parse(stream)
        indices, table = coefficients(parts), parts.table
        assert indices is not None
        matrix = _cosines()
        samples = np.einsum("ji,abjk,kl->abil", matrix, indices * table, matrix) + 128
        flat = samples.transpose(0, 2, 1, 3).reshape(samples.shape[0] * 8, samples.shape[1] * 8)
        decoded = decode_jpeg(stream)
        shown = np.clip(np.rint(flat), 0, 255)[: image.shape[0], : image.shape[1]]
        assert np.abs(shown - decoded).max() <= 1


def test_table_is_annex_k_scaled() -> None:
    table = parse(encode_jpeg(made().pixels[0], 50)).table
    assert table is not None
    np.testing.assert_array_equal(table[0], [16, 11, 10, 16, 24, 40, 51, 61])
    np.testing.assert_array_equal(table[:, 0], [16, 12, 14, 14, 18, 24, 49, 72])


def _pillow(image: np.ndarray, **options: object) -> bytes:
    target = io.BytesIO()
    Pillow.fromarray(image).save(target, "JPEG", **options)  # type: ignore[arg-type]
    return target.getvalue()


def test_restart_markers_are_followed() -> None:
    image = made(50, 70).pixels[0]
    plain, marked = _pillow(image, quality=60), _pillow(image, quality=60, restart_marker_blocks=5)
    assert b"\xff\xd3" in marked
    np.testing.assert_array_equal(coefficients(parse(plain)), coefficients(parse(marked)))


def test_colour_and_progressive_files_have_none() -> None:
    image = made(50, 70).pixels[0]
    assert coefficients(parse(_pillow(np.stack([image] * 3, axis=2), quality=60))) is None
    assert coefficients(parse(_pillow(image, quality=60, progressive=True))) is None


def test_damage_is_an_error_and_never_a_crash() -> None:
    stream = encode_jpeg(made().pixels[0], 60)
    random = np.random.default_rng(0)
    with pytest.raises(MedsrError):
        coefficients(parse(stream[: len(stream) // 2]))
    for _ in range(200):
        broken = bytearray(stream)
        for at in random.integers(2, len(stream), 3):
            broken[at] = random.integers(256)
        try:
            coefficients(parse(bytes(broken)))
        except MedsrError:
            continue


def test_size_is_not_believed_without_the_data_for_it() -> None:
    stream = bytearray(encode_jpeg(made().pixels[0], 60))
    at = stream.index(b"\xff\xc0")
    stream[at + 5 : at + 9] = b"\xff\xdc\xff\xdc"  # 65500 x 65500
    with pytest.raises(MedsrError):
        coefficients(parse(bytes(stream)))
