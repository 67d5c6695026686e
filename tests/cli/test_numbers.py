"""What every option of every command that takes a number refuses."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from edgeeff.cli import COMMANDS, edgeeff, main
from edgeeff.cli.numbers import FiniteNumber


def number_options() -> Iterator[click.Option]:
    context = click.Context(edgeeff)
    for name in COMMANDS:
        command = edgeeff.get_command(context, name)
        assert command is not None
        for option in command.params:
            if isinstance(option.type, (click.types.FloatParamType, click.FloatRange)):
                yield pytest.param(command, option, id=f"{name} {option.opts[0]}")


@pytest.mark.parametrize("number", ["nan", "NaN", "inf", "-inf", "1e999"])
@pytest.mark.parametrize(("command", "option"), list(number_options()))
def test_a_number_is_finite(command: click.Command, option: click.Option, number: str):
    with pytest.raises(click.BadParameter, match=r"not a finite number|not in the range"):
        option.type.convert(number, option, click.Context(command))


def test_a_finite_number_is_taken_as_it_is():
    assert FiniteNumber(0, 100).convert("99.5", None, None) == 99.5


@pytest.mark.parametrize(
    "limit", [["--min-sqnr"], ["--min-agreement"], ["--max-drop"], ["--mixed", "--budget-latency"]]
)
def test_nan_is_no_limit(limit: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as left:
        main(["quantize", "absent.tflite", *limit, "nan"])
    assert left.value.code == 2
    assert "nan is not a finite number" in capsys.readouterr().err
