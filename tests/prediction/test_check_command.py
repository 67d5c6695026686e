"""``edgeeff inspect --check``."""

import json

import pytest

from tests.accelerators.graphs import GraphWriter
from tests.commands import run

IMAGE = (1, 8, 8, 8)


@pytest.fixture
def model(tmp_path):
    writer = GraphWriter()
    first = last = writer.tensor(IMAGE)
    for name in ("RELU", "EXP", "LOG_SOFTMAX"):
        last = writer.add(name, [last], IMAGE)
    path = tmp_path / "model.tflite"
    path.write_bytes(writer.content([first], [last]))
    return str(path)


@pytest.mark.parametrize(("target", "mapped"), [("gpu", 2), ("edgetpu", 1)])
def test_the_json_holds_the_check(model, capsys, target, mapped):
    assert run("inspect", model, "--check", target, "--json") == 0
    found = json.loads(capsys.readouterr().out)["check"]
    assert (found["target"], found["provenance"]) == (target, "predicted")
    assert (found["mapped"], found["operators"]) == (mapped, 3)


def test_the_table_says_why_not_and_that_it_is_predicted(model, capsys):
    assert run("inspect", model, "--check", "edgetpu") == 0
    shown = capsys.readouterr().out
    assert "predicted, not run" in shown
    assert "the Edge TPU has no such operator" in shown
    assert "1 of 3 operators on the Edge TPU (33.3%)" in shown


def test_an_unknown_target_is_named_with_the_known_ones(model, capsys):
    assert run("inspect", model, "--check", "npu") == 2
    assert "gpu" in capsys.readouterr().err
