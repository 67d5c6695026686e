"""A float .tflite and a recipe become a quantized .tflite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from edgeeff.errors import UsageError
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.progress import Progress
from edgeeff.quantization.calibration import coverage
from edgeeff.quantization.calibration.observation import Observations
from edgeeff.quantization.calibration.pictures import CalibrationSet
from edgeeff.quantization.corrections.corrected import Corrected, correct_network
from edgeeff.quantization.float_graph import correctable, refuse_unfit
from edgeeff.quantization.input_grid import RAW, normalised_grid, pixel_grid
from edgeeff.quantization.recipes.recipe import FLOATING, Recipe, kept_precisions
from edgeeff.quantization.writing import boundary, writer
from edgeeff.quantization.writing.input_shift import shifted
from edgeeff.tflite import statistics
from edgeeff.tflite.float_model import FloatModel
from edgeeff.tflite.graph import Graph


@dataclass(frozen=True)
class Ends:
    """What the caller feeds and reads: ``uint8``, ``int8`` or ``float32``."""

    input: str = "uint8"
    output: str = "uint8"


def default_ends(recipe: Recipe) -> Ends:
    """Bytes for integer networks, float32 for the others."""
    return Ends() if recipe.static else Ends("float32", "float32")


def check_ends(recipe: Recipe, ends: Ends) -> None:
    """Refuse bytes for a network that computes in float. Raises ``UsageError``."""
    if not recipe.static and ends != Ends("float32", "float32"):
        raise UsageError(
            f"{recipe.scheme} networks compute in float: their input and output are float32",
            "use --int8 or --int16x8 for a network that takes bytes",
        )


def quantize_model(
    model: FloatModel,
    recipe: Recipe,
    calibration: CalibrationSet | None,
    *,
    ends: Ends | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress | None = None,
    covered: Callable[[coverage.Coverage | None], None] | None = None,
    trained: Callable[[Corrected], Corrected] | None = None,
    observations: Observations | None = None,
) -> bytes:
    """Quantize a float32 .tflite classifier.

    Args:
        model: the classifier. What its source knows of its activations is used.
        recipe: how.
        calibration: pictures; ``None`` only for recipes that look at no activations.
        ends: types of input and output; ``None``: bytes if the network becomes integer.
        seed: of everything drawn at random. Same arguments give the same bytes.
        threads: kernel threads while calibrating.
        progress: told of every stage.
        covered: told how ranges grew with the pictures; ``None`` if none depends on them.
        trained: gives the corrected network as quantization-aware training leaves it, its input
            as the file will have it; ``None``: nothing is trained.
        observations: of this model and these pictures, kept from one recipe to the next.

    Returns:
        The quantized .tflite, its signature kept. A byte input takes raw RGB bytes.

    Raises:
        InputError: a model that cannot be quantized, or pictures that break it.
        UsageError: an exception of the recipe that no layer fits, or ends that do not go.
    """
    progress = progress or Progress()
    ends = ends or default_ends(recipe)
    check_ends(recipe, ends)
    if recipe.scheme == "float32":
        return model.content
    graph = correctable(model.graph)
    kept_precisions(recipe, {operator.name: operator.kind for operator in graph.operators})
    if not recipe.calibrated:
        with progress.stage("quantize"):
            statistics.detach(graph)
            return writer.write(graph, recipe, {}, {})
    if calibration is None:
        raise UsageError(f"recipe {recipe.name} needs calibration pictures")
    network = correct_network(
        model,
        recipe,
        calibration,
        seed=seed,
        threads=threads,
        progress=progress,
        covered=covered,
        observations=observations,
    )
    if trained is not None:
        network = trained(fed_by(network, model.preprocessing, ends))
    with progress.stage("quantize"):
        return assemble(network, recipe, model.preprocessing, ends)


def check_network(model: FloatModel) -> None:
    """Refuse what cannot be quantized before any picture is made or read. ``InputError``."""
    refuse_unfit(correctable(model.graph))


def assemble(network: Corrected, recipe: Recipe, preprocessing: Preprocessing, ends: Ends) -> bytes:
    """Write a corrected network.

    Args:
        network: as ``correct_network`` gives it.
        recipe: its scheme; layers that its exceptions keep in float get their weights back.
        preprocessing: of the network.
        ends: types of input and output.

    Raises:
        InputError: litert-quantizer refuses the network.
        UsageError: an exception of the recipe that no layer fits, or ends that do not go.
    """
    network = fed_by(network, preprocessing, ends)
    # Activations that stay in float have no grids.
    inside = network.grids.get(network.graph.input, normalised_grid(preprocessing))
    layers = {operator.name: operator.kind for operator in network.graph.operators}
    kept = kept_precisions(recipe, layers)
    floating = {name for name in kept if kept[name] in FLOATING}
    scales = {name: network.scales[name] for name in network.scales if name not in floating}
    content = writer.write(network.in_float(floating), recipe, network.grids, scales)
    written = Graph.of(content)
    boundary.quantize_unread(written)
    headroom = recipe.ranges.headroom
    boundary.wrap(written, ends.input, ends.output, inside, headroom=headroom)
    return written.content()


def fed_by(network: Corrected, preprocessing: Preprocessing, ends: Ends) -> Corrected:
    """The network, made to take an app's bytes if its caller feeds these; itself if it does."""
    if ends.input == "float32" or pixel_grid(preprocessing) is not None:
        return network
    return shifted(network, preprocessing) or _normalizing(network, preprocessing)


def _normalizing(network: Corrected, preprocessing: Preprocessing) -> Corrected:
    """The network with the normalization operator in front; itself if it has it already."""
    if boundary.NORMALISED in (operator.name for operator in network.graph.operators):
        return network
    graph = network.graph.copy()
    normalised = boundary.add_normalization(graph, preprocessing)
    grids = {**network.grids, normalised: normalised_grid(preprocessing), graph.input: RAW}
    return replace(network, graph=graph, grids=grids)
