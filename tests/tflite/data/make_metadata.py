"""Makes tiny-int8-metadata.tflite: python tests/tflite/data/make_metadata.py SCHEMA.py

SCHEMA.py is ``mediapipe/tasks/metadata/metadata_schema_py_generated.py`` of MediaPipe's wheel
(1.2.2): the metadata is written by its classes, so that the tests do not read our own mistakes.
"""

from __future__ import annotations

import importlib.util
import io
import sys
import zipfile
from pathlib import Path
from typing import Any

import flatbuffers

from edgeeff.tflite.graph import Graph

HERE = Path(__file__).parent


def metadata(schema: Any) -> bytes:
    """An image input with its normalization, an output with labels."""
    normalization = schema.NormalizationOptionsT()
    normalization.mean, normalization.std = [127.0], [128.0]
    unit = schema.ProcessUnitT()
    unit.optionsType = schema.ProcessUnitOptions.NormalizationOptions
    unit.options = normalization
    image = schema.TensorMetadataT()
    image.name, image.description = "image", "the picture to classify"
    image.content = schema.ContentT()
    image.content.contentPropertiesType = schema.ContentProperties.ImageProperties
    image.content.contentProperties = schema.ImagePropertiesT()
    image.content.contentProperties.colorSpace = schema.ColorSpaceType.RGB
    image.processUnits = [unit]
    image.stats = schema.StatsT()
    image.stats.min, image.stats.max = [-1.0], [1.0]
    labels = schema.AssociatedFileT()
    labels.name, labels.locale = "labels.txt", "en"
    labels.type = schema.AssociatedFileType.TENSOR_AXIS_LABELS
    scores = schema.TensorMetadataT()
    scores.name, scores.associatedFiles = "probability", [labels]
    graph = schema.SubGraphMetadataT()
    graph.inputTensorMetadata, graph.outputTensorMetadata = [image], [scores]
    model = schema.ModelMetadataT()
    model.name, model.version, model.author, model.license = "tiny", "v1", "edgeeff", "Apache-2.0"
    model.description, model.minParserVersion = "a test", "1.0.0"
    model.subgraphMetadata = [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"M001")
    return bytes(builder.Output())


def main() -> None:
    """Write tiny-int8.tflite with metadata, and ten labels in a zip archive behind it."""
    spec = importlib.util.spec_from_file_location("schema", sys.argv[1])
    assert spec is not None
    assert spec.loader is not None
    schema = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(schema)
    graph = Graph.of((HERE / "tiny-int8.tflite").read_bytes())
    graph.attach("TFLITE_METADATA", metadata(schema))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as labels:
        names = "\n".join(f"class {number}" for number in range(10))
        labels.writestr(zipfile.ZipInfo("labels.txt"), names + "\n")
    (HERE / "tiny-int8-metadata.tflite").write_bytes(graph.content() + archive.getvalue())


if __name__ == "__main__":
    main()
