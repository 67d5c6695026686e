"""Checks JSON documents against the schemas that edgeeff ships, every field documented."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import jsonschema
import referencing

from edgeeff import files


def closed(part: Any) -> Any:
    """A schema that takes no field it does not name, unless it says that others may come."""
    if isinstance(part, list):
        return [closed(each) for each in part]
    if not isinstance(part, dict):
        return part
    inner = {key: closed(value) for key, value in part.items()}
    if isinstance(part.get("properties"), dict) and part.get("type") is not None:
        inner.setdefault("additionalProperties", False)
    return inner


@cache
def registry() -> Any:
    """All schemas by file name, as they refer to each other."""
    schemas = {path.name: json.loads(path.read_text("utf-8")) for path in files.SCHEMAS.iterdir()}
    return referencing.Registry().with_resources(
        (name, referencing.Resource.from_contents(closed(schema)))
        for name, schema in schemas.items()
    )


def validated(text: str) -> dict[str, Any]:
    """The document in a text that is nothing else; fails if it is not as its schema says."""
    document: dict[str, Any] = json.loads(text)
    schema = {"$ref": files.schema_file(document["schema"]).name}
    jsonschema.Draft202012Validator(schema, registry=registry()).validate(document)
    return document
