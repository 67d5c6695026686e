"""Pictures of every usual kind are opened as RGB, and damaged ones are refused or skipped."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from edgeeff.errors import InputError
from edgeeff.pictures import images
from edgeeff.pictures.images import open_rgb, pixels, read_images
from edgeeff.pictures.preprocessing import of_family
from tests import png
from tests.pictures.saving import RED, save

GRADIENT = np.arange(48, dtype=np.uint8).reshape(4, 4, 3) * 5
"""4x4, every pixel another, so that turning shows."""

TURNS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
    8: lambda a: np.rot90(a),
}


class TestKindsOfPicture:
    @pytest.mark.parametrize("suffix", ["png", "bmp", "webp", "jpg"])
    def test_every_format_is_read(self, tmp_path, suffix):
        path = save(tmp_path / f"a.{suffix}")
        made = np.asarray(open_rgb(path)).astype(int)
        assert made.shape == (16, 20, 3)
        assert abs(made - RED).max() <= 6

    @pytest.mark.parametrize("orientation", TURNS)
    def test_a_picture_is_turned_as_its_exif_says(self, tmp_path, orientation):
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = tmp_path / "a.png"
        Image.fromarray(GRADIENT).save(path, exif=exif)
        made = np.asarray(open_rgb(path))
        assert (made == TURNS[orientation](GRADIENT)).all()

    def test_damaged_exif_does_not_matter(self, tmp_path):
        path = tmp_path / "a.jpg"
        Image.fromarray(GRADIENT).save(path, exif=b"Exif\x00\x00MM\x00*\x00\x00\xff\xff")
        assert open_rgb(path).size == (4, 4)

    @pytest.mark.parametrize(
        ("mode", "colour", "seen"),
        [
            ("L", 77, (77, 77, 77)),
            ("1", 1, (255, 255, 255)),
            ("RGBA", (*RED, 255), RED),
            ("RGBA", (*RED, 0), (255, 255, 255)),
            ("RGBA", (0, 0, 0, 128), (127, 127, 127)),
            ("LA", (0, 0), (255, 255, 255)),
            ("I;16", 77 * 256 + 200, (77, 77, 77)),
        ],
    )
    def test_a_png_of_any_mode_is_rgb_on_white(self, tmp_path, mode, colour, seen):
        path = tmp_path / "a.png"
        Image.new(mode, (4, 4), colour).save(path)
        assert (np.asarray(open_rgb(path)) == seen).all()

    def test_a_palette_and_its_transparent_colour_are_shown(self, tmp_path):
        picture = Image.fromarray(GRADIENT).convert("P", palette=Image.Palette.ADAPTIVE)
        picture.save(tmp_path / "a.png")
        seen = np.asarray(open_rgb(tmp_path / "a.png"))
        assert (seen == np.asarray(picture.convert("RGB"))).all()
        first = picture.getpixel((0, 0))
        picture.save(tmp_path / "b.png", transparency=first)
        assert (np.asarray(open_rgb(tmp_path / "b.png"))[0, 0] == 255).all()

    def test_a_cmyk_jpeg_becomes_rgb(self, tmp_path):
        path = tmp_path / "a.jpg"
        Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(path, quality=95)
        made = np.asarray(open_rgb(path)).astype(int)
        assert abs(made - (255, 0, 0)).max() <= 6

    def test_of_an_animation_the_first_frame_counts(self, tmp_path):
        frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, (0, 0, 0))]
        path = tmp_path / "a.webp"
        frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)
        assert (np.asarray(open_rgb(path)) == RED).all()

    def test_of_several_pictures_in_a_phones_jpeg_the_first_counts(self, tmp_path):
        frames = [Image.new("RGB", (16, 16), colour) for colour in (RED, (0, 0, 0))]
        path = tmp_path / "a.jpg"
        frames[0].save(path, format="MPO", save_all=True, append_images=frames[1:])
        assert abs(np.asarray(open_rgb(path)).astype(int) - RED).max() <= 6

    def test_format_that_is_not_taken_is_named_as_such(self, tmp_path):
        path = tmp_path / "a.jpg"
        Image.new("RGB", (8, 8)).save(path, format="GIF")
        with pytest.raises(InputError, match="not a JPEG, PNG, WebP or BMP"):
            open_rgb(path)


class TestDamagedPictures:
    @pytest.mark.parametrize(
        ("side", "said"),
        [(12_000, "12000 x 12000 pixels are over the limit"), (60_000, "decompression bomb")],
    )
    def test_decompression_bomb_is_not_unpacked(self, tmp_path, side, said):
        path = tmp_path / "a.png"
        path.write_bytes(png.of_one_colour(side, side, rows=1))
        with pytest.raises(InputError, match=rf"a\.png.*{said}"):
            open_rgb(path)

    @pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp"])
    @pytest.mark.parametrize("kept", [0, 10, 0.5, 0.95])
    def test_truncated_file_is_an_error_that_names_it(self, tmp_path, suffix, kept, photographs):
        path = tmp_path / f"a.{suffix}"
        photographs["chelsea"].crop((0, 0, 99, 99)).save(path)
        content = path.read_bytes()
        path.write_bytes(content[: int(kept * len(content)) if kept < 1 else kept])
        with pytest.raises(InputError, match=rf"a\.{suffix}"):
            open_rgb(path)

    @pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp"])
    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_changed_bytes_give_a_picture_or_an_input_error(self, tmp_path, suffix, data):
        buffer = io.BytesIO()
        kind = "JPEG" if suffix == "jpg" else suffix
        Image.fromarray(GRADIENT.repeat(6, 0).repeat(6, 1)).save(buffer, kind)
        content = bytearray(buffer.getvalue())
        for _ in range(data.draw(st.integers(1, 8))):
            place = data.draw(st.integers(0, len(content) - 1))
            content[place] = data.draw(st.integers(0, 255))
        path = tmp_path / f"a.{suffix}"
        path.write_bytes(content)
        with contextlib.suppress(InputError):
            assert open_rgb(path).mode == "RGB"


class TestPixels:
    @pytest.fixture
    def one_is_corrupt(self, tmp_path) -> Path:
        for n in range(4):
            save(tmp_path / f"{n}.png", size=(70, 50))
        (tmp_path / "2.png").write_bytes((tmp_path / "2.png").read_bytes()[:60])
        return tmp_path

    def test_corrupt_picture_among_good_ones_is_skipped_and_counted(self, one_is_corrupt):
        skipped: list[images.Skipped] = []
        steps: list[int] = []
        found = read_images(one_is_corrupt)
        made = list(pixels(found, of_family("lite", 32), skipped=skipped, advance=steps.append))
        assert [picture.path.name for picture, _ in made] == ["0.png", "1.png", "3.png"]
        assert all(array.shape == (32, 32, 3) and array.dtype == np.uint8 for _, array in made)
        assert [entry.path.name for entry in skipped] == ["2.png"]
        assert "cut short" in skipped[0].reason
        assert sum(steps) == 4

    def test_strict_makes_it_an_error(self, one_is_corrupt):
        found = read_images(one_is_corrupt, strict=True)
        with pytest.raises(InputError, match=r"2\.png"):
            list(pixels(found, of_family("lite", 32)))

    def test_none_readable_is_an_error(self, tmp_path):
        (tmp_path / "a.png").write_bytes(b"no picture")
        with pytest.raises(InputError, match="none of 1 pictures can be read"):
            list(pixels(read_images(tmp_path), of_family("lite", 32)))

    def test_pictures_are_read_one_at_a_time(self, tmp_path):
        for n in range(3):
            save(tmp_path / f"{n}.png")
        stream = pixels(read_images(tmp_path), of_family("lite", 32))
        next(stream)
        (tmp_path / "1.png").unlink()
        assert [picture.path.name for picture, _ in stream] == ["2.png"]
