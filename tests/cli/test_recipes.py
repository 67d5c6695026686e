import json
from pathlib import Path

import pytest

from edgeeff.cli import main
from edgeeff.quantization.recipes.measured import measurements
from edgeeff.quantization.recipes.recipe import named_recipes


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["recipes", *map(str, words)])
    captured = capsys.readouterr()
    return int(ended.value.code or 0), captured.out, captured.err


def test_lists_every_recipe_with_what_it_costs_and_gives(capsys) -> None:
    status, out, err = run(capsys)
    assert (status, err) == (0, "")
    rows = {words[0]: words for line in out.splitlines() if (words := line.split())}
    assert set(named_recipes()) <= set(rows)
    figures = measurements().recipes["int8-bias"]
    assert rows["int8-bias"][1:6] == [
        f"{figures.megabytes:.2f}",
        f"{figures.sqnr_db:.1f}",
        f"{figures.agreement:.1%}",
        f"{figures.seconds:.1f}",
        "yes",
    ]


def test_says_where_the_figures_come_from(capsys) -> None:
    _, out, _ = run(capsys)
    assert measurements().command in out
    assert measurements().pictures in out


def test_json_has_the_figures_and_what_they_were_measured_on(capsys) -> None:
    _, out, _ = run(capsys, "--json")
    fields = json.loads(out)
    assert fields["schema"] == "edgeeff.recipes/1"
    assert fields["measured_on"]["network"] == measurements().network
    listed = {recipe["name"]: recipe for recipe in fields["recipes"]}
    assert listed["int8"]["measured"] == measurements().recipes["int8"].to_json()
    assert listed["int8"]["integer_only"] is True


def test_a_recipe_of_ones_own_has_no_figures(capsys, tmp_path: Path) -> None:
    mine = tmp_path / "int8.toml"
    mine.write_text(named_recipes()["int8"].text.replace("gptq", "nearest"))
    _, out, _ = run(capsys, mine, "--json")
    (listed,) = json.loads(out)["recipes"]
    assert listed["measured"] is None


def test_prints_one_recipe_so_that_it_can_be_changed(capsys) -> None:
    assert run(capsys, "int8") == (0, named_recipes()["int8"].text, "")
