"""Every command on streams that cannot encode what it has to say."""

from __future__ import annotations

import io
import shlex
import sys
from pathlib import Path

import pytest

from edgeeff.cli import COMMANDS, main
from edgeeff.cli.encoding import encode_anything
from edgeeff.cli.terminal import Terminal
from tests.cli.command_lines import NAME, WORDS
from tests.tflite import tiny


@pytest.fixture
def folder(tmp_path: Path, photographs) -> Path:
    (tmp_path / f"{NAME}-float32.tflite").write_bytes(tiny.FLOAT32.read_bytes())
    (tmp_path / f"{NAME}-int8.tflite").write_bytes(tiny.INT8.read_bytes())
    pictures = tmp_path / NAME
    pictures.mkdir()
    photographs["coffee"].crop((0, 0, 60, 60)).save(pictures / f"{NAME}.png")
    return tmp_path


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_says_all_it_has_to_say(
    command: str, encoding: str, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    places = {
        "FLOAT": str(folder / f"{NAME}-float32.tflite"),
        "INT8": str(folder / f"{NAME}-int8.tflite"),
        "PICTURES": str(folder / NAME),
    }
    words = [places.get(word, word) for word in WORDS[command]]
    if command == "quantize":
        words += ["--output", str(folder / "out")]
    streams = [io.TextIOWrapper(io.BytesIO(), encoding, write_through=True) for _ in range(2)]
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    with pytest.raises(SystemExit) as left:
        main([command, *words])
    said = [stream.buffer.getvalue().decode(encoding) for stream in streams]
    assert any(said)
    assert left.value.code != 1, said
    assert "unexpected" not in said[1]


def test_what_the_encoding_lacks_is_written_in_ascii():
    stream = io.TextIOWrapper(io.BytesIO(), "ascii", write_through=True)
    encode_anything(stream)
    stream.write("5 MB → 2 MB\udc80 é")
    assert stream.buffer.getvalue() == b"5 MB -> 2 MB\\udc80 \\xe9"


def test_a_stream_of_utf8_shows_what_was_said():
    stream = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
    encode_anything(stream)
    stream.write("→ 中")
    assert stream.buffer.getvalue().decode() == "→ 中"


def test_a_shown_command_of_odd_names_is_one_to_copy(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().command("edgeeff verify", shlex.join(["--output", "r\x1b[31m"]))
    assert capsys.readouterr().out == "  edgeeff verify --output $'r\\x1b[31m'\n"
