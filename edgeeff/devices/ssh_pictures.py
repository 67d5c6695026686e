"""Pictures on their way to a board: named by their SHA-256, in one archive."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path

from edgeeff.files import read_bytes


def name_of(picture: Path) -> str:
    """A picture's name on a board: the SHA-256 of its content, with its suffix."""
    suffix = picture.suffix.lower()
    digest = hashlib.sha256(read_bytes(picture)).hexdigest()
    return digest + (suffix if re.fullmatch(r"\.[a-z0-9]+", suffix) else "")


def archive(pictures: Mapping[str, Path]) -> bytes:
    """A tar archive of pictures under their names, for a ``tar`` of any age."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, path in pictures.items():
            content = read_bytes(path)
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def whole(listed: str) -> set[str]:
    """The names in the output of ``sha256sum *`` whose files are what their names say."""
    lines = (line.split(maxsplit=1) for line in listed.splitlines())
    pairs = [(words[0], words[1].lstrip("*")) for words in lines if len(words) == 2]
    return {name for digest, name in pairs if name.partition(".")[0] == digest}
