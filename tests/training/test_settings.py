import dataclasses
import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeeff.errors import EdgeeffError, InputError, UsageError
from edgeeff.training.settings import (
    BOUNDS,
    CHOICES,
    Augmentation,
    TrainingSettings,
    read_settings,
    settings_of,
    usual_epochs,
)

PAGE = Path(__file__).parents[2] / "docs" / "training.md"
DIGITS = {"dataset": "digits"}


@given(
    epochs=st.none() | st.integers(1, 500),
    learning_rate=st.none() | st.floats(1e-6, 1.0),
    data=st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1).map(Path),
    flip=st.none() | st.booleans(),
    mixup=st.floats(0, 1),
)
def test_settings_come_back_from_toml_as_they_were(
    tmp_path_factory, epochs, learning_rate, data, flip, mixup
):
    changes = Augmentation(flip=flip, mixup=mixup)
    settings = TrainingSettings(
        data=data, epochs=epochs, learning_rate=learning_rate, augmentation=changes
    )
    path = tmp_path_factory.mktemp("settings") / "settings.toml"
    path.write_text(settings.to_toml(), "utf-8")
    assert settings_of(read_settings(path), "test") == settings


def test_settings_come_back_from_json_as_they_were():
    settings = TrainingSettings(data=Path("photos"), val_data=Path("others"), epochs=3)
    assert settings_of(settings.to_json(), "test") == settings


def test_an_unknown_setting_is_named_with_the_nearest():
    with pytest.raises(UsageError) as refused:
        settings_of({**DIGITS, "learning-rate": 0.1}, "mine.toml")
    assert "mine.toml" in refused.value.message
    assert refused.value.hint.startswith("did you mean learning_rate")


@pytest.mark.parametrize(
    ("name", "value", "takes"),
    [
        ("epochs", "ten", "a whole number, without quotes"),
        ("batch", 1.5, "a whole number, without quotes"),
        ("weights", 3, "text in quotes"),
        ("weights", ["imagenet"], "text in quotes"),
        ("clip", math.nan, "a number, without quotes"),
        ("learning_rate", "0.001", "a number, without quotes"),
        ("data", 3, "a path in quotes"),
    ],
)
def test_a_value_of_another_type_is_refused_and_told_what_is_taken(name, value, takes):
    with pytest.raises(EdgeeffError, match=name) as refused:
        settings_of({**DIGITS, name: value}, "mine.toml")
    assert refused.value.hint == f"it takes {takes}"


def test_a_truth_takes_no_quotes():
    with pytest.raises(InputError, match="flip is 'true'") as refused:
        settings_of({**DIGITS, "augmentation": {"flip": "true"}}, "mine.toml")
    assert refused.value.hint == "it takes true or false, without quotes"


@pytest.mark.parametrize("name", BOUNDS)
def test_a_number_that_cannot_be_meant_is_refused(name):
    kind = Augmentation if name in {f.name for f in dataclasses.fields(Augmentation)} else None
    _, most = BOUNDS[name]
    with pytest.raises(UsageError, match=name):
        Augmentation(**{name: most * 2}) if kind else TrainingSettings(**DIGITS, **{name: most * 2})


@pytest.mark.parametrize("name", CHOICES)
def test_a_word_that_is_no_choice_is_refused(name):
    with pytest.raises(UsageError, match=name.replace("_", " ")):
        TrainingSettings(**DIGITS, **{name: "nonsense"})


def test_pictures_have_to_be_named_once():
    with pytest.raises(UsageError, match="one of --data and --dataset"):
        TrainingSettings()
    with pytest.raises(UsageError, match="--data and --dataset contradict"):
        TrainingSettings(data=Path("photos"), dataset="digits")
    with pytest.raises(UsageError, match="--val-data goes with --data"):
        TrainingSettings(dataset="digits", val_data=Path("photos"))


@given(pictures=st.integers(1, 10**7))
def test_many_pictures_are_gone_through_less_often(pictures):
    assert 4 <= usual_epochs(pictures) <= 60
    assert usual_epochs(pictures + 1) <= usual_epochs(pictures)


@pytest.mark.parametrize("kind", [TrainingSettings, Augmentation])
def test_the_page_has_every_setting_and_its_default(kind):
    rows = [line.split("|") for line in PAGE.read_text("utf-8").splitlines() if line[:1] == "|"]
    for field in dataclasses.fields(kind):
        if field.name == "augmentation":
            continue
        names = [re.findall(r"`(\w+)`", row[1]) for row in rows]
        row = next(row for row, named in zip(rows, names, strict=True) if field.name in named)
        default = f"{field.default:g}" if isinstance(field.default, float) else str(field.default)
        if field.default is not None:
            assert default in re.findall(r"[\w.-]+", row[2])
