"""A shell script in place of Google's compiler: it prints real words and takes real options."""

import stat
import time
from pathlib import Path

import pytest

from edgeeff.cli import main
from edgeeff.errors import GateFailed, InputError, OutputError, TargetUnavailable
from edgeeff.prediction.edgetpu_compiler import CompilerOptions, compile_model, find_compiler
from tests.documents import validated
from tests.prediction.compiler_logs import FULLY_MAPPED, PARTLY_MAPPED


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "lite0-int8.tflite"
    path.write_bytes(b"not read by the stand-in")
    return path


@pytest.fixture
def stand_in(tmp_path):
    """Makes a program that prints ``text`` and behaves like the compiler, or as told."""

    def make(text, *, writes=True, ends="exit 0", log_text=None):
        (tmp_path / "printed.txt").write_text(text)
        (tmp_path / "logged.txt").write_text(log_text if log_text is not None else text)
        lines = [
            "#!/bin/sh",
            f'echo "$@" > {tmp_path}/arguments.txt',
            f"cat {tmp_path}/printed.txt",
            'while [ $# -gt 1 ]; do [ "$1" = -o ] && out=$2; shift; done',
            'name=$(basename "$1" .tflite)',
        ]
        if writes:
            lines += [
                'echo compiled > "$out/${name}_edgetpu.tflite"',
                f'cp {tmp_path}/logged.txt "$out/${{name}}_edgetpu.log"',
            ]
        program = tmp_path / "compiler.sh"
        program.write_text("\n".join([*lines, ends, ""]))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return program

    return make


def test_writes_the_compiled_model_and_the_log(model, stand_in, tmp_path):
    result = compile_model(model, tmp_path / "out", stand_in(FULLY_MAPPED))
    assert result.model == tmp_path / "out/lite0-int8_edgetpu.tflite"
    assert result.model.read_text() == "compiled\n"
    assert result.log_file.read_text() == FULLY_MAPPED
    assert result.log.mapped_share == 1.0


def test_takes_the_table_from_the_log_file_when_only_that_has_it(model, stand_in, tmp_path):
    program = stand_in(FULLY_MAPPED.split("Operator  ")[0], log_text=FULLY_MAPPED)
    assert compile_model(model, tmp_path / "out", program).log.mapped == 84


def test_passes_its_options_on(model, stand_in, tmp_path):
    options = CompilerOptions(min_runtime=13, search=True, timeout=7)
    compile_model(model, tmp_path / "out", stand_in(FULLY_MAPPED), options)
    words = (tmp_path / "arguments.txt").read_text().split()
    assert words[:6] == ["-s", "-t", "7", "-m", "13", "-d"]
    assert words[-1] == f"./{model.name}"


@pytest.mark.parametrize("name", ["-d.tflite", "--help.tflite", "-o.tflite"])
def test_a_name_is_never_taken_for_an_option(name, stand_in, tmp_path):
    model = tmp_path / name
    model.write_bytes(b"not read by the stand-in")
    assert compile_model(model, tmp_path / "out", stand_in(FULLY_MAPPED)).log.mapped == 84
    assert (tmp_path / "arguments.txt").read_text().split()[-1] == f"./{name}"


def test_a_device_is_no_model(stand_in, tmp_path):
    with pytest.raises(InputError, match="/dev/null is not a regular file"):
        compile_model(Path("/dev/null"), tmp_path / "out", stand_in(FULLY_MAPPED))


@pytest.mark.parametrize("source", ["cat /dev/zero", "yes"])
def test_a_compiler_that_prints_without_end_is_ended(source, model, stand_in, tmp_path):
    program = stand_in("", ends=source)
    with pytest.raises(TargetUnavailable, match="printed more than 16,777,216 bytes"):
        compile_model(model, tmp_path / "out", program)


def test_a_refused_model_is_an_input_error_and_leaves_only_the_log(model, stand_in, tmp_path):
    program = stand_in("\nInternal compiler error. Aborting! \n", writes=False, ends="exit 1")
    with pytest.raises(InputError, match="does not say why"):
        compile_model(model, tmp_path / "out", program)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["lite0-int8_edgetpu.log"]


def test_too_small_a_mapped_share_is_a_failed_gate_without_a_model(model, stand_in, tmp_path):
    with pytest.raises(GateFailed, match=r"94\.3%.*95\.0%"):
        compile_model(model, tmp_path / "out", stand_in(PARTLY_MAPPED), min_mapped=0.95)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["lite0-int8_edgetpu.log"]


def test_a_large_enough_share_passes_the_gate(model, stand_in, tmp_path):
    result = compile_model(model, tmp_path / "out", stand_in(PARTLY_MAPPED), min_mapped=0.94)
    assert result.model.exists()


def test_a_crash_of_the_compiler_names_the_signal(model, stand_in, tmp_path):
    program = stand_in("Edge TPU Compiler version 16.0\n", writes=False, ends="kill -SEGV $$")
    with pytest.raises(TargetUnavailable, match="SIGSEGV"):
        compile_model(model, tmp_path / "out", program)


@pytest.mark.parametrize("ends", ["sleep 60", "sleep 60 & exit 0"], ids=["itself", "its child"])
def test_a_compiler_that_hangs_is_ended(model, stand_in, tmp_path, monkeypatch, ends):
    monkeypatch.setattr("edgeeff.prediction.edgetpu_compiler._SLACK_SECONDS", 0)
    begun = time.monotonic()
    with pytest.raises(TargetUnavailable, match="did not end within 1 s"):
        compile_model(model, tmp_path / "out", stand_in("", ends=ends), CompilerOptions(timeout=1))
    assert time.monotonic() - begun < 30


def test_success_without_a_file_is_no_success(model, stand_in, tmp_path):
    with pytest.raises(TargetUnavailable, match="wrote no"):
        compile_model(model, tmp_path / "out", stand_in(FULLY_MAPPED, writes=False))


def test_existing_results_are_kept_without_force(model, stand_in, tmp_path):
    program = stand_in(FULLY_MAPPED)
    compile_model(model, tmp_path / "out", program)
    with pytest.raises(OutputError, match="exists already"):
        compile_model(model, tmp_path / "out", program)
    compile_model(model, tmp_path / "out", program, force=True)


def test_a_missing_compiler_says_how_to_get_it(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(TargetUnavailable, match="on PATH") as raised:
        find_compiler()
    assert "edgetpu-compiler" in raised.value.hint


def test_a_file_that_is_no_program_is_named(tmp_path):
    plain = tmp_path / "edgetpu_compiler"
    plain.write_text("text")
    with pytest.raises(TargetUnavailable, match="not a program"):
        find_compiler(plain)


@pytest.mark.parametrize("prefix", ["", "./"])
def test_finds_the_compiler_in_the_current_folder(prefix, stand_in, monkeypatch):
    program = stand_in(FULLY_MAPPED)
    monkeypatch.chdir(program.parent)
    assert find_compiler(Path(f"{prefix}{program.name}")) == program


def test_finds_the_compiler_on_the_path(stand_in, monkeypatch):
    program = stand_in(FULLY_MAPPED)
    program.rename(program.parent / "edgetpu_compiler")
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    assert find_compiler() == Path(program.parent / "edgetpu_compiler")


def test_the_command_prints_one_json_document(model, stand_in, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["compile", str(model), "--compiler", str(stand_in(PARTLY_MAPPED)), "--json"])
    assert ended.value.code == 0
    printed = capsys.readouterr()
    document = validated(printed.out)
    assert "83 of 88 operators" in printed.err
    assert (document["mapped"], document["on_cpu"]) == (83, 5)
    assert document["operators"][0]["meaning"]


@pytest.mark.parametrize(
    ("compiler", "arguments", "status"),
    [(None, ["--min-mapped", "99"], 3), (None, ["--min-mapped", "90"], 0), ("/none", [], 4)],
)
def test_the_command_ends_with_the_status_of_its_outcome(
    model, stand_in, compiler, arguments, status
):
    program = compiler or stand_in(PARTLY_MAPPED)
    with pytest.raises(SystemExit) as ended:
        main(["compile", str(model), "--compiler", str(program), *arguments])
    assert ended.value.code == status


def test_the_command_shows_what_stays_on_the_cpu(model, stand_in, capsys):
    with pytest.raises(SystemExit):
        main(["compile", str(model), "--compiler", str(stand_in(PARTLY_MAPPED))])
    shown = capsys.readouterr().out
    assert "83 of 88 operators" in shown
    assert "quantize inputs and outputs too" in shown
