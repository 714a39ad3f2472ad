"""JSON out of what a model wrote, checked against a schema, and what to tell the model where it does not fit."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from selfstudy.core.plugs import extra

_THOUGHT = re.compile(r"\A(?:\s*<think>.*?(?:</think>|\Z))+|\A(?:(?!<think>).)*?\n[^\S\n]*</think>", re.DOTALL)
"""What a model thought before it spoke; some templates open the thought themselves, so that only its end is in the reply."""


def spoken(text: str) -> str:
    """What a model said, without what it thought before."""
    return _THOUGHT.sub("", text, count=1).strip()


def value_of(text: str, schema: dict[str, Any]) -> Any:
    """The first JSON value in `text` (bare, fenced, among words) that fits `schema`. Raises ValueError that says what is wrong."""
    validator = extra("jsonschema", "api").Draft202012Validator(schema)
    longest, wrong = 0, "there is no whole JSON object or list in it"
    try:
        for value, length in _values(text):
            faults = sorted(validator.iter_errors(value), key=lambda fault: list(map(str, fault.absolute_path)))
            if not faults:
                return value
            if length > longest:
                where = ".".join(map(str, faults[0].absolute_path)) or "the whole"
                longest, wrong = length, f"{where}: {faults[0].message[:200]}"
    except RecursionError:
        wrong = "the JSON in it is nested too deeply"
    raise ValueError(wrong)


def instruction(schema: dict[str, Any]) -> str:
    """What tells a model that knows no structured output what to write."""
    return f"Reply with one JSON value that fits this JSON schema, and with nothing else:\n{json.dumps(schema, ensure_ascii=False)}"


def complaint(fault: str, schema: dict[str, Any] | None = None) -> str:
    """What is said to a model whose reply did not fit; `schema` where it may not have seen it."""
    again = "Reply again with the JSON value alone, so that it fits the schema." if schema is None else instruction(schema)
    return f"That was not usable: {fault}. {again}"


def _values(text: str) -> Iterator[tuple[Any, int]]:
    """Each JSON object or list in `text` that stands in no other, with its length."""
    decoder = json.JSONDecoder()
    end = 0
    for found in re.finditer(r"[{\[]", text):
        if found.start() < end:
            continue
        try:
            value, end = decoder.raw_decode(text, found.start())
        except ValueError:
            continue
        yield value, end - found.start()
