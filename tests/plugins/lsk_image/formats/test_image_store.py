import io
import struct
import zlib

import numpy as np
import pytest
from PIL import ExifTags, Image

from ls_base.errors import InputError
from lsk_image.formats import image_store
from lsk_image.formats.decode import decode_image, upright_size
from lsk_image.formats.image_store import ArrayPixels, EncodedPixels


def encoded(array, kind="png", mode=None, **options):
    buffer = io.BytesIO()
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def colors(rng):
    return rng.integers(0, 256, (6, 5, 7, 3), dtype=np.uint8)


def of(contents, **options):
    return EncodedPixels(
        lambda rows: [contents[row] for row in rows], len(contents), "row {}".format, **options
    )


def test_lossless_images_come_back_in_any_order(colors):
    images = of([encoded(c) for c in colors])
    rows = np.array([4, 0, 4])
    assert images.shape == (5, 7, 3)
    np.testing.assert_array_equal(images.gather(rows), colors[rows])


def test_what_memory_does_not_hold_is_decoded_for_each_batch(colors, monkeypatch):
    read = []
    contents = [encoded(c) for c in colors]
    for memory, again in ((colors.nbytes - 1, [2, 1]), (colors.nbytes, [])):
        monkeypatch.setattr(image_store, "IN_MEMORY", memory)
        images = EncodedPixels(
            lambda rows: read.extend(rows.tolist()) or [contents[row] for row in rows], 6, str
        )
        images.keep(np.array([1, 2]))
        assert images.decodes is bool(again)
        read.clear()
        np.testing.assert_array_equal(images.gather(np.array([2, 1])), colors[[2, 1]])
        assert read == again
        np.testing.assert_array_equal(images.gather(np.array([3, 1])), colors[[3, 1]])


def test_nothing_is_decoded_before_it_is_asked_for():
    def read(rows):
        raise AssertionError

    images = EncodedPixels(read, 6, str)
    assert len(images) == 6


def test_large_images_are_decoded_in_threads(rng):
    large = rng.integers(0, 256, (3, 120, 110), dtype=np.uint8)
    images = of([encoded(image) for image in large])
    np.testing.assert_array_equal(images.gather(np.array([2, 1]))[..., 0], large[[2, 1]])


def test_the_shorter_side_is_scaled_and_the_middle_cut_out():
    image = np.zeros((10, 30), np.uint8)
    image[:, 8:22] = 200
    np.testing.assert_array_equal(decode_image(encoded(image), "it", size=5), 200)
    halves = np.repeat(np.array([[0] * 4 + [200] * 4], np.uint8), 4, axis=0)  # 4 × 8
    small = decode_image(encoded(halves), "it", size=4)[..., 0]
    np.testing.assert_array_equal(small, [[0, 0, 200, 200]] * 4)


def test_channels_are_converted():
    gray = encoded(np.full((4, 4), 9, np.uint8))
    assert decode_image(gray, "it", channels=3).tolist() == [[[9, 9, 9]] * 4] * 4
    palette = encoded(np.full((4, 4, 3), 255, np.uint8), mode="P")
    assert decode_image(palette, "it", channels=1).tolist() == [[[255]] * 4] * 4


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_lies_on_white(mode):
    gray = np.array([[0, 0, 0, 0], [100, 100, 100, 255], [0, 0, 0, 128]], np.uint8)[None]
    image = Image.fromarray(gray)
    expected = [255, 100, 127]
    if mode == "P":  # half transparent is more than it has
        image, expected = Image.fromarray(np.array([[0, 1, 2]], np.uint8), "L"), [255, 100, 200]
        image.putpalette([0, 0, 0, 100, 100, 100, 200, 200, 200])
        image.info["transparency"] = 0
    buffer = io.BytesIO()
    (image.convert(mode) if mode == "LA" else image).save(buffer, "png")
    with Image.open(buffer) as stored:
        assert stored.mode == mode
    for channels in (1, 3):
        changed = np.zeros(2, bool)
        found = decode_image(buffer.getvalue(), "it", channels=channels, changed=changed)
        assert found.tolist() == [[[value] * channels for value in expected]]
        assert changed.tolist() == [False, True]


def test_a_color_that_is_transparent_is_white():
    gray = encoded(np.array([[7, 9]], np.uint8), transparency=7)
    assert decode_image(gray, "it").tolist() == [[[255], [9]]]


@pytest.mark.parametrize("kind", ["png", "tiff", "jpeg"])
def test_pictures_are_turned_as_exif_says(kind):
    shown = np.repeat(np.repeat(np.array([[0, 90, 160], [250, 40, 120]], np.uint8), 8, 0), 8, 1)
    turned = {
        1: shown,
        2: shown[:, ::-1],
        3: shown[::-1, ::-1],
        4: shown[::-1],
        5: shown.T,
        6: np.rot90(shown),  # a camera that was turned clockwise
        7: shown[::-1, ::-1].T,
        8: np.rot90(shown, -1),
    }
    for orientation, stored in turned.items():
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        content = encoded(np.ascontiguousarray(stored), kind, exif=exif)
        found = decode_image(content, "it")[..., 0]
        np.testing.assert_allclose(found, shown, atol=6 if kind == "jpeg" else 0)
        with Image.open(io.BytesIO(content)) as opened:
            assert upright_size(opened) == (24, 16)


def test_exif_that_is_none_turns_nothing():
    image = np.full((4, 6), 9, np.uint8)
    content = encoded(image, "jpeg", exif=b"Exif\0\0nothing of it", dpi=(72, 72))
    assert decode_image(content, "it").shape == (4, 6, 1)
    with Image.open(io.BytesIO(content)) as opened:
        assert upright_size(opened) == (6, 4)


def test_pictures_of_1_bit_are_gray():
    content = encoded(np.array([[True, False]]))
    with Image.open(io.BytesIO(content)) as opened:
        assert opened.mode == "1"
    for channels in (None, 1, 3):
        assert decode_image(content, "it", channels=channels)[..., 0].tolist() == [[255, 0]]


def test_of_16_bits_the_upper_8_are_taken():
    """Pillow's own conversion makes 255 of all above."""
    deep = encoded(np.array([[0, 255, 256], [32768, 65535, 512]], np.uint16))
    expected = [[0, 0, 1], [128, 255, 2]]
    assert decode_image(deep, "it")[..., 0].tolist() == expected
    assert decode_image(deep, "it", channels=3)[..., 2].tolist() == expected
    pgm = b"P5 3 1 65535\n" + np.array([255, 256, 65535], ">u2").tobytes()
    assert decode_image(pgm, "it")[..., 0].tolist() == [[0, 1, 255]]
    for wide in (np.full((2, 2), 0.5, np.float32), np.full((2, 2), 9, np.int32)):
        with pytest.raises(InputError, match="picture it: mode [FI], not 8 or 16 bits a channel"):
            decode_image(encoded(wide, "tiff"), "it", channels=1)


def test_arrays_are_brought_to_size_and_channels(colors):
    assert ArrayPixels(colors, "it").array is colors
    assert ArrayPixels(colors[..., 0], "it").shape == (5, 7, 1)
    assert ArrayPixels(colors, "it", size=4, channels=1).gather(np.arange(2)).shape == (2, 4, 4, 1)
    assert ArrayPixels(colors[..., 0], "it", channels=3).shape == (5, 7, 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (encoded(np.zeros((99, 99, 3), np.uint8), "jpeg")[:-9], "row 1: image file is truncated"),
        (b"no image", "row 1: not a picture in a known format"),
        (b"", "row 1"),
        (encoded(np.zeros((9, 9), np.uint8)), r"row 1 of shape \(9, 9, 1\)"),
        (encoded(np.zeros((9, 8, 3), np.uint8)), r"row 1 of shape \(9, 8, 3\)"),
        (encoded(np.zeros((9, 9, 3), np.uint8), mode="RGBA"), "row 1 of mode RGBA"),
        (encoded(np.zeros((9, 9, 3), np.uint8), "jpeg", mode="CMYK"), "row 1 of mode CMYK"),
    ],
    ids=["cut off", "no image", "empty", "gray", "narrower", "transparent", "for print"],
)
def test_a_damaged_or_different_image_is_told_by_its_row(content, message):
    images = of([encoded(np.zeros((9, 9, 3), np.uint8)), content])
    with pytest.raises(InputError, match=message):
        images.gather(np.array([0, 1]))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((3, 4, 4, 2), np.uint8), r"\(3, 4, 4, 2\), uint8"),
        (np.zeros((3, 4, 4), np.float32), "float32"),
        (np.zeros((3, 16), np.uint8), r"\(3, 16\)"),
        (np.zeros((0, 4, 4), np.uint8), "at least one image"),
    ],
)
def test_other_arrays_are_told(array, message):
    with pytest.raises(InputError, match=message):
        ArrayPixels(array, "it")


def test_no_images_are_told():
    with pytest.raises(InputError, match="Received: none"):
        of([])


def test_a_picture_that_claims_any_size_is_told_before_it_is_decoded():
    content = bytearray(encoded(np.zeros((4, 4), np.uint8)))
    content[16:24] = struct.pack(">II", 9_000, 9_000)
    content[29:33] = struct.pack(">I", zlib.crc32(bytes(content[12:29])))
    with pytest.raises(InputError, match="picture x: 9000 × 9000, more than 67,108,864 pixels"):
        decode_image(bytes(content), "x")


def test_pictures_that_are_programs_are_not_run():
    content = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n"
    with pytest.raises(InputError, match="picture x: not a picture in a known format"):
        decode_image(content, "x")
