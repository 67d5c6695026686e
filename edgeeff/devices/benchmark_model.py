"""LiteRT's ``benchmark_model``: where it is, what it is asked, and what it prints.

It keeps no samples. But it prints first, last, least, median and greatest of a run, which
for a run of three are all of them: see ``Series.three_ns``.
"""

from __future__ import annotations

import http.client
import os
import re
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from edgeeff.errors import InputError, TargetUnavailable, UsageError
from edgeeff.files import read_bytes, write_bytes

VARIABLE = "EDGEEFF_BENCHMARK_MODEL"
"""Environment variable with the path of a ``benchmark_model`` to use."""

DOWNLOADS = "https://storage.googleapis.com/litert/binaries"
DOWNLOADED_ABIS = {"arm64-v8a": "android_arm64"}
"""Android ABIs that LiteRT publishes the program for, by the name in the address."""

ELF_ABIS = {183: "arm64-v8a", 40: "armeabi-v7a", 62: "x86_64", 3: "x86"}
"""``e_machine`` of an ELF file to Android's name."""

MOST_PROGRAM = 256 << 20
"""Bytes of a program; LiteRT's has about 10 million."""

RUNS = 3
"""Timed inferences of a process whose every sample is wanted."""

SERIES = re.compile(r"\bcount=(\d+)((?: (?:first|curr|min|max|avg|std|p5|median|p95)=\S+)*)")
EXECUTED = re.compile(
    r"(?:Explicitly applied|Though) (?P<name>\w+) delegate.*graph will (?P<how>not be"
    r"|be completely|be partially) +executed by the delegate(?: w/ (?P<kernels>\d+))?"
)
REPLACED = re.compile(
    r"Replacing (?P<nodes>\d+)(?: out of \d+)? node\(s\) with delegate "
    r"\((?P<name>\w+)\) node, yielding (?P<partitions>\d+) partitions"
)
SPLIT = re.compile(
    r"(?P<gpu>\d+) operations will run on the GPU, "
    r"and the remaining \d+ operations will run on the CPU"
)

FAILURES = (
    (
        "GPU acceleration is unsupported",
        "the phone's GPU cannot be used: benchmark_model found no OpenCL and no OpenGL ES",
        "--target cpu; a benchmark_model built for Linux has no GPU delegate",
    ),
    (
        "Failed to apply GPU delegate",
        "the GPU delegate does not take this model",
        "edgeeff inspect --check gpu shows which operators it refuses",
    ),
    (
        "Failed to load model",
        "benchmark_model cannot read the model",
        "edgeeff inspect tells whether the file is whole; is the program older than the model?",
    ),
    (
        "unresolved custom op",
        "the model has an operator that benchmark_model does not know",
        "a model compiled for the Edge TPU runs only on one",
    ),
    (
        "Didn't find op for builtin opcode",
        "benchmark_model is older than the model's operators",
        "get a newer one: edgeeff doctor --fetch",
    ),
    (
        "CANNOT LINK EXECUTABLE",
        "benchmark_model needs libraries that the phone does not have",
        "use the statically linked program that LiteRT publishes",
    ),
)
"""What it prints when it fails, what that means, and what to do; the first one found counts."""


@dataclass(frozen=True)
class Series:
    """Statistics of consecutive inferences, in microseconds; ``None`` where not printed.

    Attributes:
        runs: how many.
        first: the first one.
        last: the last one.
        mean: six significant digits of it.
    """

    runs: int
    first: int
    last: int
    least: int
    greatest: int
    mean: float
    p5: int | None
    median: int | None
    p95: int | None

    def three_ns(self) -> tuple[int, int, int]:
        """Every sample of a run of ``RUNS``, in order, in nanoseconds.

        Least, median and greatest are the three; first and last say which is where.

        Raises:
            TargetUnavailable: the program printed no median, or another number of runs, or an
                inference took less than its clock's microsecond.
        """
        if self.runs != RUNS or self.median is None:
            raise TargetUnavailable(
                f"benchmark_model printed {self.runs} runs and the median {self.median}; "
                f"{RUNS} runs and their median are needed",
                "get a newer one: edgeeff doctor --fetch",
            )
        if self.least < 1:
            raise TargetUnavailable(
                "the model is too fast for benchmark_model, whose clock counts microseconds",
                "--device local or ssh://… count nanoseconds",
            )
        others = [self.least, self.median, self.greatest]
        for known in (self.first, self.last):
            if known not in others:
                raise TargetUnavailable(
                    f"benchmark_model contradicts itself: {self}", "please report this"
                )
            others.remove(known)
        return self.first * 1000, others[0] * 1000, self.last * 1000


@dataclass(frozen=True)
class Delegated:
    """What a delegate took: its name, nodes, partitions; ``None``: not printed."""

    name: str
    nodes: int | None
    partitions: int | None
    completely: bool


@dataclass(frozen=True)
class Output:
    """What one run of the program said.

    Attributes:
        load_us: microseconds from the path to allocated tensors, delegate included.
        first_us: the first inference.
        peak_growth_bytes: growth of peak resident memory; ``None`` where not printed.
    """

    load_us: int
    first_us: int
    warm_up: Series
    timed: Series
    delegated: Delegated | None
    peak_growth_bytes: int | None


def flags(
    model: PurePosixPath,
    *,
    gpu: bool,
    threads: int,
    fp16: bool = False,
    xnnpack: bool = True,
    runs: int = RUNS,
    max_seconds: float = 150.0,
    warmup_runs: int = 1,
    warmup_seconds: float = 0.0,
    inputs: Sequence[tuple[PurePosixPath, Sequence[int]]] = (),
    output: PurePosixPath | None = None,
    compiled: PurePosixPath | None = None,
    profile: bool = False,
) -> list[str]:
    """The command line's flags.

    Args:
        model: on the phone.
        gpu: use the GPU delegate; else the processor.
        threads: of the processor.
        fp16: let the GPU compute in half precision.
        xnnpack: let XNNPACK take what it knows, on the processor.
        runs: least number of timed inferences.
        max_seconds: of warm-up, and of timing.
        warmup_runs: least number of inferences before.
        warmup_seconds: least seconds of them.
        inputs: file and shape of each input; none: the program's random values.
        output: where the outputs of the last inference go.
        compiled: directory where the GPU delegate keeps what it compiled, for the next process.
        profile: print the time of every operator.
    """
    values: dict[str, object] = {
        "graph": model,
        "num_threads": threads,
        "num_runs": runs,
        "min_secs": 0.0,
        "max_secs": max_seconds,
        "warmup_runs": warmup_runs,
        "warmup_min_secs": warmup_seconds,
    }
    if gpu:
        values |= {"use_gpu": "true", "gpu_precision_loss_allowed": str(fp16).lower()}
        if compiled is not None:
            values |= {"delegate_serialize_dir": compiled, "delegate_serialize_token": model.stem}
    else:
        # Given explicitly, so that the program says whether XNNPACK took the graph.
        values["use_xnnpack"] = str(xnnpack).lower()
    values |= _input_flags(inputs)
    if output is not None:
        values["output_filepath"] = output
    if profile:
        values["enable_op_profiling"] = "true"
    return [f"--{name}={value}" for name, value in values.items()]


def _input_flags(inputs: Sequence[tuple[PurePosixPath, Sequence[int]]]) -> dict[str, str]:
    if not inputs:
        return {}
    names = [f"input{index}" for index in range(len(inputs))]
    paths = [f"{name}:{path}" for name, (path, _) in zip(names, inputs, strict=True)]
    return {
        "input_layer": ",".join(names),
        "input_layer_shape": ":".join(",".join(map(str, shape)) for _, shape in inputs),
        "input_layer_value_files": ",".join(paths),
    }


def parse(text: str) -> Output:
    """Read what the program printed.

    Raises:
        TargetUnavailable: it failed, with the reason it gave; or its output is not known.
    """
    # Runs that all took the same time print only that time: "count=3 curr=120(all same) p5=…".
    text = text.replace("(all same)", "")
    series = [read_series(match) for match in SERIES.finditer(text)]
    loaded = re.search(r"Initialized session in ([\d.e+]+)ms", text)
    if len(series) < 2 or loaded is None:
        raise failure(text)
    warm_up, timed = series[-2:]
    grown = re.search(r"Memory footprint delta[^:]*:.* overall=([\d.e+]+)", text)
    return Output(
        load_us=round(float(loaded.group(1)) * 1000),
        first_us=warm_up.first,
        warm_up=warm_up,
        timed=timed,
        delegated=_delegated(text),
        peak_growth_bytes=round(float(grown.group(1)) * 2**20) if grown else None,
    )


def failure(text: str) -> TargetUnavailable:
    """The error for an output without figures."""
    for words, message, hint in FAILURES:
        if words in text:
            return TargetUnavailable(message, hint)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("ERROR", "FATAL"))]
    last = (errors or lines or ["it printed nothing"])[-1]
    return TargetUnavailable(f"benchmark_model gave no figures: {last[:200]}", "run with -v")


def cache() -> Path:
    """Where fetched programs are: ``VERSION/ABI/benchmark_model`` below it."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "edgeeff" / "benchmark_model"


def locate(abis: Sequence[str], given: str = "") -> Path:
    """The program for a phone.

    Args:
        abis: what the phone runs, best first.
        given: a path from the user; else ``VARIABLE``; else the newest in ``cache``.

    Raises:
        InputError: the given path cannot be read.
        TargetUnavailable: none is there, or it is for another processor.
    """
    given = given or os.environ.get(VARIABLE, "")
    if given:
        require_abi(Path(given), abis)
        return Path(given)
    for abi in abis:
        found = sorted(cache().glob(f"*/{abi}/benchmark_model"), key=_version)
        if found:
            require_abi(found[-1], abis)
            return found[-1]
    raise TargetUnavailable(
        f"there is no benchmark_model for {abis[0] if abis else 'this phone'}",
        f"edgeeff doctor --fetch downloads it; without internet put the path of one into "
        f"{VARIABLE} (docs/android.md says where there is one)",
    )


def abi_of(content: bytes) -> str:
    """The Android ABI of an ELF program, ``""`` for anything else, such as a script."""
    if content[:4] != b"\x7fELF" or len(content) < 20:
        return ""
    machine = int.from_bytes(content[18:20], "little" if content[5] == 1 else "big")
    return ELF_ABIS.get(machine, f"machine {machine}")


def require_abi(program: Path, abis: Sequence[str]) -> None:
    """Raise ``TargetUnavailable`` if an ELF program is for a processor the phone has not."""
    abi = abi_of(read_bytes(program))
    if abi and abi not in abis:
        raise TargetUnavailable(
            f"{program} is for {abi}; the phone runs {', '.join(abis) or 'nothing known'}",
            "build or download benchmark_model for the phone's processor",
        )


def fetch(abi: str = "arm64-v8a", version: str = "latest", base: str = DOWNLOADS) -> Path:
    """Download the program that LiteRT publishes into ``cache``.

    Raises:
        UsageError: LiteRT publishes none for that ABI.
        TargetUnavailable: no internet, no such version, or not a program for that ABI.
    """
    if abi not in DOWNLOADED_ABIS:
        raise UsageError(
            f"LiteRT publishes no benchmark_model for {abi}",
            f"build one from LiteRT's sources and put its path into {VARIABLE}",
        )
    address = f"{base}/{version}/{DOWNLOADED_ABIS[abi]}/benchmark_model"
    if not address.startswith(("https://", "http://127.0.0.1:")):
        raise UsageError(f"{base} is no https address", f"the default is {DOWNLOADS}")
    try:
        with urllib.request.urlopen(address, timeout=60) as reply:  # noqa: S310 - https, see above
            content = reply.read(MOST_PROGRAM + 1)
            if reply.length and len(content) <= MOST_PROGRAM:
                # A read of a given size takes the end of the connection for that of the file.
                raise http.client.IncompleteRead(content, reply.length)
    except (OSError, http.client.HTTPException) as error:  # URLError is the former
        why = getattr(error, "reason", error)
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it holds the connection, for the page that came with the refusal
        raise TargetUnavailable(
            f"cannot download {address}: {why}",
            f"on a machine with internet download it, and put its path into {VARIABLE}",
        ) from error
    if len(content) > MOST_PROGRAM or abi_of(content) != abi:
        raise TargetUnavailable(
            f"what {address} gave is no program for {abi}", "a proxy's login page?"
        )
    path = cache() / version / abi / "benchmark_model"
    write_bytes(path, content, force=True)
    path.chmod(0o755)
    return path


def read_series(match: re.Match[str]) -> Series:
    """What ``SERIES`` found. Raises ``InputError`` for numbers that are none."""
    values: Mapping[str, str] = dict(word.split("=", 1) for word in match.group(2).split())
    try:
        last = int(values.get("curr", "0"))
        return Series(
            runs=int(match.group(1)),
            first=int(values.get("first", last)),
            last=last,
            least=int(values.get("min", last)),
            greatest=int(values.get("max", last)),
            mean=float(values.get("avg", last)),
            p5=int(values["p5"]) if "p5" in values else None,
            median=int(values["median"]) if "median" in values else None,
            p95=int(values["p95"]) if "p95" in values else None,
        )
    except ValueError as error:
        raise InputError(
            f"benchmark_model printed statistics that are not known: {match.group(0)}",
            "please report this",
        ) from error


def _delegated(text: str) -> Delegated | None:
    executed = EXECUTED.search(text)
    if executed is None:
        return None
    name, how = executed.group("name"), executed.group("how")
    completely = how == "be completely"
    if how == "not be":
        return Delegated(name, 0, 0, completely)
    # XNNPACK may take what the GPU left: only the lines about this delegate count.
    replaced = [match for match in REPLACED.finditer(text) if name.lower() in match["name"].lower()]
    if replaced:
        nodes = sum(int(match["nodes"]) for match in replaced)
        return Delegated(name, nodes, int(replaced[-1]["partitions"]), completely)
    split = SPLIT.search(text)
    taken = None if split is None else int(split["gpu"])
    return Delegated(name, taken, int(executed["kernels"] or 1), completely)


def _version(path: Path) -> tuple[int, tuple[int, ...]]:
    name = path.parent.parent.name
    numbers = tuple(int(part) for part in re.findall(r"\d+", name))
    return (1 if name == "latest" else 0, numbers)
