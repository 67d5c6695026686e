"""Names of unknown origin are shown so that they do not steer the terminal."""

from __future__ import annotations

import pytest

from edgeeff.control_characters import one_line, printable


@pytest.mark.parametrize("char", list("\x00\x07\x08\x0b\x0c\r\x1b\x7f\x9b\u200f\u202e\u2066\u2028"))
def test_a_character_that_steers_is_shown_as_its_escape(char):
    assert printable(f"a{char}b") == f"a{char.encode('unicode_escape').decode()}b"


@pytest.mark.parametrize("text", ["größe 中文 ✓ →", "a\nb\tc", "\u200d👩\u200d🔬", ""])
def test_other_text_stays_as_it_is(text):
    assert printable(text) == text


def test_a_name_cannot_forge_a_line_in_a_table():
    assert one_line("a\nerror: forged\tb") == "a\\nerror: forged\\tb"
