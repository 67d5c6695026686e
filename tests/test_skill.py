"""SKILL.md tells a coding agent the truth: its commands run, in their order, from nothing."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from PIL import Image

from edgeeff.cli import main

SKILL = Path(__file__).parent.parent / "SKILL.md"


def lines() -> list[str]:
    """The command lines of edgeeff in the page's blocks."""
    blocks = re.findall(r"^```sh\n(.*?)^```", SKILL.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines() if line.startswith("edgeeff ")]


def test_says_when_it_is_of_use() -> None:
    head = SKILL.read_text("utf-8").split("---")[1]
    assert set(re.findall(r"^(\w+): .", head, re.MULTILINE)) == {"name", "description"}


@pytest.mark.slow
def test_its_commands_run(
    tmp_path: Path, photographs: dict[str, Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    for name in ("chelsea", "coffee"):
        photographs[name].save(f"photos/{name}.png")
    ran = [shlex.split(line)[1:] for line in lines()]
    assert [words[0] for words in ran] == [
        *("convert", "inspect", "bundle", "verify", "evaluate", "benchmark", "report"),
    ]
    for words in ran:
        with pytest.raises(SystemExit) as left:
            main([*words, "--quiet"])
        assert left.value.code == 0, words
