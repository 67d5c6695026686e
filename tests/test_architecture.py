"""Imports point only downward, and TensorFlow stays where networks are made."""

import graphlib
import json
import re
import subprocess
import sys
import time

import pytest

from edgeeff import cli, extras
from tests.commands import said
from tests.sources import PACKAGE, import_graph, imports, inside, modules

ROOT = PACKAGE.parent

ROOMS = (
    "version",
    "control_characters",
    "shell",
    "arrays",
    "errors",
    "extras",
    "temporaries",
    "foreign",
    "memory",
    "files",
    "programs",
    "progress",
    "drawing",
    "architectures",
    "pictures",
    "tflite.flatbuffer",
    "tflite.flatbuffer_writer",
    "tflite.model",
    "tflite.reader",
    "tflite.packing",
    "tflite.graph",
    "tflite",
    "state_dicts",
    "network",
    "prediction",
    "accelerators",
    "worker",
    "devices",
    "quantization",
    "quantization.grid",
    "quantization.input_grid",
    "quantization.float_graph",
    "quantization.recipes",
    "quantization.calibration",
    "quantization.corrections",
    "quantization.writing",
    "quantization.quantize",
    "evaluation",
    "evaluation.layers",
    "training.settings",
    "training.data",
    "training.aware",
    "training",
    "benchmarking",
    "bundling",
    "doctor",
    "pipeline",
    "fitting",
    "reporting",
    "cli",
    "__main__",
)
"""The rooms of the package from the lowest up; a module imports only from its own and lower ones.

A room may have rooms inside: the longest name that fits counts.
"""

TENSORFLOW = {"tensorflow", "tf_keras", "keras"}
MAKES_NETWORKS = {"network", "training", "training.data", "training.aware"}
"""The rooms that may import TensorFlow."""

LONGEST_MODULE = 450

RIGHT_OF_THE_FLOAT_FILE = tuple(
    dict.fromkeys(
        room.split(".")[0]
        for room in ROOMS
        if room.split(".")[0] not in {*MAKES_NETWORKS, "__main__", "cli"}
    )
)


def room_of(name: str) -> str:
    """The room that a module, named from below the package, is in."""
    return max((room for room in ROOMS if f"{name}.".startswith(f"{room}.")), key=len)


def python(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, check=True, timeout=60
    )


def test_every_module_has_a_room():
    homeless = [
        name
        for _, name in modules()
        if name and not any(f"{name}.".startswith(f"{r}.") for r in ROOMS)
    ]
    assert homeless == []


def test_imports_point_only_downward():
    upward = [
        f"{name} imports {other}"
        for path, name in modules()
        if name
        for other in inside(path)
        if ROOMS.index(room_of(other)) > ROOMS.index(room_of(name))
    ]
    assert upward == []


def test_modules_import_each_other_in_one_direction_only():
    try:
        list(graphlib.TopologicalSorter(import_graph()).static_order())
    except graphlib.CycleError as error:
        pytest.fail(f"a circle of imports: {' imports '.join(reversed(error.args[1]))}")


def test_only_the_rooms_that_make_networks_name_tensorflow():
    named = {
        room_of(name)
        for path, name in modules()
        for other in imports(path)
        if other.split(".")[0] in TENSORFLOW
    }
    assert named <= MAKES_NETWORKS


def test_no_module_is_longer_than_a_reader_keeps_in_mind():
    paths = [*(path for path, _ in modules()), *(ROOT / "tests").rglob("*.py")]
    long = [
        f"{path.relative_to(ROOT)}: {lines} lines"
        for path in paths
        if (lines := len(path.read_text("utf-8").splitlines())) > LONGEST_MODULE
    ]
    assert long == []


@pytest.mark.clock
def test_help_answers_in_under_a_third_of_a_second():
    def seconds() -> float:
        begin = time.perf_counter()
        python("-m", "edgeeff", "--help")
        return time.perf_counter() - begin

    # The fastest of five: the others say how busy the machine is.
    assert min(seconds() for _ in range(5)) < 0.3


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_no_command_imports_tensorflow_before_it_needs_it(name):
    program = f"""
import contextlib, importlib, io, json, sys
module = importlib.import_module({cli.COMMANDS[name]!r})
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    from edgeeff.cli import main
    main([{name!r}, "--help"])
print(json.dumps(sorted(sys.modules)))
"""
    loaded = set(json.loads(python("-c", program).stdout))
    assert f"edgeeff.cli.{name}" in loaded
    assert loaded.isdisjoint(TENSORFLOW)


def test_rooms_right_of_the_float_file_never_import_tensorflow():
    """One module after the other in one process, so that the first that brings it is named."""
    names = [
        f"edgeeff.{name}"
        for path, name in modules()
        if name.split(".")[0] in RIGHT_OF_THE_FLOAT_FILE and path.stem != "__main__"
    ]
    program = f"""
import importlib, json, sys
for name in {names!r}:
    importlib.import_module(name)
    if {TENSORFLOW!r} & set(sys.modules):
        sys.exit(name + " brings TensorFlow")
print(json.dumps(sorted(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert set(names) <= set(json.loads(done.stdout))
    assert {name.split(".")[1] for name in names} == set(RIGHT_OF_THE_FLOAT_FILE)


def test_the_base_install_imports_every_room_but_that_of_networks():
    left_out = [module for modules in extras.EXTRAS.values() for module in modules]
    names = [
        f"edgeeff.{name}"
        for path, name in modules()
        if name and name.split(".")[0] not in MAKES_NETWORKS and path.stem != "__main__"
    ]
    program = f"""
import importlib, sys
sys.modules.update(dict.fromkeys({[*left_out, "scipy"]!r}))
for name in {names!r}:
    importlib.import_module(name)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_an_example(name, capsys):
    _, shown, _ = said(capsys, name, "--help")
    assert f"edgeeff {name}" in shown.partition("Example:")[2]


@pytest.mark.slow
def test_tests_share_modules_of_their_own_and_not_each_other():
    folder = ROOT / "tests"
    shared = [
        f"{path.relative_to(folder)} imports {name}"
        for path in folder.rglob("*.py")
        for name in imports(path)
        if name.startswith("tests.") and re.search(r"\.(test_\w+|conftest)$", name)
    ]
    assert shared == []
