import json
import subprocess
import sys
from pathlib import Path

import pytest

from edgeeff.architectures.variants import VARIANTS, scaled
from tests.commands import said

BINDING = {
    "name",
    "family",
    "width",
    "depth",
    "resolution",
    "dropout",
    "parameters",
    "trainable",
    "macs",
    "preprocessing",
    "top1",
}


def test_lists_every_variant_with_its_cost(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = said(capsys, "variants")
    assert status == 0
    assert set(VARIANTS) <= {line.split()[0] for line in out.splitlines() if line}
    assert "5,330,564" in out
    assert "0.388 G" in out


def test_shows_one_part_by_part(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = said(capsys, "variants", "b3")
    assert status == 0
    assert "12,320,528 parameters" in out
    assert all(block.name in out for block in VARIANTS["b3"].blocks)


def test_json_is_one_list_with_the_binding_fields(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = said(capsys, "variants", "--json")
    found = json.loads(out)
    assert (status, err) == (0, "")
    assert [each["name"] for each in found] == list(VARIANTS)
    assert all(each.keys() >= BINDING for each in found)


def test_json_of_one_is_a_list_of_one_with_its_parts(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = said(capsys, "variants", "lite0", "--json")
    (found,) = json.loads(out)
    assert found["name"] == "lite0"
    assert sum(part["counts"]["macs"] for part in found["parts"]) == found["macs"]


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["--phi", "1.5"], "b0-phi1.5"),
        (["--phi", "-2"], "b0-phi-2"),
        (["lite0", "--phi", "0.5"], "lite0-phi0.5"),
        (["b0-phi1.5"], "b0-phi1.5"),
        (["--phi", "1", "--alpha", "1.3"], "b0-phi1-1.3-1.1-1.15"),
    ],
)
def test_phi_scales_a_variant(
    capsys: pytest.CaptureFixture[str], words: list[str], name: str
) -> None:
    status, out, _ = said(capsys, "variants", *words, "--json")
    (found,) = json.loads(out)
    assert (status, found["name"], found["top1"]) == (0, name, None)


def test_phi_and_the_function_agree(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = said(capsys, "variants", "--phi", "1.5", "--json")
    (found,) = json.loads(out)
    made = scaled(1.5)
    assert (found["width"], found["resolution"]) == (made.width, made.resolution)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["b9"], "unknown variant 'b9'"),
        (["--phi", "1e9"], "out of range"),
        (["--phi", "nan"], "not a finite number"),
        (["--alpha", "2"], "without --phi"),
        (["--phi", "1", "--beta", "0"], "scaling factors"),
        (["--plot", "picture.png"], "a .svg or .html file"),
        (["b0", "--plot", "picture.svg"], "--plot draws all networks"),
    ],
)
def test_bad_words_end_with_status_2(
    capsys: pytest.CaptureFixture[str], words: list[str], error: str
) -> None:
    status, out, err = said(capsys, "variants", *words, "--json")
    assert status == 2
    assert error in err
    assert json.loads(out)["schema"] == "edgeeff.error/1"


@pytest.mark.parametrize("suffix", ["svg", "html"])
def test_the_picture_is_written_once(capsys, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"picture.{suffix}"
    status, _, _ = said(capsys, "variants", "--plot", str(path), "-q")
    assert status == 0
    assert "EfficientNet-Lite (published)" in path.read_text("utf-8")
    status, _, err = said(capsys, "variants", "--plot", str(path))
    assert status == 2
    assert "exists already" in err


def test_it_never_imports_tensorflow() -> None:
    code = (
        "import sys\nfrom edgeeff.cli import main\n"
        "try: main(['variants', 'b0'])\n"
        "finally: print('tensorflow' in sys.modules, 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False False"
