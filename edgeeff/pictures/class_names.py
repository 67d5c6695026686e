"""Which class is which: from names of folders or of a list to the outputs of a model."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from edgeeff.errors import InputError

SPLITS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing", "eval"})
"""What the parts of a data set are called, one above the folders of its classes."""

LONGEST_NUMBER = 9
"""Digits of an output's number; longer ones are names, such as dates or hashes."""


@dataclass(frozen=True)
class Classes:
    """What is known of the classes of pictures.

    Attributes:
        indices: of each class name found.
        names: of all classes in order, as far as known.
        notes: what the user must be told, a sentence each.
    """

    indices: dict[str, int]
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()


def of_list(found: Sequence[str], names: Sequence[str], source: str) -> Classes:
    """The classes that a list names, sorted; numbers are those of outputs.

    Spaces around a name, and how its accents are written, do not count.

    Args:
        found: the names in the list.
        names: of all classes, from a labels file; empty: not given.
        source: of the list, for messages.

    Raises:
        InputError: a name that is not one line of text, not in the labels, or there twice; or two
            names of one class.
    """
    _refuse_unwritable(found, source)
    by_number = all(map(_is_number, found)) and not set(found) <= set(names)
    if by_number:
        return Classes({name: int(name) for name in found}, tuple(names))
    if not names:
        return Classes({name: index for index, name in enumerate(found)}, tuple(found))
    compared = [_compared(name) for name in names]
    indices: dict[str, int] = {}
    for name in found:
        wanted = _compared(name)
        if compared.count(wanted) != 1:
            times = "more than once" if wanted in compared else "not"
            hint = "class names must match the labels letter by letter: --labels FILE gives others"
            raise InputError(f"{source}: class {name!r} is {times} in the labels", hint)
        index = compared.index(wanted)
        if index in indices.values():
            raise InputError(
                f"{source}: two classes are {names[index]!r} in the labels", "join them"
            )
        indices[name] = index
    return Classes(indices, tuple(names))


def shared(found: Sequence[str], names: Sequence[str]) -> bool:
    """Whether any name of the one list stands in the other."""
    known = {_compared(name) for name in names}
    return any(_compared(name) in known for name in found)


def of_folders(found: Sequence[str], names: Sequence[str], source: str) -> Classes:
    """The classes that folders are called by, in the order of their names, as Keras takes them.

    Folders whose numbers leave some out are the numbers of outputs.

    Args:
        found: the folders' names, sorted.
        names: of all classes, from a labels file; empty: not given.
        source: the folder above, for messages.

    Raises:
        InputError: as ``of_list``, or folders that are the parts of a data set.
    """
    if len(found) > 1 and {name.lower() for name in found} <= SPLITS:
        raise InputError(
            f"{source} holds {' and '.join(found)}, which are parts of a data set and no classes",
            f"give one of them, such as {source}/{found[-1]}",
        )
    numbers = [int(name) for name in found if _is_number(name)]
    whole = not names and sorted(numbers) == list(range(len(found))) and len(found) > 0
    if not whole or numbers == sorted(numbers):
        return of_list(found, names, source)
    note = (
        f"the folders 0 to {len(found) - 1} of {source} are taken in the order of their names "
        f"({', '.join(found[:4])}, …), as Keras takes them: --labels FILE gives another order"
    )
    return Classes({name: i for i, name in enumerate(found)}, tuple(found), (note,))


def of_empty(names: Sequence[str], source: str) -> tuple[str, ...]:
    """What the user must be told of folders without pictures, which other tools take for classes.

    Args:
        names: of the folders.
        source: the folder above.
    """
    if not names:
        return ()
    listed = ", ".join(names[:4]) + (", …" if len(names) > 4 else "")
    return (f"folders of {source} without pictures, which count as no classes: {listed}",)


def _compared(name: str) -> str:
    """A name as it is compared: macOS writes an accent as a character of its own."""
    return unicodedata.normalize("NFC", name).strip()


def _refuse_unwritable(found: Sequence[str], source: str) -> None:
    """Refuse names that a labels file, which has one name per line, cannot hold."""
    for name in found:
        if not is_one_line(name):
            raise InputError(f"{source}: class {name!r} is not one line of text", "rename it")


def _is_number(name: str) -> bool:
    """Whether a name can be the number of an output."""
    return name.isdecimal() and len(name) <= LONGEST_NUMBER


def refuse_repeated(places: Collection[tuple[str, object]], source: str) -> None:
    """Refuse class folders that are links to one another.

    Args:
        places: each folder's name, and what tells where it lies.
        source: the folder above, for messages.

    Raises:
        InputError: names two that are the same.
    """
    seen: dict[object, str] = {}
    for name, place in places:
        if place in seen:
            raise InputError(
                f"{source}: the class folders {seen[place]} and {name} are the same folder",
                "take the link away: it would be a class of its own",
            )
        seen[place] = name


def is_one_line(name: str) -> bool:
    """Whether no program shows a name as several lines, or takes part of it for a command.

    The bytes of a file name that are no text ("Cs") cannot be written at all.
    """
    return not any(
        unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") and letter != "\t"
        for letter in name
    )


def mismatch_hint(named: int, outputs: int) -> str:
    """What may be the matter where so many names meet a model of so many outputs."""
    if named == 1:
        return (
            "a folder inside the folder that you give counts as a class: "
            "give the inner one itself if its pictures have no labels"
        )
    if abs(named - outputs) == 1:
        return (
            "a class is missing or too many; or one of the two counts a class 0 'background', and "
            "every answer would be off by one"
        )
    return "--labels FILE names the model's classes in order, one per line"
