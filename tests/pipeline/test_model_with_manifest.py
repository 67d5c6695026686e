"""A model and its manifest come together, and take the place of nothing that is not theirs."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from edgeeff import files
from edgeeff.errors import InputError, OutputError
from edgeeff.pipeline import conversion
from edgeeff.tflite.manifest import parse_manifest, path_of, read_manifest, write_model
from tests.pipeline.quantizing import quantize
from tests.waiting import wait_until


def test_a_manifest_of_another_file_is_refused(made, tmp_path):
    model = tmp_path / made.model.name
    shutil.copy(path_of(made.model), path_of(model))
    model.write_bytes(made.model.read_bytes() + b"\0")
    with pytest.raises(InputError, match="describes another file") as refused:
        read_manifest(model)
    assert "make it again with --force" in refused.value.hint


KILLED_BETWEEN = """
import os, pathlib, signal, sys
from edgeeff import cli

rename = pathlib.Path.replace

def killed(path, target):
    rename(path, target)
    if target.name == "tiny-int8.json":
        os.kill(os.getpid(), signal.SIGKILL)

pathlib.Path.replace = killed
cli.main(sys.argv[1:])
"""


def test_the_next_reader_ends_what_a_kill_between_manifest_and_model_left(source, made, tmp_path):
    old = tmp_path / made.model.name
    old.write_bytes(made.model.read_bytes() + b"\0")
    shutil.copy(path_of(made.model), path_of(old))
    words = ["quantize", source, "--output", tmp_path, "--recipe", "int8-plain", "--force"]
    ended = subprocess.run([sys.executable, "-c", KILLED_BETWEEN, *words], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert files.sha256(old) != parse_manifest(path_of(old)).sha256
    assert read_manifest(old) == parse_manifest(path_of(old))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "tiny-int8.json",
        "tiny-int8.tflite",
    ]


def test_a_manifest_that_cannot_be_written_loses_nothing(made, tmp_path):
    model, manifest = tmp_path / "model.tflite", tmp_path / "model.json"
    write_model(model, b"old", made.manifest, force=False)
    before = manifest.read_bytes()
    odd = replace(made.manifest, fidelity={"sqnr_db": float("nan")})
    with pytest.raises(ValueError, match="JSON"):
        write_model(model, b"new", odd, force=True)
    assert (model.read_bytes(), manifest.read_bytes()) == (b"old", before)


def test_a_preprocessing_that_cannot_be_is_told_with_its_file(made, tmp_path):
    path = tmp_path / "huge.json"
    document = json.loads(made.manifest.document())
    document["preprocessing"]["resolution"] = 60_000
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match=r"huge\.json: a resolution of 60000 pixels"):
        parse_manifest(path)


def test_a_file_that_is_not_ours_at_the_place_of_the_manifest_is_not_touched(source, tmp_path):
    mine = tmp_path / "tiny-int8.json"
    mine.write_text('{"mine": true}')
    with pytest.raises(OutputError, match="not a manifest"):
        quantize(source, tmp_path, recipe="int8-plain")
    assert [(path, path.read_text()) for path in tmp_path.iterdir()] == [(mine, '{"mine": true}')]
    made = quantize(source, tmp_path, recipe="int8-plain", force=True)
    assert read_manifest(made.model) is not None


def test_a_manifest_without_its_model_is_replaced(source, made, tmp_path):
    shutil.copy(path_of(made.model), tmp_path / "tiny-int8.json")
    assert read_manifest(quantize(source, tmp_path, recipe="int8-plain").model) is not None


def test_a_folder_at_the_place_of_the_manifest_is_told_of_before_the_work(source, tmp_path):
    (tmp_path / "tiny-int8.json").mkdir()
    with pytest.raises(OutputError, match="is a directory"):
        quantize(source, tmp_path, force=True)
    assert not (tmp_path / "tiny-int8.tflite").exists()


@pytest.mark.parametrize("name", ["int8", "float32", "untrained-float32"])
def test_convert_looks_for_foreign_files_before_the_work(name, tmp_path):
    mine = tmp_path / f"efficientnet-lite0-{name}.json"
    mine.write_text("{}")
    with pytest.raises(OutputError, match="not a manifest"):
        conversion.convert("lite0", conversion.Settings(output=tmp_path))
    assert list(tmp_path.iterdir()) == [mine]


def test_an_existing_file_is_not_touched_without_force(source, tmp_path):
    made = quantize(source, tmp_path / "out", recipe="dynamic")
    before = made.model.stat().st_mtime_ns
    with pytest.raises(OutputError, match="exists already"):
        quantize(source, tmp_path / "out", recipe="dynamic")
    assert made.model.stat().st_mtime_ns == before
    quantize(source, tmp_path / "out", recipe="dynamic", force=True)
    assert made.model.stat().st_mtime_ns > before


def test_an_output_that_is_a_file_is_one_clear_error(source, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        quantize(source, blocked / "out")


@pytest.mark.slow
def test_a_file_size_limit_leaves_nothing_behind(source, tmp_path):
    import resource

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    output = tmp_path / "out"
    command = [sys.executable, "-m", "edgeeff", "quantize", source, "--output", output]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=limit)
    assert done.returncode == 2, done.stderr
    assert os.strerror(errno.EFBIG) in done.stderr
    assert not list(output.glob("*.tflite"))
    assert not list(output.glob(".*"))


@pytest.mark.slow
def test_an_interrupted_conversion_leaves_nothing_half_written(tmp_path):
    command = [sys.executable, "-m", "edgeeff", "convert", "--variant", "lite0"]
    child = subprocess.Popen(
        [*command, "--output", str(tmp_path)],
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(
        lambda: child.poll() is not None or list(tmp_path.glob("*float32.json")),
        "the float32 file is written",
        seconds=300,
    )
    child.send_signal(signal.SIGINT)
    _, words = child.communicate(timeout=60)
    assert child.returncode == 130, words
    assert "interrupted" in words
    assert not list(tmp_path.glob("*int8*"))
    assert not list(tmp_path.glob(".*"))
