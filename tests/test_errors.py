import pytest

from edgeeff.errors import LONGEST_MESSAGE, InputError


def test_a_message_says_what_is_wrong():
    error = InputError("no such file", "check the path")
    assert (error.message, error.hint, str(error)) == (
        "no such file",
        "check the path",
        "no such file",
    )


@pytest.mark.parametrize("length", [LONGEST_MESSAGE + 1, 10**6])
def test_of_a_message_of_any_length_beginning_and_end_are_kept(length):
    message = InputError(f"no pictures in {'x' * length}/list.csv").message
    assert len(message) < LONGEST_MESSAGE + 100
    assert message.startswith("no pictures in xxx")
    assert "characters left out" in message
    assert message.endswith("xxx/list.csv")
