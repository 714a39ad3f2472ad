"""JSON out of what a model wrote, checked against a schema, and what to tell the model where it does not fit."""

from __future__ import annotations

import json
from typing import Any

from selfstudy.core.plugs import extra


def value_of(text: str, schema: dict[str, Any]) -> Any:
    """The JSON value in `text` (bare, fenced, or with words around it) that fits `schema`. Raises ValueError that says what is wrong."""
    found = _first_value(text)
    validator = extra("jsonschema", "api").Draft202012Validator(schema)
    faults = sorted(validator.iter_errors(found), key=lambda fault: list(map(str, fault.absolute_path)))
    if faults:
        where = ".".join(map(str, faults[0].absolute_path)) or "the whole"
        raise ValueError(f"{where}: {faults[0].message[:200]}")
    return found


def instruction(schema: dict[str, Any]) -> str:
    """What tells a model that knows no structured output what to write."""
    return f"Reply with one JSON value that fits this JSON schema, and with nothing else:\n{json.dumps(schema, ensure_ascii=False)}"


def complaint(fault: str) -> str:
    """What is said to a model whose reply did not fit."""
    return f"That was not usable: {fault}. Reply again with the JSON value alone, so that it fits the schema."


def _first_value(text: str) -> Any:
    decoder = json.JSONDecoder()
    for at, char in enumerate(text):
        if char in "{[":
            try:
                return decoder.raw_decode(text, at)[0]
            except ValueError:
                continue
    raise ValueError("there is no whole JSON object or list in it")
