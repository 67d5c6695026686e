import json
import shlex

from edgeeff import doctor
from edgeeff.accelerators import TARGETS
from edgeeff.cli.doctor import _show
from edgeeff.cli.terminal import Terminal
from tests.commands import run


def test_json_names_every_runtime_target_device_and_tool(capfd):
    assert run("doctor", "--json") == 0
    content = json.loads(capfd.readouterr().out)
    assert content["schema"] == "edgeeff.doctor/1"
    names = {(entry["kind"], entry["name"]) for entry in content["findings"]}
    assert {
        ("package", "ai-edge-litert"),
        ("package", "tensorflow"),
        *(("target", name) for name in TARGETS),
        ("device", "ssh"),
        ("device", "adb"),
        ("tool", "benchmark_model"),
        ("tool", "edgetpu_compiler"),
    } <= names
    for entry in content["findings"]:
        assert entry["state"] in ("found", "software", "missing", "problem")
        if entry["state"] == "missing":
            assert entry["fix"], entry["name"]


def test_a_problem_is_told_with_what_to_do(capsys):
    governor = doctor.Finding(
        "machine",
        "frequency governor",
        doctor.PROBLEM,
        detail="powersave: clocks change while measuring",
        fix="sudo cpupower frequency-set -g performance",
    )
    _show(Terminal(), [doctor.Finding("machine", "a processor", doctor.FOUND), governor])
    shown = capsys.readouterr().out
    assert shown.count("This machine") == 1
    assert f"{governor.detail}; {governor.fix}" in shown


def test_a_missing_package_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(doctor.PACKAGES, "no-such-package", ("nothing", "pip install it"))
    found = next(one for one in doctor._packages() if one.name == "no-such-package")
    assert (found.state, found.fix) == ("missing", "pip install it")


def test_a_part_of_edgeeff_that_is_missing_is_not_looked_for_on_an_index(monkeypatch):
    monkeypatch.setattr(doctor.extras, "versions", lambda packages: {})
    advised = {one.name: shlex.split(one.fix) for one in doctor._packages()}
    assert advised["optuna"][:2] == ["pip", "install"]
    assert advised["optuna"][2].startswith("optuna")
    assert not [name for name, words in advised.items() if any("edgeeff" in w for w in words)]


def test_a_program_that_is_not_there_is_missing():
    found = doctor._program("tool", "x", ["no-such-program"], "nothing", "apt install it")
    assert (found.state, found.fix) == ("missing", "apt install it")


def test_fetching_without_internet_is_a_clear_error(monkeypatch, capfd, tmp_path):
    """A host of the reserved name .invalid exists nowhere."""
    from edgeeff.devices import benchmark_model

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    defaults = ("arm64-v8a", "latest", "https://downloads.invalid")
    monkeypatch.setattr(benchmark_model.fetch, "__defaults__", defaults)
    assert run("doctor", "--fetch", "--json") == 4
    content = json.loads(capfd.readouterr().out)
    assert "cannot download" in content["error"]
    assert "machine with internet" in content["hint"]
