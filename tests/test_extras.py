"""What is installed with what, and what a command says without its extra."""

import json
import shlex
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from edgeeff import cli, extras
from edgeeff.errors import ExtraMissing
from edgeeff.quantization.recipes import shipped

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
SOURCES = ("edgeeff", "calibration", "tests", "benchmarks", "docs")
NEEDED = {"quantize": ("quantize", "model.tflite"), "convert": ("convert", "--variant", "b0")}
"""A command line that cannot do without an extra, by its name."""


def installed_by(extra: str) -> set[str]:
    """The packages that an extra asks for, those of the extras that it includes too."""
    found = set()
    for entry in PROJECT["optional-dependencies"][extra]:
        requirement = Requirement(entry)
        if requirement.name == "edgeeff":
            for other in requirement.extras:
                found |= installed_by(other)
        else:
            found.add(requirement.name)
    return found


def _requirement(extra: str, package: str) -> str:
    """The package with its versions, as pip shows it: nothing named edgeeff is to be had there."""
    extras_asked = PROJECT["optional-dependencies"]
    entries = [*extras_asked[extra], *extras_asked["quantize"]]
    (asked,) = {entry for entry in entries if Requirement(entry).name == package}
    return str(Requirement(asked))


@pytest.mark.parametrize("extra", extras.EXTRAS)
def test_an_extra_installs_every_package_it_is_checked_for(extra):
    assert set(extras.EXTRAS[extra].values()) <= installed_by(extra)


@pytest.mark.parametrize("extra", NEEDED)
@pytest.mark.parametrize("module", extras.EXTRAS["quantize"])
def test_a_command_without_its_extra_says_which(extra, module, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SystemExit) as end:
        cli.main([*NEEDED[extra], "--json"])
    said = capsys.readouterr()
    assert end.value.code == 4
    asked = _requirement(extra, extras.EXTRAS[extra][module])
    assert json.loads(said.out)["hint"] == shlex.join(["pip", "install", asked])
    assert said.err.splitlines()[0].endswith(f"not installed are {extras.EXTRAS[extra][module]}")
    assert "Traceback" not in said.err


def test_networks_are_not_made_without_tensorflow(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    monkeypatch.delitem(sys.modules, "edgeeff.network", raising=False)
    with pytest.raises(ExtraMissing, match="not installed are tensorflow"):
        __import__("edgeeff.network")


@pytest.mark.parametrize(
    ("machine", "runtime", "numpy"),
    [
        ("aarch64", "ai-edge-litert", "2.4.6"),
        ("x86_64", "ai-edge-litert", "2.4.6"),
        ("armv7l", "tflite-runtime", "1.26.4"),
        ("armv8l", "tflite-runtime", "1.26.4"),
    ],
)
def test_each_machine_gets_one_runtime_and_a_numpy_that_it_takes(machine, runtime, numpy):
    requirements = [Requirement(entry) for entry in PROJECT["dependencies"]]
    here = [
        requirement
        for requirement in requirements
        if not requirement.marker or requirement.marker.evaluate({"platform_machine": machine})
    ]
    names = [requirement.name for requirement in here]
    assert {"ai-edge-litert", "tflite-runtime"} & set(names) == {runtime}
    assert len(set(names)) == len(names)
    assert numpy in here[names.index("numpy")].specifier


def test_a_checkout_has_its_recipes_at_its_root():
    assert shipped.folder() == ROOT / "calibration"


def test_no_source_is_a_symbolic_link():
    tracked = [path for path in ROOT.iterdir() if path.suffix or path.name in SOURCES]
    tracked += [path for name in SOURCES for path in (ROOT / name).rglob("*")]
    assert [path for path in tracked if path.is_symlink()] == []
