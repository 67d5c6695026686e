"""What comes from outside is bounded before it is taken, and its faults are one clear error."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edgeeff import errors, files, foreign, memory
from edgeeff.errors import InputError, UsageError
from edgeeff.pictures.class_names import read_labels
from edgeeff.pictures.images import Skipped, read_images
from edgeeff.pipeline.settings import BOUNDS, Settings
from edgeeff.quantization.recipes import layer_names
from edgeeff.quantization.recipes.recipe import kept_precisions, parse
from tests import png

READERS = {"labels": read_labels, "document": lambda path: files.read_document(path, "a/1")}

EXCEPTION = 'scheme = "int8"\n[[exceptions]]\nprecision = "float"\nlayers = "{}"\n'


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_a_link_to_a_device_that_never_ends_is_refused(read, tmp_path: Path):
    link = tmp_path / "link"
    link.symlink_to("/dev/zero")
    with pytest.raises(InputError, match="link is not a regular file"):
        read(link)


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_a_pipe_that_nobody_writes_to_is_not_waited_for(read, tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="pipe is not a regular file"):
        read(tmp_path / "pipe")


def test_labels_of_more_bytes_than_any_are_not_read(tmp_path: Path):
    labels = tmp_path / "labels.txt"
    with labels.open("wb") as sparse:
        sparse.truncate(foreign.MOST_TEXT + 1)
    with pytest.raises(InputError, match="more than 67,108,864 bytes"):
        read_labels(labels)


@pytest.mark.parametrize("text", ["[" * 100_000, "9" * 5000, '{"a":' * 50_000, "\udcff", "{"])
def test_json_that_python_cannot_read_is_one_error(text, tmp_path: Path):
    path = tmp_path / "a.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(InputError, match="is not a JSON document"):
        files.read_document(path, "edgeeff.manifest/1")


@pytest.mark.parametrize(
    "text",
    ["a = " + "[" * 100_000, "a = " + "9" * 5000, "a = {b=" * 5000, "a = [" * 3, "\0"],
    ids=["arrays", "digits", "tables", "open", "null"],
)
def test_toml_that_python_cannot_read_is_one_error(text):
    with pytest.raises(InputError, match="is not TOML"):
        parse("mine", text)


def test_a_key_of_very_many_parts_costs_no_work():
    """Python's reader takes time and memory as the square of the parts, without an end."""
    text = ".".join("a" * 100_000) + " = 1"
    with pytest.raises(InputError, match="a line with more than 200 dots"):
        parse("mine", text)


@pytest.mark.parametrize(
    "text",
    [
        "a" * 200_000 + " = 1",
        'scheme = "' + "x" * 200_000 + '"',
        "[ranges]\ndeviations = 0x" + "f" * 5000,
        EXCEPTION.format("(" * 5000),
        EXCEPTION.format("a{99999999999999999999}"),
        "scheme = " + "[" * 200 + "]" * 200,
        "summary = [[1]]",
        ".".join("a" * 900) + " = 1",
    ],
    ids=["key", "text", "digits", "parentheses", "count", "nested", "summary", "dotted"],
)
def test_a_wrong_recipe_is_told_in_a_few_words(text):
    with pytest.raises(InputError) as refused:
        parse("mine", text)
    assert len(refused.value.message) < 400


@pytest.mark.parametrize("pattern", ["(([a-z0-9_/]+)+)+!", "(a|a)*!"])
def test_an_expression_that_backtracks_for_ever_is_ended(pattern, monkeypatch):
    monkeypatch.setattr(layer_names, "SECONDS", 0.3)
    recipe = parse("mine", EXCEPTION.format(pattern))
    with pytest.raises(InputError, match=r"takes over 0\.3 s"):
        kept_precisions(recipe, {"a" * 29: "CONV_2D", "block1a_project_conv/bias/a/b/c" * 3: "ADD"})


@pytest.mark.parametrize("pattern", ["_se_|^stem", "block[12].*conv", "(stem|top)_conv$"])
def test_an_expression_fits_the_same_names_in_its_own_process(pattern):
    names = ["stem_conv", "block1a_project_conv", "block3a_se_reduce", "top_conv", "top_bn"]
    fits = [name for name in names if re.search(pattern, name)]
    assert layer_names.fitting(pattern, names) == fits


@pytest.mark.parametrize("name", BOUNDS)
def test_a_setting_has_an_upper_bound(name):
    least, most = BOUNDS[name]
    assert getattr(Settings(**{name: most}), name) == most
    for beyond in (least - 1, most + 1, 10**20, 10**5000):
        with pytest.raises(UsageError, match=f"--{name.replace('_', '-')} .*|a int"):
            Settings(**{name: beyond})


def test_work_that_needs_more_memory_than_there_is_says_how_much():
    with pytest.raises(UsageError, match=r"take 41,000\.0 GB, .* GB are free"):
        memory.check(41 * 10**12, "this")
    memory.check(1, "this")


def test_a_network_that_no_machine_holds_is_refused_before_the_work(tmp_path):
    from edgeeff.pipeline import conversion

    settings = Settings(batch=1024, resolution=4096, weights="none", output=tmp_path / "out")
    with pytest.raises(UsageError, match="not enough memory: the steps of converting b7"):
        conversion.convert("b7", settings)
    assert not (tmp_path / "out").exists()


def test_a_name_without_end_is_cut_and_compared_quickly():
    error = errors.unknown_name("variant", "b" * 10**6, ["b0", "b1"])
    assert len(error.message) < 120


PEAK = """
import resource, sys
from pathlib import Path
from edgeeff.pictures.images import open_rgb
from edgeeff.pictures.preprocessing import of_family
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
of_family("imagenet", 224).pixels(open_rgb(Path(sys.argv[1])))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


@pytest.mark.parametrize("mode", png.FORMATS)
def test_a_large_picture_takes_eight_bytes_a_pixel(mode, tmp_path: Path):
    side = 4000
    path = tmp_path / "large.png"
    path.write_bytes(png.of_one_colour(side, side, mode))
    told = subprocess.run([sys.executable, "-c", PEAK, path], capture_output=True, check=True)
    assert int(told.stdout) < 9.5 * side * side


def test_a_list_whose_names_no_system_takes_is_one_error(tmp_path: Path):
    listed = tmp_path / "list.csv"
    listed.write_text("x" * 5000 + ".png,1\n")
    with pytest.raises(InputError, match="no pictures"):
        read_images(listed)


def test_a_resolution_that_a_manifest_claims_is_not_believed():
    from edgeeff.pictures.preprocessing import Preprocessing

    fields = json.loads(json.dumps(Preprocessing.from_json(RULE).to_json()))
    with pytest.raises(errors.EdgeeffError, match="a resolution of 30000 pixels"):
        Preprocessing.from_json({**fields, "resolution": 30_000})


RULE = {"resolution": 224, "mean": [0] * 3, "std": [1] * 3, "interpolation": "bilinear", "crop": 1}


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"path": "a"}, "it lacks 'reason'"), ({"pth": "a"}, "it has an unknown 'pth'")],
)
def test_fields_that_do_not_fit_are_told_without_the_code_that_takes_them(fields, words):
    with pytest.raises(InputError) as refused, foreign.parsing("a.json is malformed"):
        Skipped(**fields)
    assert refused.value.message == f"a.json is malformed: {words}"
