"""Native libraries in an app: there, for the phone's processor, and loaded with pages of 16 KB."""

from __future__ import annotations

import contextlib
import io
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import edgeeff
from edgeeff.bundling.build import Bundled
from edgeeff.bundling.native_library import ABIS, load_alignment
from edgeeff.bundling.package import PAGE, check_package
from edgeeff.cli import main
from edgeeff.errors import InputError
from tests.documents import validated


def library(abi: str = "arm64-v8a", alignment: int = PAGE) -> bytes:
    """An ELF file with a segment that is loaded and one that is not."""
    bits, machine = ABIS[abi]
    begin = b"\x7fELF" + bytes([2 if bits == 64 else 1, 1, 1]) + bytes(9)
    if bits == 64:
        head = struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
        note = struct.pack("<IIQQQQQQ", 4, 0, 0, 0, 0, 0, 0, 4)
        load = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, 0, 0, alignment)
    else:
        head = struct.pack("<HHIIIIIHHHHHH", 3, machine, 1, 0, 52, 0, 0, 52, 32, 2, 0, 0, 0)
        note = struct.pack("<IIIIIIII", 4, 0, 0, 0, 0, 0, 0, 4)
        load = struct.pack("<IIIIIIII", 1, 0, 0, 0, 0, 0, 5, alignment)
    return begin + head + note + load


def app(
    path: Path, entries: dict[str, bytes], *, stored: bool = False, aligned: bool = True
) -> Path:
    """An APK or AAR; what is stored begins at a page, as zipalign leaves it, if ``aligned``."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in entries.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            begin = buffer.tell() + 30 + len(name)
            if stored and aligned:
                space = -(begin + 4) % PAGE
                entry.extra = struct.pack("<HH", 0xD935, space) + bytes(space)
            archive.writestr(entry, content)
    path.write_bytes(buffer.getvalue())
    return path


@pytest.mark.parametrize("stored", [False, True])
def test_an_app_as_it_should_be_has_no_fault(tmp_path: Path, stored: bool) -> None:
    entries = {f"lib/{abi}/libLiteRt.so": library(abi) for abi in ABIS}
    found = check_package(app(tmp_path / "a.apk", entries, stored=stored))
    assert found.faults == ()
    assert {each.abi for each in found.libraries} == set(ABIS)


def test_a_library_of_4_kb_pages_is_named(tmp_path: Path) -> None:
    path = app(tmp_path / "a.apk", {"lib/arm64-v8a/libLiteRt.so": library(alignment=4096)})
    (fault,) = check_package(path).faults
    assert fault.startswith("arm64-v8a/libLiteRt.so is aligned to 4,096 bytes")


def test_processors_of_32_bits_have_no_pages_of_16_kb(tmp_path: Path) -> None:
    entries = {
        "lib/arm64-v8a/libLiteRt.so": library(),
        "lib/armeabi-v7a/libLiteRt.so": library("armeabi-v7a", 4096),
    }
    assert check_package(app(tmp_path / "a.apk", entries)).faults == ()


@pytest.mark.parametrize(("name", "count"), [("a.apk", 1), ("a.aar", 0)])
def test_what_is_mapped_from_the_apk_has_to_lie_at_a_page(
    tmp_path: Path, name: str, count: int
) -> None:
    folder = "lib" if name == "a.apk" else "jni"
    entries = {"AndroidManifest.xml": b"x", f"{folder}/arm64-v8a/libLiteRt.so": library()}
    faults = check_package(app(tmp_path / name, entries, stored=True, aligned=False)).faults
    assert len([fault for fault in faults if "zipalign" in fault]) == count


@pytest.mark.parametrize("name", ["libLiteRt.so", "liblitert_jni.so", "libtensorflowlite_jni.so"])
def test_a_runtime_of_any_age_counts(tmp_path: Path, name: str) -> None:
    path = app(tmp_path / "a.apk", {f"lib/arm64-v8a/{name}": library()})
    assert check_package(path).faults == ()


def test_an_abi_without_the_runtime_is_named(tmp_path: Path) -> None:
    entries = {
        "lib/arm64-v8a/libLiteRt.so": library(),
        "lib/x86_64/libother.so": library("x86_64"),
    }
    (fault,) = check_package(app(tmp_path / "a.apk", entries)).faults
    assert fault == "x86_64 has no LiteRT (libother.so): the app cannot run a model there"


def test_a_phone_whose_abi_is_missing_is_told(tmp_path: Path) -> None:
    path = app(tmp_path / "a.apk", {"lib/x86_64/libLiteRt.so": library("x86_64")})
    (fault,) = check_package(path).faults
    assert fault.startswith("a.apk has no native libraries for arm64-v8a")
    assert check_package(path, "x86_64").faults == ()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (library("x86_64"), "is built for another processor"),
        (library("armeabi-v7a"), "is built for another processor"),
        (b"#!/bin/sh\n" * 20, "is no native library"),
        (library()[:100], "program headers that are not in the file"),
        (library()[:120] + bytes(4) + library()[124:], "has nothing that is loaded"),
    ],
    ids=["another", "32 bits", "script", "cut", "not loaded"],
)
def test_a_library_that_no_phone_loads_is_refused(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = app(tmp_path / "a.apk", {"lib/arm64-v8a/libLiteRt.so": content})
    with pytest.raises(InputError, match=said):
        check_package(path)


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.apk").write_bytes(b"PK and so on")
    with pytest.raises(InputError, match="is not a whole APK or AAR"):
        check_package(tmp_path / "a.apk")


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(
    abi=st.sampled_from([*ABIS, "other"]),
    edits=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=8),
)
def test_a_damaged_library_is_refused_or_has_an_alignment(
    abi: str, edits: list[tuple[int, int]]
) -> None:
    content = bytearray(library(abi if abi in ABIS else "arm64-v8a"))
    for place, value in edits:
        content[place % len(content)] = value
    with contextlib.suppress(InputError):
        assert load_alignment(bytes(content), abi, "x") >= 0


class TestVerify:
    def test_takes_the_apps_faults_for_its_own(self, bundled: Bundled, tmp_path: Path) -> None:
        path = app(tmp_path / "a.apk", {"lib/arm64-v8a/libLiteRt.so": library(alignment=4096)})
        found = edgeeff.verify(bundled.path, apk=path)
        assert not found.good
        assert "aligned to 4,096 bytes" in found.faults[0]
        validated(found.text())

    def test_lists_the_libraries(self, bundled: Bundled, tmp_path: Path, capsys) -> None:
        path = app(tmp_path / "a.apk", {"lib/arm64-v8a/libLiteRt.so": library()})
        with pytest.raises(SystemExit) as left:
            main(["verify", str(bundled.path), "--apk", str(path)])
        assert left.value.code == 0
        assert "libLiteRt.so" in capsys.readouterr().out
