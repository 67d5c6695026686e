import pytest

from edgeeff.accelerators.machine import read_machine
from edgeeff.benchmarking.compare import compare_documents, compare_interleaved, compare_session
from edgeeff.benchmarking.document import benchmark_document, read_benchmark
from edgeeff.benchmarking.environment import Environment
from edgeeff.errors import InputError, UsageError
from tests.benchmarking.makers import measurement

MACHINE = read_machine()


@pytest.fixture
def stored(tmp_path):
    """Writes measurements of a machine and reads them back."""
    count = 0

    def store(*measurements, **changes):
        nonlocal count
        count += 1
        machine = MACHINE | changes
        path = tmp_path / f"{count}.json"
        path.write_text(benchmark_document([Environment("local", machine, machine)], measurements))
        return read_benchmark(path)

    return store


@pytest.mark.parametrize(
    ("median", "verdict"), [(2.0, "no difference"), (2.5, "slower"), (1.5, "faster")]
)
def test_interleaved_models_get_a_verdict(median, verdict):
    found = compare_interleaved(measurement(2.0, seed=1), measurement(median, seed=2))
    assert found.verdict == verdict
    assert found.how == "interleaved"
    assert found.ci95[0] <= found.ratio <= found.ci95[1]
    assert found.ratio == pytest.approx(median / 2, rel=0.02)


def test_one_block_each_is_compared_by_the_intervals():
    one, two = (measurement(2.0, seed=seed, processes=1, blocks=1) for seed in (1, 2))
    assert compare_interleaved(one, two).how == "apart"


@pytest.mark.parametrize("provenance", ["software", "emulated", "test-double", "predicted"])
def test_only_hardware_is_ranked(provenance):
    found = compare_interleaved(
        measurement(2.0, seed=1), measurement(1.0, seed=2, provenance=provenance)
    )
    assert found.ratio is None
    assert found.ci95 is None
    assert provenance in found.verdict
    assert "faster" not in found.sentence()


def test_a_session_compares_within_a_device_and_target():
    found = compare_session(
        [
            measurement(2.0, model="a", seed=1),
            measurement(3.0, model="b", seed=2),
            measurement(9.0, model="a", seed=3, target="gpu"),
            measurement(4.0, model="c", seed=4),
        ]
    )
    assert [(entry.baseline, entry.model) for entry in found] == [("a", "b"), ("a", "c")]


def test_documents_of_one_environment_are_compared(stored):
    (found,) = compare_documents(
        stored(measurement(2.0, seed=1)),
        stored(measurement(3.0, seed=2, model="other.tflite")),
        anyway=False,
    )
    assert (found.verdict, found.how) == ("slower", "apart")
    assert "1.5" in found.sentence()


def test_the_same_figure_is_no_difference(stored):
    one = stored(measurement(2.0, seed=1))
    (found,) = compare_documents(one, one, anyway=False)
    assert found.verdict == "no difference"


def test_different_environments_are_refused_with_what_differs(stored):
    one = stored(measurement(2.0))
    two = stored(measurement(1.0), processor="another")
    with pytest.raises(UsageError, match="against another") as raised:
        compare_documents(one, two, anyway=False)
    assert "--anyway" in raised.value.hint


def test_different_environments_are_compared_anyway_with_a_warning(stored):
    one = stored(measurement(2.0))
    two = stored(measurement(1.0), processor="another")
    (found,) = compare_documents(one, two, anyway=True)
    assert found.verdict == "faster"
    assert any("another" in word for word in found.warnings)


def test_another_target_is_another_environment(stored):
    one, two = stored(measurement(2.0)), stored(measurement(1.0, target="gpu"))
    with pytest.raises(UsageError, match="target: cpu against gpu"):
        compare_documents(one, two, anyway=False)


def test_software_figures_are_not_ranked_even_anyway(stored):
    one, two = stored(measurement(2.0)), stored(measurement(1.0, provenance="software"))
    (found,) = compare_documents(one, two, anyway=True)
    assert found.ratio is None


def test_several_figures_are_paired_by_model(stored):
    one = stored(measurement(2.0, model="a", seed=1), measurement(3.0, model="b", seed=2))
    two = stored(measurement(3.0, model="b", seed=3), measurement(2.0, model="c", seed=4))
    (found,) = compare_documents(one, two, anyway=False)
    assert found.model == "b"


def test_figures_of_several_phones_are_paired_by_the_phone(stored):
    phones = [measurement(2.0, device=f"android:{serial}") for serial in ("one", "two")]
    one = two = stored(*phones)
    assert [found.device for found in compare_documents(one, two)] == ["android:one", "android:two"]


def test_documents_without_a_pair_are_refused(stored):
    one = stored(measurement(2.0, model="a"), measurement(3.0, model="b"))
    two = stored(measurement(3.0, model="c"))
    with pytest.raises(InputError, match="no model and target in common"):
        compare_documents(one, two, anyway=False)
