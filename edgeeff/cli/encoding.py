"""Text for streams: what their encoding lacks is written in ASCII."""

from __future__ import annotations

import codecs
import io
from typing import TextIO

PLAIN = {"→": "->", "…": "...", "°": " degrees ", "µ": "u", "±": "+-", "─": "-"}
"""What says the same in ASCII."""

_HANDLER = "edgeeff.plain"


def encode_anything(stream: TextIO | None) -> None:
    """Let a stream write what its encoding lacks in ASCII, in place of raising an error.

    Characters without an equal in ``PLAIN``, and the bytes of a file name that are no text, become
    their escapes as in Python's strings.
    """
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors=_HANDLER)


def encodable(text: str, stream: TextIO) -> str:
    """The text as the stream will show it, so that its length is known before."""
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, _HANDLER).decode(encoding)


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(PLAIN.get(char) or _escaped(char) for char in lacking), error.end


def _escaped(char: str) -> str:
    return char.encode("ascii", "backslashreplace").decode()


codecs.register_error(_HANDLER, _plain)
