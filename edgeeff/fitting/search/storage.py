"""Where a search keeps what is asked for and what was found: any storage of Optuna."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from edgeeff import extras, files
from edgeeff.errors import InputError

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.study import Study

JOURNAL = "study.journal"
"""Name of the journal where no storage is named."""

URL = re.compile(r"[a-z][a-z0-9+]*://", re.IGNORECASE)


def open_storage(place: str | Path | None) -> BaseStorage:
    """Open the storage of a search; a journal file is made if need be.

    Args:
        place: the path of a journal file, or a URL of SQLAlchemy such as
            ``postgresql://host/name``; ``None``: the memory of this process.

    Raises:
        ExtraMissing: Optuna, or the driver of the URL's database, is not installed.
        InputError: no such database, or a file that is no journal.
        OutputError: the journal cannot be written.
    """
    extras.require("fit", "the search")
    import optuna
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if place is None:
        return optuna.storages.InMemoryStorage()
    if URL.match(str(place)):
        return _database(str(place))
    path = Path(place)
    files.refuse_unwritable(path.parent)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return optuna.storages.JournalStorage(JournalFileBackend(str(path)))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is no journal of a search", "name another file") from error


def _database(url: str) -> BaseStorage:
    import optuna
    import sqlalchemy

    try:
        return optuna.storages.get_storage(url)
    except ImportError as error:
        raise InputError(
            f"{_without_password(url)}: {error}", "install the database's driver"
        ) from error
    except (sqlalchemy.exc.SQLAlchemyError, ValueError, RuntimeError) as error:
        said = str(error).partition("\n")[0]
        raise InputError(
            f"{_without_password(url)} cannot be opened: {said}", "check the URL"
        ) from error


def _without_password(url: str) -> str:
    return re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", url)


def open_study(storage: BaseStorage, name: str) -> tuple[Study, bool]:
    """The study of a name, whose highest value is the best; and whether it was made just now.

    Of several processes that call this at the same time, one makes the study.
    """
    import optuna

    # Every trial is of a list, and halving is between studies: nothing is sampled or pruned inside.
    sampler, pruner = optuna.samplers.RandomSampler(), optuna.pruners.NopPruner()
    try:
        study = optuna.create_study(
            storage=storage, study_name=name, direction="maximize", sampler=sampler, pruner=pruner
        )
    except optuna.exceptions.DuplicatedStudyError:
        study = optuna.load_study(study_name=name, storage=storage, sampler=sampler, pruner=pruner)
        return study, False
    return study, True
