import json
from pathlib import Path

from edgeeff.quantization.recipes.measured import measurements
from edgeeff.quantization.recipes.recipe import named_recipes
from tests.commands import said


def test_lists_every_recipe_with_what_it_costs_and_gives(capsys) -> None:
    status, out, err = said(capsys, "recipes")
    assert (status, err) == (0, "")
    rows = [words for line in out.splitlines() if (words := line.split())]
    assert set(named_recipes()) <= {words[0] for words in rows}
    figures = measurements()[0].recipes["int8-mixed"]
    expected = [
        f"{figures.megabytes:.2f}",
        f"{figures.median_image_sqnr_db:.1f}",
        f"{figures.agreement:.1%}",
    ]
    assert ["int8-mixed", *expected] in [words[:4] for words in rows]
    assert any(words[:2] == ["int8-mixed", "no"] for words in rows)


def test_says_where_the_figures_come_from(capsys) -> None:
    _, out, _ = said(capsys, "recipes")
    assert all(measured.network in out for measured in measurements())
    assert all(measured.pictures in out for measured in measurements())
    assert "docs/results.md" in out


def test_json_has_the_figures_and_what_they_were_measured_on(capsys) -> None:
    _, out, _ = said(capsys, "recipes", "--json")
    fields = json.loads(out)
    assert fields["schema"] == "edgeeff.recipes/1"
    lite0 = measurements()[0]
    assert fields["measured_on"][0]["network"] == lite0.network == "lite0"
    assert fields["measured_on"][0]["command"] == lite0.command
    listed = {recipe["name"]: recipe for recipe in fields["recipes"]}
    figures = json.loads(json.dumps(lite0.recipes["int8"].to_json()))
    assert listed["int8"]["measured"]["lite0"] == figures
    assert listed["int8"]["integer_only"] is True


def test_a_recipe_of_ones_own_has_no_figures(capsys, tmp_path: Path) -> None:
    mine = tmp_path / "int8.toml"
    mine.write_text(named_recipes()["int8"].text.replace("gptq", "nearest"))
    _, out, _ = said(capsys, "recipes", mine, "--json")
    (listed,) = json.loads(out)["recipes"]
    assert listed["measured"] == {}


def test_prints_one_recipe_so_that_it_can_be_changed(capsys) -> None:
    assert said(capsys, "recipes", "int8") == (0, named_recipes()["int8"].text, "")
