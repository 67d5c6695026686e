import contextlib
import json
import signal
import subprocess
import sys

import psutil
import pytest

from tests.commands import run
from tests.documents import validated
from tests.tflite import tiny
from tests.waiting import wait_until

QUICK = ("--quick", "--repeats", "1")


@pytest.mark.slow
def test_json_is_one_document_that_validates(capfd):
    assert run("benchmark", tiny.FLOAT32, tiny.INT8, *QUICK, "--json") == 0
    content = validated(capfd.readouterr().out)
    assert [entry["model"] for entry in content["measurements"]] == [
        tiny.FLOAT32.name,
        tiny.INT8.name,
    ]
    assert content["comparisons"][0]["how"] == "interleaved"


@pytest.mark.slow
def test_a_table_shows_median_and_spread_and_what_ran(capfd):
    assert run("benchmark", tiny.FLOAT32, *QUICK) == 0
    out = capfd.readouterr().out
    assert "median ms" in out
    assert "95% interval" in out
    assert "hardware" in out
    assert "XNNPACK runs 18 of 18 operators" in out


@pytest.mark.slow
def test_one_broken_file_of_two_is_reported_and_the_status_says_so(capfd, tmp_path):
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"TFL3" * 40)
    status = run("benchmark", tiny.FLOAT32, broken, *QUICK, "--json")
    captured = capfd.readouterr()
    content = json.loads(captured.out)
    assert len(content["measurements"]) == 1
    assert status == content["failures"][0]["exit"] != 0
    assert "broken.tflite" in captured.err


def test_only_a_broken_file_is_an_error_document(capfd, tmp_path):
    assert run("benchmark", tmp_path / "none.tflite", "--json") == 2
    content = json.loads(capfd.readouterr().out)
    assert content["schema"] == "edgeeff.error/1"


@pytest.mark.slow
def test_a_latency_gate_fails_with_status_3_and_one_document(capfd):
    assert run("benchmark", tiny.FLOAT32, *QUICK, "--json", "--max-latency", "0.000001") == 3
    captured = capfd.readouterr()
    assert json.loads(captured.out)["schema"] == "edgeeff.benchmark/1"
    assert "slower than" in captured.err


@pytest.mark.slow
def test_the_document_is_saved_and_not_replaced_without_force(tmp_path):
    path = tmp_path / "result.json"
    assert run("benchmark", tiny.FLOAT32, *QUICK, "--save", path, "-q") == 0
    saved = path.read_text()
    assert run("benchmark", tiny.FLOAT32, *QUICK, "--save", path, "-q") == 2
    assert path.read_text() == saved
    assert run("benchmark", tiny.FLOAT32, *QUICK, "--save", path, "-q", "--force") == 0
    assert path.read_text() != saved


def test_a_profile_is_a_table_of_operators(capfd):
    assert run("benchmark", tiny.INT8, *QUICK, "--profile") == 0
    assert "Convolution" in capfd.readouterr().out


@pytest.mark.slow
def test_pictures_are_timed_stage_by_stage(capfd, tmp_path, photographs):
    for name in ("coffee", "chelsea", "rocket"):
        photographs[name].save(tmp_path / f"{name}.png")
    words = ("--images", tmp_path, "--mean", "127.5", "--std", "127.5", "--json")
    assert run("benchmark", tiny.FLOAT32, tiny.INT8, *QUICK, *words) == 0
    for found in json.loads(capfd.readouterr().out)["measurements"]:
        stages = found["stages_ms"]
        assert stages["pictures"] == 3
        # Decoding and resizing a photograph takes milliseconds, this network microseconds.
        assert stages["preprocessing_ms"] > stages["invoke_ms"] > 0
        assert stages["postprocessing_ms"] > 0


@pytest.mark.slow
def test_pictures_of_an_unknown_preprocessing_leave_the_latency_and_a_warning(
    capfd, tmp_path, photographs
):
    photographs["coffee"].save(tmp_path / "coffee.png")
    assert run("benchmark", tiny.FLOAT32, *QUICK, "--images", tmp_path, "--json") == 0
    (found,) = json.loads(capfd.readouterr().out)["measurements"]
    assert found["stages_ms"] is None
    assert any("no stages" in word for word in found["warnings"])


@pytest.mark.slow
def test_a_sustained_run_shows_its_minutes(capfd):
    assert run("benchmark", tiny.FLOAT32, "--sustained", "1s", "--json") == 0
    (found,) = json.loads(capfd.readouterr().out)["measurements"]
    assert found["plan"]["preset"] == "sustained"
    assert found["plan"]["min_seconds"] == found["plan"]["max_seconds"] == 1
    assert found["minutes"] == []


@pytest.mark.slow
def test_an_interruption_ends_the_worker_too():
    command = [sys.executable, "-m", "edgeeff", "benchmark", str(tiny.FLOAT32)]
    process = subprocess.Popen([*command, "--sustained", "60s"], stderr=subprocess.PIPE)
    worker = wait_until(lambda: measuring_child(process.pid), "a worker loaded LiteRT")
    process.send_signal(signal.SIGINT)
    _, printed = process.communicate(timeout=10)
    assert process.returncode == 130
    assert b"interrupted" in printed
    assert not psutil.pid_exists(worker.pid)


def measuring_child(pid):
    """The child that has LiteRT in its memory; others come and go before it."""
    for child in psutil.Process(pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if any("ai_edge_litert" in mapped.path for mapped in child.memory_maps()):
                return child
    return None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--sustained", "soon"), "no time"),
        (("--sustained", "0m"), "no time"),
        (("--sustained", "1m", "--mlperf"), "exclude"),
        (("--quick", "--mlperf"), "--quick and --mlperf exclude each other"),
        (("--max-latency", "-1"), "not in the range"),
        (("--timeout", "0"), "not in the range"),
        (("--fp16",), "--fp16 without --target gpu"),
        (("--mean", "0"), "add --images"),
        (("--option", "xnpack=off"), "did you mean xnnpack?"),
        (("--option", "xnnpack=no"), "unknown value of option xnnpack 'no'"),
        (("--option", "max_celsius=45"), "unknown option of cpu on local 'max_celsius'"),
        (("--device", "android", "--option", "max_celcius=45"), "did you mean max_celsius?"),
        (("--save", "."), "is a folder"),
        (("--save", "/dev/null/result.json"), "cannot write"),
        (("--option", "library"), "KEY=VALUE"),
        (("--option", "xnnpack=on", "--option", "xnnpack=off"), "--option xnnpack comes twice"),
        (("--target", "gpus"), "unknown target"),
        (("--device", "ssh//pi"), "unknown device"),
        (("--threads", "0"), "0 threads"),
        (("--repeats", "0"), "0 repeats"),
        (("--device", "android", "--images", "photos"), "cannot be timed on phones"),
    ],
)
def test_wrong_usage_is_status_2_before_anything_runs(words, message, capfd):
    assert run("benchmark", tiny.FLOAT32, *words) == 2
    assert message in capfd.readouterr().err
