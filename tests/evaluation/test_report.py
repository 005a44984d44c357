from __future__ import annotations

import csv
import dataclasses
import html.parser
import math
import pathlib
import urllib.parse
from typing import Any

import numpy as np
import PIL.Image
import pytest

from medsr_jax.evaluation.baselines import enlarge
from medsr_jax.evaluation.fidelity import fidelity
from medsr_jax.evaluation.link import Measured
from medsr_jax.evaluation.report import Row, compared, write_page, write_pictures, write_table
from medsr_jax.imaging import Image
from medsr_jax.restoration import Restored
from medsr_jax.transmission import compress
from medsr_jax.transmission.packet_io import packet_bytes


class Page(html.parser.HTMLParser):
    """The text of a page, and the files that it refers to."""

    def __init__(self, text: Any) -> None:
        super().__init__()
        self.files, self.text = set(), ""
        self.feed(text)

    def handle_starttag(self, tag: Any, attrs: Any) -> None:
        self.files |= {urllib.parse.unquote(value) for name, value in attrs if name in ("src", "href")}

    def handle_data(self, data: Any) -> None:
        self.text += data


def through_the_link(pixels: Any, *, inverted: Any = False) -> tuple[Any, ...]:
    """An image, and what a link whose receiver knows nothing but bicubic makes of it."""
    image = Image(pixels=pixels[None], value_range=(0, np.iinfo(pixels.dtype).max), kind="png", inverted=inverted)
    packet = compress(image, scale=2, quality=60, preprocess=False)
    bicubic = enlarge(packet)
    near = fidelity(bicubic, image.pixels, value_range=image.value_range)
    measured = Measured(
        file=packet_bytes(packet),
        packet=packet,
        restored=Restored(bicubic, None),
        bicubic=bicubic,
        ratio=packet.ratio(),
        quality=60,
        psnr=near.psnr,
        ssim=near.ssim,
        psnr_bicubic=near.psnr,
        ssim_bicubic=near.ssim,
    )
    return image, measured, near


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, radiograph: np.ndarray) -> tuple[Any, ...]:
    folder = tmp_path_factory.mktemp("report")
    rows = []
    for name, pixels in (("a <b> & 50%.png", radiograph), ("deep/c#1.png", radiograph.astype(np.uint16) * 200)):
        image, measured, near = through_the_link(pixels)
        better = dataclasses.replace(near, psnr=near.psnr + len(rows) + 1)
        pictures = write_pictures(folder, name.removesuffix(".png"), image, measured)
        sent = (measured.sent_bytes, measured.ratio, 2, "jpeg", 60)
        rows.append(Row(name, *sent, "tiny", near, better, pictures))
    write_table(folder / "images.csv", rows)
    write_page(folder / "index.html", rows, title="A <title>", settings={"scale": "2", "codec": "jpeg <q> 60"})
    return folder, rows


def test_every_file_of_the_page_is_there(report: Any) -> None:
    folder, rows = report
    page = Page((folder / "index.html").read_text())
    assert page.files == {picture for row in rows for picture in row.pictures}
    assert all((folder / name).is_file() for name in page.files)


def test_names_are_shown_as_they_are(report: Any) -> None:
    folder, _ = report
    text = Page((folder / "index.html").read_text()).text
    for shown in ("a <b> & 50%.png", "deep/c#1.png", "A <title>", "jpeg <q> 60"):
        assert shown in text


def test_the_page_states_the_ratio_and_what_it_is_not_for(report: Any) -> None:
    folder, _ = report
    text = Page((folder / "index.html").read_text()).text
    assert "published ceilings" in text
    assert "Not for primary diagnosis" in text


def test_pictures_are_of_the_originals_size_and_alike_in_grey(report: Any, radiograph: np.ndarray) -> None:
    folder, rows = report
    for row in rows:
        shown = [np.asarray(PIL.Image.open(folder / picture)) for picture in row.pictures]
        assert {picture.shape for picture in shown} == {radiograph.shape}
        assert abs(shown[0].astype(float).mean() - shown[2].astype(float).mean()) < 2


def test_an_inverted_image_is_shown_with_high_values_white(tmp_path: pathlib.Path, radiograph: np.ndarray) -> None:
    image, measured, _ = through_the_link(radiograph, inverted=True)
    first = write_pictures(tmp_path, "a", image, measured)[0]
    shown = np.asarray(PIL.Image.open(tmp_path / first)).astype(float)
    assert np.corrcoef(shown.ravel(), radiograph.ravel())[0, 1] < -0.99


def test_the_table_holds_every_measure_of_every_image(report: Any) -> None:
    folder, rows = report
    with (folder / "images.csv").open(newline="") as stream:
        read = list(csv.DictReader(stream))
    assert [entry["image"] for entry in read] == [row.name for row in rows]
    assert [read[0][name] for name in ("scale", "codec", "quality", "model")] == ["2", "jpeg", "60", "tiny"]
    assert float(read[0]["psnr_restored"]) - float(read[0]["psnr_bicubic"]) == pytest.approx(1, abs=1e-3)
    assert math.isnan(float(read[0]["lpips_bicubic"]))  # was not asked for


def test_differences_are_paired(report: Any) -> None:
    _, rows = report
    _, _, difference = compared(rows)["psnr"]
    assert difference.value == pytest.approx(1.5)
    assert 1 <= difference.low <= difference.high <= 2
    assert "lpips" not in compared(rows)
