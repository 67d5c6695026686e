"""Which class is which: from names of folders or of a list to the outputs of a model."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeeff import files
from edgeeff.errors import InputError

SPLITS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing", "eval"})
"""What the parts of a data set are called, one above the folders of its classes."""

A_LINE_EACH = "one name per line for each class, in their order"
OFF_BY_ONE = (
    "one of the two may count a class 0 'background': then every answer would be off by one"
)
TWICE = (
    "give each class a name of its own (--labels FILE), or call the pictures' classes by the "
    "numbers of outputs"
)
LETTER_BY_LETTER = "class names must match letter by letter: --labels FILE gives others"

LABELS = "the labels"
"""Names of classes that come from no file that is known."""

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


def read_labels(path: Path) -> tuple[str, ...]:
    """Class names, one per line, UTF-8; empty lines at the end do not count.

    Raises:
        InputError: not text, empty, an empty line between names (it would shift the rest), or a
            name with a character that some program takes for the end of a line, or shows as none.
    """
    names = [line.strip() for line in files.read_text(path).split("\n")]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise InputError(f"{path} holds no class names", "one per line")
    if "" in names:
        where = names.index("") + 1
        raise InputError(f"{path}:{where} is empty", "one class name per line, without gaps")
    for number, name in enumerate(names, 1):
        if not is_one_line(name):
            raise InputError(f"{path}:{number} is not one line of text: {name!r}", "write it anew")
    return tuple(names)


def check_count(named: int, outputs: int, where: object = LABELS, hint: str = A_LINE_EACH) -> None:
    """Refuse class names that are more or fewer than the outputs of a model.

    One sigmoid tells two classes apart.

    Args:
        named: how many names there are.
        outputs: of the model.
        where: the names stand, for the message.
        hint: what to do.

    Raises:
        InputError: the counts differ.
    """
    if named == outputs or (named, outputs) == (2, 1):
        return
    raise InputError(
        f"{where}: {_counted(named, 'class name')} for a model of {_counted(outputs, 'class')}",
        f"{hint}; {OFF_BY_ONE}" if abs(named - outputs) == 1 else hint,
    )


def repeated(names: Sequence[str], where: object) -> tuple[str, ...]:
    """What the user must be told of names that several classes have: of ImageNet's, crane does.

    Args:
        names: of the classes.
        where: they stand.
    """
    compared = [_compared(name) for name in names]
    twice = [name for name, count in Counter(compared).items() if count > 1]
    if not twice:
        return ()
    first = compared.index(twice[0]) + 1
    second = compared.index(twice[0], first) + 1
    others = f", and {_counted(len(twice) - 1, 'more name')} likewise" if len(twice) > 1 else ""
    return (
        f"{where} calls two classes {twice[0]!r} (lines {first} and {second}){others}: pictures "
        "cannot be sorted by a name that two classes have",
    )


def of_list(
    found: Sequence[str], names: Sequence[str], source: str, labels: object = LABELS
) -> Classes:
    """The classes that a list names, sorted; numbers are those of outputs.

    Spaces around a name, and how its accents are written, do not count.

    Args:
        found: the names in the list.
        names: of all classes, from a labels file; empty: not given.
        source: of the list, for messages.
        labels: where ``names`` stand, likewise.

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
            hint = TWICE if wanted in compared else LETTER_BY_LETTER
            raise InputError(f"{source}: class {name!r} is {times} in {labels}", hint)
        index = compared.index(wanted)
        if index in indices.values():
            raise InputError(f"{source}: two classes are {names[index]!r} in {labels}", "join them")
        indices[name] = index
    return Classes(indices, tuple(names))


def shared(found: Sequence[str], names: Sequence[str]) -> bool:
    """Whether any name of the one list stands in the other."""
    known = {_compared(name) for name in names}
    return any(_compared(name) in known for name in found)


def of_folders(
    found: Sequence[str], names: Sequence[str], source: str, labels: object = LABELS
) -> Classes:
    """The classes that folders are called by, in the order of their names, as Keras takes them.

    Folders whose numbers leave some out are the numbers of outputs.

    Args:
        found: the folders' names, sorted.
        names: of all classes, from a labels file; empty: not given.
        source: the folder above, for messages.
        labels: where ``names`` stand, likewise.

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
        return of_list(found, names, source, labels)
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


def _counted(count: int, what: str) -> str:
    plural = "es" if what.endswith("s") else "s"
    return f"{count} {what}{'' if count == 1 else plural}"
