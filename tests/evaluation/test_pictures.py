"""Pictures are read back from their PNG: each image is in its place, and so is its detail."""

from __future__ import annotations

import dataclasses
import pathlib

import numpy as np
import pydicom.data
import pytest

from medsr_jax.evaluation import demo
from medsr_jax.evaluation.baselines import enlarge
from medsr_jax.evaluation.link import Measured, measure
from medsr_jax.evaluation.pictures import busiest_square, side_by_side
from medsr_jax.imaging import Image, read_image
from medsr_jax.restoration import Restorer
from tests.evaluation.drawn import likeness, read_panels


def shown(image: Image, measured: Measured) -> list[np.ndarray]:
    """What the four panels show, in order."""
    sent = enlarge(measured.packet, method="nearest")
    return [frames[0] for frames in (image.pixels, sent, measured.bicubic, measured.restored.pixels)]


@pytest.mark.parametrize("inverted", [False, True])
def test_side_by_side_shows_all_four_images_and_their_details(
    radiograph: np.ndarray, inverted: bool, tmp_path: pathlib.Path
) -> None:
    image = Image(pixels=radiograph[None], value_range=(0, 255), kind="png", name="picture", inverted=inverted)
    measured = measure(image, Restorer("bicubic"), quality=60)
    # Mirrored, so that no panel can pass for another.
    measured = dataclasses.replace(
        measured,
        bicubic=np.ascontiguousarray(measured.bicubic[:, :, ::-1]),
        restored=dataclasses.replace(measured.restored, pixels=np.ascontiguousarray(radiograph[None, ::-1])),
    )
    top, left, side = 16, 96, 32
    side_by_side(tmp_path / "p.png", image, measured, zoom=(top, left, side), title="test")
    wholes, details = read_panels(tmp_path / "p.png")
    sign = -1 if inverted else 1
    for pixels, whole, detail in zip(shown(image, measured), wholes, details, strict=True):
        assert sign * likeness(whole, pixels) > 0.95
        assert sign * likeness(detail, pixels[top : top + side, left : left + side]) > 0.9
        orange = np.argwhere(whole[..., 0] - whole[..., 2] > 150) / whole.shape[:2] * radiograph.shape
        np.testing.assert_allclose(orange.min(0), (top, left), atol=3)
        np.testing.assert_allclose(orange.max(0), (top + side, left + side), atol=3)


def test_the_demo_writes_what_travels_what_comes_out_and_pictures_of_both(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    source = pathlib.Path(pydicom.data.get_testdata_file("examples_overlay.dcm"))
    monkeypatch.setattr(demo, "chest_radiograph", lambda: source)
    results = dict(demo.run(tmp_path, Restorer("bicubic")))
    assert (tmp_path / "original.dcm").read_bytes() == source.read_bytes()
    assert (tmp_path / "sent.dcm").read_bytes() == results["whole"].file
    assert (tmp_path / "sent-crop.jpg").read_bytes() == results["crop 512x512"].file
    budget = results["crop, 1,740 bytes"]
    assert (tmp_path / "sent-budget.medsr").read_bytes() == budget.file
    assert budget.sent_bytes <= 1740
    assert (tmp_path / "demo-bytes.png").stat().st_size > 10_000
    image = read_image(source)
    for name, sent, picture in (
        ("whole", "restored.dcm", "demo.png"),
        ("crop 512x512", "restored-crop.png", "demo-crop.png"),
    ):
        measured = results[name]
        np.testing.assert_array_equal(read_image(tmp_path / sent).pixels, measured.restored.pixels)
        top, left, side = busiest_square(image.pixels[0], side=300 // 5)
        wholes, details = read_panels(tmp_path / picture)
        for pixels, whole, detail in zip(shown(image, measured), wholes, details, strict=True):
            assert likeness(whole, pixels) > 0.8  # values are clipped to the 99th percentile
            assert likeness(detail, pixels[top : top + side, left : left + side]) > 0.8


def test_the_busiest_square_is_where_the_texture_is() -> None:
    pixels = np.full((160, 200), 90, np.uint8)
    pixels[80:112, 112:144] = np.random.default_rng(0).integers(0, 255, (32, 32))
    top, left, side = busiest_square(pixels, side=32)
    assert side == 32
    assert abs(top - 80) <= 8
    assert abs(left - 112) <= 8
