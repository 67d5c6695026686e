"""What ``edgeeff fit`` says where it cannot begin: one line, and nothing written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgeeff.cli import main
from tests.commands import assert_one_error

BAD = {
    "no budget": ([], 2, "no budget is given"),
    "a budget of nothing": (["--max-latency", "0"], 2, "--max-latency 0"),
    "a budget of nothing for a search on pictures": (
        ["--data", ".", "--max-latency", "0"],
        2,
        "--max-latency 0",
    ),
    "no number": (["--max-latency", "nan"], 2, "not a finite number"),
    "a family there is not": (["--max-latency", "5", "--family", "c"], 2, "unknown family 'c'"),
    "a precision there is not": (
        ["--max-latency", "5", "--precision", "int7"],
        2,
        "did you mean int8",
    ),
    "a device there is not": (["--max-latency", "5", "--device", "moon"], 2, "unknown device"),
    "a target there is not": (["--max-latency", "5", "--target", "npu"], 2, "unknown target"),
    "an option that is no pair": (
        ["--max-bytes", "9", "--precision", "int8", "--family", "b", "--option", "a"],
        2,
        "--option 'a' is no KEY=VALUE",
    ),
    "weights of one network": (
        ["--max-bytes", "9", "--weights", "b0.h5"],
        2,
        "unknown weights 'b0.h5'",
    ),
}


@pytest.mark.parametrize(("words", "status", "said"), BAD.values(), ids=list(BAD))
def test_what_cannot_be_done_is_one_line_before_any_work(words, status, said, tmp_path, capsys):
    output = tmp_path / "fit"
    assert_one_error(capsys, status, said, "fit", *words, "--output", output)
    assert not output.exists()


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path, capsys):
    (tmp_path / "fit").write_text("")
    with pytest.raises(SystemExit) as ended:
        main(["fit", "--max-bytes", "9", "--output", str(tmp_path / "fit")])
    assert ended.value.code == 2
    assert "is a file" in capsys.readouterr().err


def test_a_document_that_is_no_search_is_not_written_over(tmp_path: Path, capsys):
    (tmp_path / "fit.json").write_text('{"schema": "edgeeff.run/1"}')
    with pytest.raises(SystemExit) as ended:
        main(["fit", "--max-bytes", "9", "--output", str(tmp_path)])
    assert ended.value.code == 2
    assert "is not an edgeeff.fit document" in capsys.readouterr().err


@pytest.mark.parametrize("budget", [["--max-latency", "5"], ["--max-bytes", "9000000"]])
def test_without_the_edge_tpus_compiler_nothing_is_built(budget, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SystemExit) as ended:
        main(["fit", *budget, "--target", "edgetpu", "--output", str(tmp_path / "fit")])
    said = capsys.readouterr().err
    assert ended.value.code == 4
    assert "error: no edgetpu_compiler on PATH" in said
    assert "docs/edge-tpu.md" in said
    assert not (tmp_path / "fit").exists()


def test_a_device_that_cannot_run_the_target_says_why_before_anything_is_built(
    tmp_path, monkeypatch, capsys
):
    compiler = tmp_path / "edgetpu_compiler"
    compiler.write_text("#!/bin/false\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("EDGEEFF_EDGETPU_LIBRARY", "/nowhere/libedgetpu.so.1")
    words = ["--max-latency", "5", "--target", "edgetpu", "--output", str(tmp_path / "fit")]
    with pytest.raises(SystemExit) as ended:
        main(["fit", *words])
    said = capsys.readouterr().err
    assert ended.value.code == 4
    assert "error: /nowhere/libedgetpu.so.1 cannot be loaded" in " ".join(said.split())
    assert not (tmp_path / "fit").exists()
