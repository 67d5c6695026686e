"""What options and files tell before TensorFlow is imported: what would fail later fails here."""

from __future__ import annotations

from edgeeff.errors import UsageError
from edgeeff.pictures.class_names import A_LINE_EACH, check_count, read_labels, repeated
from edgeeff.pictures.images import ImageSet, read_images
from edgeeff.pipeline.settings import Settings
from edgeeff.pipeline.sources import WeightedVariant
from edgeeff.quantization.calibration.pictures import SYNTHETIC
from edgeeff.state_dicts.reading import StateDict


def labels(settings: Settings) -> tuple[str, ...] | None:
    """The names in the file of labels; ``None`` without one. Raises ``InputError``."""
    return None if settings.labels is None else read_labels(settings.labels)


def count_labels(settings: Settings, names: tuple[str, ...] | None, classes: int) -> None:
    """Refuse names for another number of classes than a variant is built with. ``InputError``."""
    if names is not None:
        hint = f"{A_LINE_EACH}, or --classes {len(names)}"
        check_count(len(names), classes, settings.labels, hint)


def untrained(weighted: WeightedVariant, settings: Settings) -> str | None:
    """Why a network will not be trained, as far as is known; ``None``: its weights may fit.

    Args:
        weighted: the network, as ``sources.find`` gives it.
        settings: weights and classes.
    """
    known, wanted = weighted.variant.classes, settings.classes
    of_file = isinstance(weighted.weights, StateDict)
    if wanted in (None, known) or not (of_file or settings.weights in ("auto", "imagenet")):
        return None
    whose = f"{settings.weights} has" if of_file else "ImageNet's weights have"
    return f"{whose} {known} classes, not {wanted}"


def outcomes(settings: Settings, why: str | None) -> tuple[bool, ...]:
    """Whether the network will be trained; both, the likelier first, where that is not known yet.

    Args:
        settings: of the conversion.
        why: it will not, as ``untrained`` says.
    """
    if settings.weights == "none" or why is not None:
        return (False,)
    # Where ImageNet's weights are asked for by name, to be without them is an error.
    return (True,) if settings.weights == "imagenet" else (True, False)


def stays_untrained(why: str, variant: str) -> str:
    """That a network's answers will mean nothing, for which reason, and what to do."""
    return (
        f"{why}: the network stays untrained, and its answers will mean nothing. edgeeff train "
        f"--variant {variant} --data DIR trains it on pictures of yours, --weights FILE takes "
        "weights that fit"
    )


def list_pictures(settings: Settings) -> None:
    """Miss pictures that calibrate or teach. Raises ``InputError``."""
    for folder in (settings.calibration, settings.data):
        if folder is not None and str(folder) != SYNTHETIC:
            read_images(folder)


def eval_data(settings: Settings) -> ImageSet | None:
    """The pictures that will judge the model; ``None`` without any.

    Raises:
        InputError: nothing there, or labels that do not fit.
        UsageError: a limit that wants labels, and pictures without.
    """
    found = None
    if settings.eval_data is not None:
        found = read_images(settings.eval_data, labels=settings.labels)
    if settings.limits.max_drop is not None and not (found and found.labelled):
        raise UsageError("--max-drop needs labelled pictures", "give --eval-data DIR")
    return found


def told(
    settings: Settings, names: tuple[str, ...] | None, judging: ImageSet | None
) -> tuple[str, ...]:
    """What to say of labels and of the pictures that judge. Raises ``InputError`` as ``labels``.

    Args:
        settings: of the conversion.
        names: of the network's classes, as far as known.
        judging: as of ``eval_data``.
    """
    notes = judging.labelled_as(names).notes if judging else ()
    given = names if settings.labels is not None else None
    return (*notes, *repeated(given or (), settings.labels))
