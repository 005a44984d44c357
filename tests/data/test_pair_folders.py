import pathlib

import numpy as np
import pytest
from PIL import Image

from medsr_jax.data.pair_folders import load_pair_folders
from medsr_jax.errors import MedsrError
from tests.data.pictures import ct, picture, png


@pytest.fixture
def folders(tmp_path: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """Two pairs of scale 2; the small ones are JPEG."""
    for number, name in enumerate(("a", "deep/b")):
        large = picture(number, (48, 40))
        png(tmp_path / "hr" / f"{name}.png", large)
        path = tmp_path / "lr" / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(large[::2, ::2]).save(path, quality=95)
    return tmp_path / "lr", tmp_path / "hr"


def test_pairs_are_found_by_name(folders: tuple[pathlib.Path, pathlib.Path]) -> None:
    small, large = load_pair_folders(*folders, scale=2)
    assert [image.shape for image in small] == [(24, 20)] * 2
    for number in range(2):
        np.testing.assert_array_equal(large[number], picture(number, (48, 40)))
        np.testing.assert_allclose(small[number].astype(int), large[number][::2, ::2], atol=8)
    assert len(load_pair_folders(*folders, scale=2, smallest=40)[0]) == 2
    with pytest.raises(MedsrError, match="hr: no image with both sides of 41"):
        load_pair_folders(*folders, scale=2, smallest=41)


def test_deep_pairs_are_seen_through_the_large_ones_window(tmp_path: pathlib.Path) -> None:
    hounsfield = picture(1, (48, 40)).astype(int) * 8 - 1000
    for name, values in (("lr", hounsfield[::2, ::2]), ("hr", hounsfield)):
        (tmp_path / name).mkdir()
        ct(tmp_path / name / "a.dcm", values)
        png(tmp_path / name / "b.png", ((values + 1000) * 20).astype(np.uint16))
    small, large = load_pair_folders(tmp_path / "lr", tmp_path / "hr", scale=2)
    for number in range(2):
        assert small[number].dtype == np.uint16
        np.testing.assert_array_equal(small[number], large[number][::2, ::2])


def test_a_pair_that_does_not_fit_is_named(folders: tuple[pathlib.Path, pathlib.Path]) -> None:
    lr, hr = folders
    with pytest.raises(MedsrError, match=r"a.png: has 48 x 40 pixels .* not 4 times the 24 x 20 of .*a.jpg"):
        load_pair_folders(lr, hr, scale=4)
    png(hr / "deep" / "b.png", picture(1, (47, 40)))
    with pytest.raises(MedsrError, match=r"b.png: has 47 x 40 pixels"):
        load_pair_folders(lr, hr, scale=2)
    png(hr / "deep" / "b.png", picture(1, (48, 40), np.uint16))
    with pytest.raises(
        MedsrError, match=r"b.png: stores values 0..65535, but .*b.jpg 0..255; both must store equal values"
    ):
        load_pair_folders(lr, hr, scale=2)


def test_a_file_without_a_partner_is_named(folders: tuple[pathlib.Path, pathlib.Path]) -> None:
    lr, hr = folders
    png(lr / "extra.png", picture(0))
    with pytest.raises(MedsrError, match="extra.png: has no partner extra in .*hr"):
        load_pair_folders(lr, hr, scale=2)
    (lr / "extra.png").unlink()
    (lr / "deep" / "b.jpg").unlink()
    with pytest.raises(MedsrError, match="b.png: has no partner deep/b in .*lr"):
        load_pair_folders(lr, hr, scale=2)


def test_two_files_of_one_name_and_missing_folders_are_refused(folders: tuple[pathlib.Path, pathlib.Path]) -> None:
    lr, hr = folders
    png(hr / "a.tif", picture(0))
    with pytest.raises(MedsrError, match="a.tif: has the same name as .*a.png"):
        load_pair_folders(lr, hr, scale=2)
    with pytest.raises(MedsrError, match="none: no such folder"):
        load_pair_folders(lr / "none", hr, scale=2)
