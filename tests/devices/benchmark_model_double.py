"""TEST DOUBLE of LiteRT's benchmark_model: takes its flags, prints in its format.

It runs the model with this computer's LiteRT, so the outputs are right; its figures say
nothing about a phone. ``BEHAVIOUR`` beside the line below is replaced by the path of a file
that tells how to misbehave.
"""

import contextlib
import pathlib
import statistics
import sys
import time

BEHAVIOUR = pathlib.Path("@behaviour@")

CRASH = "crash"
GARBAGE = "garbage"
HANG = "hang"
MEET = "meet"
"""Wait until a program for another bench runs too; garbage if none comes."""
NO_GPU = "no gpu"
WRONG_OUTPUTS = "wrong outputs"
NO_MEDIAN = "no median"
NOTHING_DELEGATED = "nothing delegated"


def main() -> int:
    BEHAVIOUR.with_name("flags").write_text("\n".join(sys.argv[1:]))
    behaviour = BEHAVIOUR.read_text().strip() if BEHAVIOUR.exists() else ""
    flags = dict(word.removeprefix("--").split("=", 1) for word in sys.argv[1:])
    print("INFO: STARTING!")
    print(f"INFO: Graph: [{flags['graph']}]")
    gpu = flags.get("use_gpu") == "true"
    if behaviour == CRASH:
        import os
        import signal

        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGSEGV)
    if behaviour == HANG:
        time.sleep(600)
    if behaviour == GARBAGE or (behaviour == MEET and not met(flags)):
        print("Segment not found")
        return 0
    if gpu and behaviour == NO_GPU:
        print("WARN: GPU acceleration is unsupported on this platform.")
        print("ERROR: Benchmarking failed.")
        return 1
    run(flags, behaviour, gpu)
    return 0


def met(flags: dict[str, str]) -> bool:
    work = pathlib.Path(flags["input_layer_value_files"].split(":", 1)[1]).parent
    (BEHAVIOUR.parent / f"met-{work.name}").touch()
    deadline = time.monotonic() + 30
    while len(list(BEHAVIOUR.parent.glob("met-work-*"))) < 2:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def run(flags: dict[str, str], behaviour: str, gpu: bool) -> None:
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    start = time.perf_counter()
    interpreter = Interpreter(flags["graph"], num_threads=int(flags["num_threads"]))
    interpreter.allocate_tensors()
    loaded = time.perf_counter() - start
    print(f"INFO: Loaded model {flags['graph']}")
    delegation(gpu, behaviour)
    print(f"INFO: Initialized session in {loaded * 1e3:g}ms.")
    files = [pair.split(":", 1)[1] for pair in flags["input_layer_value_files"].split(",")]
    for detail, path in zip(interpreter.get_input_details(), files, strict=True):
        values = np.frombuffer(pathlib.Path(path).read_bytes(), detail["dtype"])
        interpreter.set_tensor(detail["index"], values.reshape(detail["shape"]))
    limits = (("warmup_runs", "warmup_min_secs"), ("num_runs", "min_secs"))
    means = []
    for runs_flag, seconds_flag in limits:
        least, seconds = int(flags[runs_flag]), float(flags[seconds_flag])
        print(
            f"INFO: Running benchmark for at least {least} iterations and at least {seconds:g} "
            f"seconds but terminate if exceeding {flags['max_secs']} seconds."
        )
        times = timed(interpreter, least, seconds)
        means.append(statistics.fmean(times))
        print(f"INFO: {series(times, percentiles=behaviour != NO_MEDIAN)}\n")
    print(
        f"INFO: Inference timings in us: Init: {loaded * 1e6:.0f}, First inference: 1, "
        f"Warmup (avg): {means[0]:g}, Inference (avg): {means[1]:g}"
    )
    print("INFO: Memory footprint delta from the start of the tool (MB): init=2.5 overall=3.25")
    if flags.get("enable_op_profiling") == "true":
        profile(times, gpu)
    save_outputs(flags, interpreter, behaviour)


def profile(times: list[int], gpu: bool) -> None:
    """The table of a model that is one operator."""
    kernel, name = "Sigmoid (NC, F32)", "Delegate/Sigmoid (NC, F32):0"
    if gpu:
        kernel, name = "TfLiteGpuDelegateV2", "[shares]:1"
    mean = statistics.fmean(times) / 1000
    print(
        "INFO: Operator-wise Profiling Info for Regular Benchmark Runs:\n"
        "============================== Run Order ==============================\n"
        "\t[node type]\t[first]\t[avg ms]\t[%]\t[cdf%]\t[mem KB]\t[times called]\t[Name]\n"
        f"\t{kernel}\t{times[0] / 1000:9.3f}\t{mean:9.3f}\t100.000%\t100.000%\t     0.000\t"
        f"        1\t{name}\n\n"
        f"Timings (microseconds): {series(times, percentiles=False)}\n"
    )


def delegation(gpu: bool, behaviour: str) -> None:
    name, node = ("GPU", "TfLiteGpuDelegateV2") if gpu else ("XNNPACK", "TfLiteXNNPackDelegate")
    if behaviour == NOTHING_DELEGATED:
        print(
            f"INFO: Though {name} delegate is explicitly applied, the model graph will not be "
            "executed by the delegate."
        )
        return
    print(
        f"VERBOSE: Replacing 1 out of 1 node(s) with delegate ({node}) node, "
        "yielding 1 partitions for subgraph 0."
    )
    print(
        f"INFO: Explicitly applied {name} delegate, and the model graph will be completely "
        "executed by the delegate."
    )


def timed(interpreter: object, least: int, seconds: float) -> list[int]:
    times: list[int] = []
    start = time.perf_counter()
    while len(times) < least or time.perf_counter() - start < seconds:
        before = time.perf_counter_ns()
        interpreter.invoke()
        times.append((time.perf_counter_ns() - before) // 1000)
    return times


def series(times: list[int], *, percentiles: bool) -> str:
    if len(set(times)) == 1:
        text = f"count={len(times)} curr={times[-1]}" + ("(all same)" if len(times) > 1 else "")
    else:
        text = (
            f"count={len(times)} first={times[0]} curr={times[-1]} min={min(times)} "
            f"max={max(times)} avg={statistics.fmean(times):g} std={statistics.pstdev(times):.0f}"
        )
    if not percentiles:
        return text
    ordered = sorted(times)
    at = {share: ordered[len(times) * share // 100] for share in (5, 50, 95)}
    return f"{text} p5={at[5]} median={at[50]} p95={at[95]}"


def save_outputs(flags: dict[str, str], interpreter: object, behaviour: str) -> None:
    path = flags.get("output_filepath")
    if path is None:
        return
    content = b"".join(
        interpreter.get_tensor(detail["index"]).tobytes()
        for detail in interpreter.get_output_details()
    )
    if behaviour == WRONG_OUTPUTS:
        content = bytes(len(content))
    with contextlib.suppress(FileNotFoundError):
        pathlib.Path(path).unlink()
    pathlib.Path(path).write_bytes(content)


if __name__ == "__main__":
    sys.exit(main())
