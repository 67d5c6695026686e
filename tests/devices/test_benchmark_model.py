from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeeff.devices import benchmark_model
from edgeeff.devices.benchmark_model import Delegated, flags, parse
from edgeeff.errors import InputError, TargetUnavailable, UsageError
from tests.devices import benchmark_model_double as double
from tests.devices.binaries import elf

CPU = """\
INFO: STARTING!
INFO: Log parameter values verbosely: [0]
INFO: Num threads: [4]
INFO: Graph: [/data/local/tmp/mask_estimator_phy.tflite]
INFO: Signature to run: []
INFO: #threads used for CPU inference: [4]
INFO: Loaded model /data/local/tmp/mask_estimator_phy.tflite
INFO: Initialized TensorFlow Lite runtime.
INFO: Created TensorFlow Lite XNNPACK delegate for CPU.
VERBOSE: Replacing 49 out of 49 node(s) with delegate (TfLiteXNNPackDelegate) node, \
yielding 1 partitions for subgraph 0.
INFO: The input model file size (MB): 16.1527
INFO: Initialized session in 102.32ms.
INFO: Running benchmark for at least 1 iterations and at least 0.5 seconds but terminate if \
exceeding 150 seconds.
INFO: count=1 curr=670083 p5=670083 median=670083 p95=670083

INFO: Running benchmark for at least 50 iterations and at least 1 seconds but terminate if \
exceeding 150 seconds.
INFO: count=50 first=591245 curr=917186 min=502355 max=2270688 avg=699438 std=325425 \
p5=502674 median=576856 p95=1373207

INFO: Inference timings in us: Init: 102320, First inference: 670083, Warmup (avg): 670083, \
Inference (avg): 699438
INFO: Note: as the benchmark tool itself affects memory footprint, the following is only \
APPROXIMATE to the actual memory footprint of the model at runtime. Take the information at \
your discretion.
INFO: Memory footprint delta from the start of the tool (MB): init=98.0977 overall=99.2031
"""

OLD = """\
Initialized session in 0.855ms.
Running benchmark for at least 1 iterations and at least 0.5 seconds but terminate if \
exceeding 150 seconds.
count=15 first=49060 curr=33682 min=32825 max=49060 avg=34825.1 std=3930

Running benchmark for at least 3 iterations and at least 0 seconds but terminate if \
exceeding 150 seconds.
count=3 first=32891 curr=33978 min=32641 max=33978 avg=33170 std=580

Inference timings in us: Init: 855, First inference: 49060, Warmup (avg): 34825.1, \
Inference (avg): 33209.4
"""

GPU_LINES = {
    "completely, nodes not printed": (
        "INFO: Created 1 GPU delegate kernels.\n"
        "INFO: Explicitly applied GPU delegate, and the model graph will be completely executed "
        "by the delegate.\n",
        Delegated("GPU", None, 1, True),
    ),
    "completely": (
        "VERBOSE: Replacing 58 out of 58 node(s) with delegate (TfLiteGpuDelegateV2) node, "
        "yielding 1 partitions for the whole graph.\n"
        "INFO: Explicitly applied GPU delegate, and the model graph will be completely executed "
        "by the delegate.\n",
        Delegated("GPU", 58, 1, True),
    ),
    "partially, XNNPACK takes the rest": (
        "ERROR: Following operations are not supported by GPU delegate:\n"
        "UNPACK: Operation is not supported.\n"
        "294 operations will run on the GPU, and the remaining 6 operations will run on the CPU.\n"
        "VERBOSE: Replacing 294 out of 300 node(s) with delegate (TfLiteGpuDelegateV2) node, "
        "yielding 3 partitions for the whole graph.\n"
        "INFO: Explicitly applied GPU delegate, and the model graph will be partially executed "
        "by the delegate w/ 2 delegate kernels.\n"
        "VERBOSE: Replacing 6 out of 8 node(s) with delegate (TfLiteXNNPackDelegate) node, "
        "yielding 1 partitions for subgraph 0.\n",
        Delegated("GPU", 294, 3, False),
    ),
    "partially, only counted": (
        "294 operations will run on the GPU, and the remaining 6 operations will run on the CPU.\n"
        "Explicitly applied GPU delegate, and the model graph will be partially executed "
        "by the delegate w/ 2 delegate kernels.\n",
        Delegated("GPU", 294, 2, False),
    ),
    "not at all": (
        "INFO: Created 0 GPU delegate kernels.\n"
        "Though GPU delegate is explicitly applied, the model graph will not be executed by the "
        "delegate.\n",
        Delegated("GPU", 0, 0, False),
    ),
}


def test_figures_are_read() -> None:
    output = parse(CPU)
    assert (output.load_us, output.first_us) == (102320, 670083)
    assert output.warm_up.runs == 1
    timed = output.timed
    assert (timed.runs, timed.p5, timed.median, timed.p95) == (50, 502674, 576856, 1373207)
    assert (timed.least, timed.greatest, timed.mean) == (502355, 2270688, 699438.0)
    assert output.peak_growth_bytes == pytest.approx(99.2031 * 2**20, abs=1)


@pytest.mark.parametrize("name", GPU_LINES)
def test_what_the_gpu_took_is_read(name: str) -> None:
    text, expected = GPU_LINES[name]
    assert parse(text + CPU).delegated == expected


@given(st.lists(st.integers(1, 5_000_000), min_size=3, max_size=3))
def test_every_sample_of_three_is_known(times: list[int]) -> None:
    text = (
        f"Initialized session in 1ms.\n{double.series([7], percentiles=True)}\n"
        f"{double.series(times, percentiles=True)}\n"
    )
    assert parse(text).timed.three_ns() == tuple(time * 1000 for time in times)


def test_a_program_without_medians_is_refused() -> None:
    with pytest.raises(TargetUnavailable, match="median None"):
        parse(OLD).timed.three_ns()


def test_a_model_faster_than_the_clock_is_refused() -> None:
    series = double.series([0, 1, 1], percentiles=True)
    with pytest.raises(TargetUnavailable, match="too fast for benchmark_model"):
        parse(f"Initialized session in 1ms.\n{series}\n{series}\n").timed.three_ns()


def test_more_than_three_runs_are_not_taken_apart() -> None:
    with pytest.raises(TargetUnavailable, match="50 runs"):
        parse(CPU).timed.three_ns()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("WARN: GPU acceleration is unsupported on this platform.\n", "GPU cannot be used"),
        ("ERROR: Failed to apply GPU delegate.\n", "does not take this model"),
        ("ERROR: Failed to load model /x.tflite\n", "cannot read the model"),
        ("ERROR: Encountered unresolved custom op: edgetpu-custom-op.\n", "does not know"),
        ('CANNOT LINK EXECUTABLE "x": library "libc++.so" not found', "needs libraries"),
        ("INFO: x\nERROR: Disallowed CPU fallback detected.\nBye\n", "Disallowed CPU fallback"),
        ("", "it printed nothing"),
    ],
)
def test_a_failure_says_what_it_means(text: str, message: str) -> None:
    with pytest.raises(TargetUnavailable, match=message) as caught:
        parse(text)
    assert caught.value.hint


@given(st.text(max_size=300))
def test_garbage_is_an_error_and_no_figure(text: str) -> None:
    with pytest.raises((TargetUnavailable, InputError)):
        parse("Initialized session in 1ms.\n" + text.replace("count=", ""))


def test_flags_for_the_processor_name_xnnpack() -> None:
    words = flags(PurePosixPath("/m.tflite"), gpu=False, threads=2, xnnpack=False)
    assert "--graph=/m.tflite" in words
    assert "--num_threads=2" in words
    assert "--use_xnnpack=false" in words
    assert not any("gpu" in word for word in words)


@pytest.mark.parametrize("fp16", [True, False])
def test_flags_for_the_gpu_say_the_precision(fp16: bool) -> None:
    words = flags(PurePosixPath("/m.tflite"), gpu=True, threads=1, fp16=fp16)
    assert "--use_gpu=true" in words
    assert f"--gpu_precision_loss_allowed={str(fp16).lower()}" in words


def test_flags_for_inputs_give_files_and_shapes() -> None:
    inputs = [(PurePosixPath("/a"), (1, 8)), (PurePosixPath("/b"), (2,))]
    words = flags(PurePosixPath("/m"), gpu=False, threads=1, inputs=inputs)
    assert "--input_layer=input0,input1" in words
    assert "--input_layer_shape=1,8:2" in words
    assert "--input_layer_value_files=input0:/a,input1:/b" in words


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv(benchmark_model.VARIABLE, raising=False)
    return tmp_path / "edgeeff" / "benchmark_model"


def put(cache: Path, version: str, abi: str, machine: int = 183) -> Path:
    path = cache / version / abi / "benchmark_model"
    path.parent.mkdir(parents=True)
    path.write_bytes(elf(machine))
    return path


def test_the_newest_program_for_the_phone_is_found(cache: Path) -> None:
    put(cache, "2.9.0", "arm64-v8a")
    newest = put(cache, "2.10.0", "arm64-v8a")
    put(cache, "2.11.0", "x86_64", 62)
    assert benchmark_model.locate(["arm64-v8a", "armeabi-v7a"]) == newest


def test_without_a_program_the_error_says_how_to_get_one(cache: Path) -> None:
    with pytest.raises(TargetUnavailable, match="no benchmark_model for arm64-v8a") as caught:
        benchmark_model.locate(["arm64-v8a"])
    assert "edgeeff doctor --fetch" in caught.value.hint
    assert benchmark_model.VARIABLE in caught.value.hint


@pytest.mark.parametrize("machine", [62, 40, 3, 243])
def test_a_program_for_another_processor_is_refused(
    cache: Path, tmp_path: Path, machine: int
) -> None:
    program = tmp_path / "program"
    program.write_bytes(elf(machine))
    with pytest.raises(TargetUnavailable, match="the phone runs arm64-v8a"):
        benchmark_model.locate(["arm64-v8a"], str(program))


def test_a_missing_path_is_bad_input(cache: Path) -> None:
    with pytest.raises(InputError, match="cannot read /nowhere/benchmark_model"):
        benchmark_model.locate(["arm64-v8a"], "/nowhere/benchmark_model")


BROKEN = "broken"
"""A version whose download ends before its end."""


@pytest.fixture
def host() -> Iterator[tuple[str, dict[str, bytes]]]:
    """A web server: its address, and what it gives by path."""
    pages: dict[str, bytes] = {}
    broken = (f"/{BROKEN}/android_arm64/benchmark_model",)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = pages.get(self.path)
            self.send_response(404 if content is None else 200)
            if self.path in broken:
                self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *words: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", pages
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_fetched_program_is_used_from_then_on(
    cache: Path, host: tuple[str, dict[str, bytes]]
) -> None:
    address, pages = host
    pages["/latest/android_arm64/benchmark_model"] = elf(183)
    path = benchmark_model.fetch(base=address)
    assert path.stat().st_mode & 0o111
    assert benchmark_model.locate(["arm64-v8a"]) == path


def test_a_login_page_is_no_program(cache: Path, host: tuple[str, dict[str, bytes]]) -> None:
    address, pages = host
    pages["/latest/android_arm64/benchmark_model"] = b"<html>Sign in</html>"
    with pytest.raises(TargetUnavailable, match="no program for arm64-v8a"):
        benchmark_model.fetch(base=address)
    assert not cache.exists()


def test_no_internet_says_what_else_to_do(cache: Path, host: tuple[str, dict[str, bytes]]) -> None:
    with pytest.raises(TargetUnavailable, match="cannot download") as caught:
        benchmark_model.fetch(base=host[0])
    assert benchmark_model.VARIABLE in caught.value.hint


def test_a_download_that_breaks_off_is_none(
    cache: Path, host: tuple[str, dict[str, bytes]]
) -> None:
    address, pages = host
    pages[f"/{BROKEN}/android_arm64/benchmark_model"] = elf(183)
    with pytest.raises(TargetUnavailable, match="cannot download"):
        benchmark_model.fetch(version=BROKEN, base=address)
    assert not cache.exists()


def test_only_published_abis_are_fetched(cache: Path) -> None:
    with pytest.raises(UsageError, match="no benchmark_model for x86_64"):
        benchmark_model.fetch("x86_64")
