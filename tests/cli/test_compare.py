import json

import pytest

from edgeeff.benchmarking.document import benchmark_document
from edgeeff.benchmarking.environment import Environment
from tests.benchmarking.makers import measurement
from tests.commands import run
from tests.tflite import tiny


@pytest.fixture
def stored(tmp_path):
    """Writes a document of one measurement."""

    def store(name, median, machine):
        path = tmp_path / name
        environment = Environment("local", machine, machine)
        path.write_text(benchmark_document([environment], [measurement(median)]))
        return path

    return store


def test_two_documents_give_a_ratio(stored, capfd):
    one, two = stored("a.json", 2.0, {"cores": 2}), stored("b.json", 3.0, {"cores": 2})
    assert run("compare", one, two) == 0
    assert "1.5" in capfd.readouterr().out


def test_json_is_one_document_with_the_verdict(stored, capfd):
    one, two = stored("a.json", 2.0, {"cores": 2}), stored("b.json", 3.0, {"cores": 2})
    assert run("compare", one, two, "--json") == 0
    content = json.loads(capfd.readouterr().out)
    assert content["schema"] == "edgeeff.comparison/1"
    assert content["comparisons"][0]["verdict"] == "slower"


def test_figures_of_other_environments_are_compared_only_anyway(stored, capfd):
    one, two = stored("a.json", 2.0, {"cores": 2}), stored("b.json", 3.0, {"cores": 8})
    assert run("compare", one, two) == 2
    assert "--anyway" in capfd.readouterr().err
    assert run("compare", one, two, "--anyway") == 0
    assert "warning: different environments" in capfd.readouterr().err


def test_a_document_and_a_model_are_refused(stored, capfd):
    assert run("compare", stored("a.json", 2.0, {}), tiny.FLOAT32) == 2
    assert "two of a kind" in capfd.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        *(
            ("--data", "photos"),
            ("--mean", "0"),
            ("--std", "1"),
            ("--resize", "squash"),
            ("--target", "gpu"),
        ),
        *(("--device", "android"), ("--threads", "2"), ("--quick",)),
    ],
)
def test_what_only_models_need_is_refused_for_documents(words, stored, capfd):
    one, two = stored("a.json", 2.0, {}), stored("b.json", 3.0, {})
    assert run("compare", one, two, *words) == 2
    assert f"{words[0]} is for two models" in capfd.readouterr().err


def test_what_only_documents_need_is_refused_for_models(capfd):
    assert run("compare", tiny.FLOAT32, tiny.INT8, "--anyway") == 2
    assert "--anyway is for two documents" in capfd.readouterr().err


def test_two_models_are_compared_on_one_phone(capfd):
    assert run("compare", tiny.FLOAT32, tiny.INT8, "--device", "android:all") == 2
    assert "edgeeff benchmark takes" in capfd.readouterr().err


def test_pictures_that_are_not_there_are_missed_before_models_are_timed(capfd):
    assert run("compare", tiny.FLOAT32, tiny.INT8, "--data", "/absent") == 2
    assert "no folder or file /absent" in capfd.readouterr().err


@pytest.mark.parametrize("place", [0, 1])
def test_a_damaged_model_is_seen_before_any_is_timed(place, tmp_path, capfd):
    cut = tmp_path / "cut.tflite"
    cut.write_bytes(tiny.INT8.read_bytes()[:-100])
    models = [tiny.FLOAT32]
    models.insert(place, cut)
    assert run("compare", *models) == 2
    said = capfd.readouterr()
    assert "cut.tflite is damaged" in said.err
    assert not said.out


def test_a_model_is_not_compared_with_itself(capfd):
    assert run("compare", tiny.FLOAT32, tiny.FLOAT32) == 2
    assert "same file" in capfd.readouterr().err


@pytest.mark.slow
def test_two_models_are_timed_in_turn_and_their_answers_compared(capfd):
    words = ("--quick", "--mean", "127.5", "--std", "127.5", "--json")
    assert run("compare", tiny.FLOAT32, tiny.INT8, *words) == 0
    content = json.loads(capfd.readouterr().out)
    assert [one["device"] for one in content["environment"]["devices"]] == ["local"]
    (comparison,) = content["comparisons"]
    assert comparison["how"] == "interleaved"
    assert 0 <= content["fidelity"]["agreement"] <= 1
    assert content["fidelity"]["sqnr_db"] > 5


@pytest.mark.slow
def test_models_that_do_not_say_their_preprocessing_are_still_timed(capfd):
    assert run("compare", tiny.FLOAT32, tiny.INT8, "--quick") == 0
    captured = capfd.readouterr()
    assert "times as long" in captured.out
    assert "answers not compared" in captured.err
