"""Small pictures inside the page, of files that a document names and proves by their hash."""

from __future__ import annotations

import base64
import hashlib
import io
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from edgeeff import files, foreign
from edgeeff.errors import EdgeeffError
from edgeeff.pictures.images import SUFFIXES, open_rgb
from edgeeff.reporting.figures import Changed

SIDE = 96
"""Of the square in which a thumbnail fits, in pixels."""

SHOWN = 12
"""Changed predictions of one evaluation that are shown."""

MOST_BYTES = 1_200_000
"""Of all thumbnails in a page, in base64."""

JPEG_QUALITY = 72


@dataclass
class Thumbnails:
    """Makes thumbnails of pictures in folders that the user named.

    A document may come from anywhere and name any file: only what lies in the folders is read, and
    only what has the hash that the document says is shown.

    Attributes:
        folders: the report's own, and those of pictures.
    """

    folders: tuple[Path, ...]
    _made: dict[str, str] = field(default_factory=dict)
    _bytes: int = 0
    _inside: Mapping[str, tuple[Path, ...]] | None = None

    def of(self, changed: Changed) -> str:
        """The picture as a ``data:`` address; empty if it is not there, or is another one."""
        if changed.sha256 not in self._made:
            self._made[changed.sha256] = "" if self._bytes >= MOST_BYTES else self._make(changed)
            self._bytes += len(self._made[changed.sha256])
        return self._made[changed.sha256]

    def _make(self, changed: Changed) -> str:
        for path in self._places(changed.path):
            try:
                content = files.read_bytes(path, foreign.MOST_PICTURE)
                if hashlib.sha256(content).hexdigest() != changed.sha256:
                    continue
                with open_rgb(path) as opened:
                    opened.thumbnail((SIDE, SIDE))
                    out = io.BytesIO()
                    opened.save(out, "JPEG", quality=JPEG_QUALITY, optimize=True)
            except EdgeeffError:
                continue
            return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}"
        return ""

    def _places(self, written: str) -> Iterator[Path]:
        """Files of that name in the folders."""
        if self._inside is None:
            self._inside = _by_name(self.folders)
        yield from self._inside.get(PurePath(written.replace("\\", "/")).name, ())


def _by_name(folders: Iterable[Path]) -> dict[str, tuple[Path, ...]]:
    """The pictures in some folders by their name; links are left out."""
    found: dict[str, tuple[Path, ...]] = {}
    for folder in folders:
        for parent, _, names in os.walk(folder):
            for path in (Path(parent) / name for name in sorted(names)):
                if path.suffix.lower() in SUFFIXES and path.is_file() and not path.is_symlink():
                    found[path.name] = (*found.get(path.name, ()), path)
    return found
