"""`edgeeff inspect`: what a .tflite file consists of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgeeff.cli.checks import show_check
from edgeeff.cli.command import Command
from edgeeff.cli.layer_errors import errors_of_layers, plot_of, show_errors
from edgeeff.cli.plots import check_plot, write_plot
from edgeeff.cli.terminal import Terminal, common_options
from edgeeff.errors import UsageError

if TYPE_CHECKING:
    from edgeeff.tflite.inspection import Inspection, Layer
    from edgeeff.tflite.metadata import ModelMetadata, TensorMetadata
    from edgeeff.tflite.model import Tensor

Rows = list[tuple[str, str]]

_NAMED_FLOATS = 8
_COUNTING = ("int32", "int64", "bool")
"""Types of shapes, axes and conditions, which are in float files, too."""

_LONGEST_NAME = 300


@click.command(
    "inspect", cls=Command, short_help="What a .tflite file holds, and what an accelerator takes."
)
@common_options
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--tensors", is_flag=True, help="Every operator and tensor, as -v does.")
@click.option("--layers", is_flag=True, help="Error of each layer against --reference.")
@click.option("--reference", type=click.Path(path_type=Path), help="The float model it came from.")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw --layers: .svg or .html.")
@click.option("--force", is_flag=True, help="Replace an existing plot.")
@click.option("--check", "target", metavar="gpu|edgetpu", help="What it takes, and why not.")
def command(
    terminal: Terminal,
    model: Path,
    tensors: bool,
    layers: bool,
    reference: Path | None,
    plot: Path | None,
    force: bool,
    target: str | None,
) -> None:
    """Take a .tflite file apart: operators, types, sizes, quantization, metadata.

    The file is read, not run: it may come from anywhere. With --layers it is run, beside the
    float model it was made from, on synthetic pictures.

    \b
    Example:
      edgeeff inspect artifacts/efficientnet-b0-int8.tflite
      edgeeff inspect artifacts/efficientnet-b0-int8.tflite --tensors
      edgeeff inspect artifacts/efficientnet-b0-int8.tflite --check edgetpu
      edgeeff inspect int8.tflite --layers --reference float32.tflite \\
          --plot layers.svg
    """  # noqa: D301 - click needs the character, not its escape
    from edgeeff.files import document
    from edgeeff.prediction.check import check_model
    from edgeeff.tflite.inspection import SCHEMA, inspect

    if plot:
        layers = True
        check_plot(plot, force=force)
    if reference and not layers:
        raise UsageError("--reference without --layers", "add --layers")
    inspection = inspect(model)
    checked = check_model(target, inspection.model) if target else None
    errors = errors_of_layers(model, reference) if layers else ()
    more: dict[str, Any] = {"check": checked.to_json()} if checked else {}
    if layers:
        more["layers"] = [error.to_json() for error in errors]
    if plot:
        write_plot(plot_of(errors, model, reference), plot, force=force)
        more["plot"] = str(plot)
    terminal.document(document(SCHEMA, {**inspection.fields(), **more}))
    _say_summary(terminal, inspection)
    _show_operators(terminal, inspection)
    if tensors or terminal.verbose:
        _show_layers(terminal, inspection)
        _show_tensors(terminal, inspection)
    if checked:
        show_check(terminal, checked)
    if layers:
        show_errors(terminal, errors)
    if plot:
        terminal.say(f"plot: {plot}")


def _say_summary(terminal: Terminal, inspection: Inspection) -> None:
    model = inspection.model
    rows = [("size", f"{model.bytes:,} bytes"), ("sha256", model.sha256)]
    for role, infos in (("input", model.inputs), ("output", model.outputs)):
        rows += [(role, f"{_cut(tensor.name)} {_described_type(tensor)}") for tensor in infos]
    for signature in model.signatures:
        called = f"({', '.join(signature.inputs)}) -> {', '.join(signature.outputs)}"
        rows.append(("signature", _cut(signature.key + called)))
    sizes = inspection.parameter_bytes
    by_type = ", ".join(f"{dtype} {size:,}" for dtype, size in sizes.items()) or "none"
    rows += [
        ("integer-only", _integer_only(inspection, terminal.verbose)),
        ("parameters", f"{sum(sizes.values()):,} bytes ({by_type})"),
        ("activations", f"at least {inspection.activation_bytes:,} bytes at once"),
        ("work", f"{inspection.macs / 1e6:,.1f} M multiply-accumulates"),
        *((name, _cut(value)) for name, value in _facts(inspection)),
        *((name, _cut(value)) for name, value in _metadata_rows(inspection)),
    ]
    terminal.pairs(rows, title=str(model.name), split=True)


def _integer_only(inspection: Inspection, every: bool) -> str:
    from edgeeff.tflite.model import FLOATS

    model = inspection.model
    inside = model.float_tensors
    if inside:
        types = {tensor.dtype for graph in model.graphs for tensor in graph.tensors}
        if types <= {*FLOATS, *_COUNTING}:
            return f"no: all {' and '.join(sorted(types & set(FLOATS)))}"
        named = inside if every else inside[:_NAMED_FLOATS]
        names = ", ".join(_cut(tensor.name) for tensor in named)
        more = f" and {len(inside) - len(named)} more (-v)" if len(inside) > len(named) else ""
        return f"no: {len(inside)} float tensors: {names}{more}"
    floats = sum(tensor.dtype in FLOATS for tensor in (*model.inputs, *model.outputs))
    if floats:
        return f"yes, but for {floats} float inputs and outputs, converted at the ends"
    return "yes, inputs and outputs too"


def _facts(inspection: Inspection) -> Rows:
    """What decides whether a delegate takes the model whole."""
    facts = []
    unfixed = inspection.open_shapes
    if unfixed:
        facts.append(("shapes", f"{len(unfixed)} are open, from {unfixed[0].name} on"))
    if inspection.custom_operators:
        facts.append(("custom", ", ".join(inspection.custom_operators)))
    if len(inspection.model.graphs) > 1:
        facts.append(("subgraphs", str(len(inspection.model.graphs))))
    if inspection.minimum_runtime:
        facts.append(("runtime", f"{inspection.minimum_runtime} or newer"))
    return facts


def _metadata_rows(inspection: Inspection) -> Rows:
    attached = [f"{name}: {size:,} bytes" for name, size in inspection.files.items()]
    attached += [
        f"metadata {name}: {len(content):,} bytes"
        for name, content in inspection.model.metadata.items()
    ]
    rows = [("attached", line) for line in attached]
    if inspection.metadata is not None:
        rows += [("metadata", said) for said in _said(inspection.metadata)]
        described = (*inspection.metadata.inputs, *inspection.metadata.outputs)
        rows += [("metadata", _described(tensor)) for tensor in described]
    return rows


def _said(metadata: ModelMetadata) -> list[str]:
    """What the model says of itself, in one line; none if it says nothing."""
    named = f"{metadata.name} {metadata.version}".strip()
    licence = f"licence {metadata.license}" if metadata.license else ""
    author = f"by {metadata.author}" if metadata.author else ""
    said = ", ".join(filter(None, (named, author, licence, metadata.description)))
    return [said] if said else []


def _described(tensor: TensorMetadata) -> str:
    parts = [tensor.name or "(no name)"]
    if tensor.color_space:
        parts.append(tensor.color_space)
    if tensor.mean or tensor.std:
        parts.append(f"mean {list(tensor.mean)}, std {list(tensor.std)}")
    parts += [f"{file.kind} in {file.name}" for file in tensor.files]
    return ": ".join((parts[0], ", ".join(parts[1:]))) if parts[1:] else parts[0]


def _show_operators(terminal: Terminal, inspection: Inspection) -> None:
    by_kind: dict[str, list[Layer]] = {}
    for layer in inspection.layers:
        by_kind.setdefault(layer.operator.kind, []).append(layer)
    rows = [
        (
            _cut(kind),
            count,
            f"{sum(layer.parameter_bytes for layer in by_kind.get(kind, ())):,}",
            f"{sum(layer.macs for layer in by_kind.get(kind, ())) / 1e6:,.1f}",
        )
        for kind, count in inspection.model.operator_counts.items()
    ]
    terminal.table(("operator", ">count", ">parameter bytes", ">M MACs"), rows)


def _show_layers(terminal: Terminal, inspection: Inspection) -> None:
    rows = [
        (
            index,
            _cut(layer.operator.kind),
            _cut(layer.output.name) if layer.output else "",
            *(_type_cells(layer.output) if layer.output else ("", "", "")),
            f"{layer.parameter_bytes:,}",
            f"{layer.macs / 1e6:,.2f}",
        )
        for index, layer in enumerate(inspection.layers)
    ]
    terminal.table(
        (">#", "operator", "output", *_TYPE_COLUMNS, ">parameter bytes", ">M MACs"),
        rows,
        title="layers",
    )


def _show_tensors(terminal: Terminal, inspection: Inspection) -> None:
    rows = [
        (
            tensor.index,
            _cut(tensor.name),
            *_type_cells(tensor),
            "constant" if tensor.constant else "",
            f"{tensor.bytes:,}",
        )
        for tensor in inspection.model.tensors
    ]
    terminal.table((">#", "tensor", *_TYPE_COLUMNS, "", ">bytes"), rows, title="tensors")


_TYPE_COLUMNS = ("type", "scale", ">zero point")


def _type_cells(tensor: Tensor) -> tuple[str, str, str]:
    sizes = ", ".join("?" if size < 0 else str(size) for size in tensor.shape)
    kind = f"{tensor.dtype}[{sizes}]"
    if not tensor.scales:
        return kind, "", ""
    if tensor.per_channel:
        least, most = min(tensor.scales), max(tensor.scales)
        points = sorted(set(tensor.zero_points))
        together = str(points[0]) if len(points) == 1 else f"{points[0]} to {points[-1]}"
        return kind, f"{least:.3g} to {most:.3g} ({len(tensor.scales)})", together
    return kind, f"{tensor.scales[0]:.9g}", str(tensor.zero_points[0])


def _described_type(tensor: Tensor) -> str:
    kind, scale, zero_point = _type_cells(tensor)
    return f"{kind}, scale {scale}, zero point {zero_point}" if scale else kind


def _cut(text: str) -> str:
    """A name of unknown origin without what would flood the terminal, which escapes the rest."""
    return text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1] + "…"
