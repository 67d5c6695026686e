"""Whatever is typed for an option ends in one line and a status of its own, never in a bug."""

from __future__ import annotations

import click
import pytest

from edgeeff import cli
from tests.commands import run

ODD = (
    "",
    " ",
    "-1",
    "0",
    "1e309",
    "nan",
    "9" * 400,
    "\x1b[2J",
    "\udcff",
    "a,b,c",
    "1:2:3",
    "x" * 5000,
)
DEVICES = (
    *("", " ", ":", "://", "phone", "LOCAL", "local:", "local://x", "\udcff"),
    *("ssh", "ssh:", "ssh://", "ssh:///", "ssh://@", "ssh://:22", "ssh://a b", "ssh://[::1"),
    *("ssh://-oProxyCommand=x", "ssh://u@-x", "ssh://h:99999", "ssh://h:x", "ssh://\x1b[2J"),
    "ssh://" + "h" * 5000,
    *("android:", "android::", "android:;", "android:a,", "android:\n"),
)
"""Strings for ``--device`` that name none."""


def commands() -> list[tuple[str, click.Command]]:
    context = click.Context(cli.edgeeff)
    names = cli.edgeeff.list_commands(context)
    found = [(name, cli.edgeeff.get_command(context, name)) for name in names]
    return [(name, command) for name, command in found if command]


def needed(command: click.Command, but: str = "") -> list[str]:
    """Words for what a command cannot do without, but for one option: files that are not there."""
    words: list[str] = []
    for parameter in command.params:
        if isinstance(parameter, click.Argument) and parameter.required:
            words += ["missing.tflite"] * max(parameter.nargs, 1)
        elif parameter.required and but not in parameter.opts:
            words += [parameter.opts[0], "missing"]
    return words


OPTIONS = [
    pytest.param(name, command, option.opts[0], id=f"{name} {option.opts[0]}")
    for name, command in commands()
    for option in command.params
    if isinstance(option, click.Option) and not option.is_flag and not option.count
]


@pytest.mark.parametrize(("name", "command", "option"), OPTIONS)
def test_an_odd_value_is_taken_or_refused(name, command, option, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    for value in ODD:
        status = run(name, *needed(command, but=option), option, value)
        said = capfd.readouterr().err
        assert status in (0, 2, 3, 4), (value, said)
        assert "Traceback" not in said
        assert "\x1b" not in said


@pytest.mark.parametrize("name", ["benchmark", "compare", "verify", "fit"])
def test_an_odd_device_is_refused(name, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    command = dict(commands())[name]
    for device in DEVICES:
        status = run(name, *needed(command), "--device", device)
        said = capfd.readouterr().err
        assert status in (2, 4), (device, said)
        assert "Traceback" not in said
        assert "\x1b" not in said
