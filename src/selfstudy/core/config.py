"""Configuration: one pydantic model per stage, filled from a TOML file and from `--set a.b=c`, every fault told at once.

config, origins = load(Config, home / "config.toml", ["adapt.minutes=12"])
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError

from selfstudy.core.errors import BadConfig, nearest
from selfstudy.core.records import Record
from selfstudy.core.text import without_user

M = TypeVar("M", bound=BaseModel)
DEFAULT = "default"
SET = "--set"
_SECRET = re.compile(r"(?:^|_)(?:key|token|secret|password)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Setting(Record):
    """One value of a configuration: its dotted path, where it came from, and what it is about."""

    path: str
    value: Any
    origin: str
    about: str


def load(model: type[M], toml_path: Path | None = None, sets: Sequence[str] = ()) -> tuple[M, dict[str, str]]:
    """The configuration, and for each dotted path where its value came from: "default", the file's name, or "--set".

    A file that does not exist leaves the defaults. Values of `sets` are TOML (`3`, `true`, `[1, 2]`), JSON (`null`) or a bare string;
    a later one wins over an earlier one, and all win over the file. Raises BadConfig with every fault.
    """
    filling = _Filling(model)
    if toml_path is not None:
        filling.add_table(table(toml_path), toml_path.name)
    for text in sets:
        filling.add_set(text)
    return filling.finish()


def describe(config: BaseModel, origins: Mapping[str, str]) -> list[Setting]:
    """Every value of `config` in the order of its model, as `config show` prints them: URLs without what is secret in them."""
    rows = []
    for path, value, about in _leaves(config):
        plain = json.loads(without_user(json.dumps(value, default=str)))
        rows.append(Setting(path, plain, origins.get(path, DEFAULT), about))
    return rows


def table(path: Path) -> dict[str, Any]:
    """What the file says, whether or not it fits a model; nothing where there is none. Raises BadConfig."""
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise BadConfig(f"{path} cannot be read: {error.strerror}.", "Make it readable, or move it away to use the defaults.") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        column = error.start - (error.object.rfind(b"\n", 0, error.start) + 1) + 1
        raise BadConfig(f"{path} is not UTF-8 text (at line {line}, column {column}).", "Save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise BadConfig(
            f"{path} is not TOML: {str(error)[:1].lower()}{str(error)[1:]}.",
            "Mend that line, or move the file away to use the defaults.",
        ) from error


class _Filling:
    """Values on their way into a model, with their origins and the faults found so far."""

    def __init__(self, model: type[BaseModel]) -> None:
        self.model = model
        self.data: dict[str, Any] = {}
        self.origins: dict[str, str] = {}
        self.raw: dict[str, str] = {}
        self.faults: list[str] = []

    def add_table(self, table: Mapping[str, Any], origin: str, within: tuple[str, ...] = ()) -> None:
        for name, value in table.items():
            path = (*within, name)
            section = _section(self.model, path)
            if section is not None and isinstance(value, Mapping) and value:
                self.add_table(value, origin, path)
            else:
                self.add(path, value, origin)

    def add_set(self, text: str) -> None:
        name, equals, raw = text.partition("=")
        path = tuple(part.strip() for part in name.split("."))
        if not equals or not all(path):
            begin = re.match(r"[\w.]*", text)  # of what was meant as a key nothing is shown
            self.faults.append(f"{SET} {begin[0] if begin else ''}: expected {SET} name=value, like {SET} a.b=3")
            return
        value = _parse(raw)
        if isinstance(value, Mapping) and value and _section(self.model, path) is not None:
            self.add_table(value, SET, path)
        else:
            self.add(path, value, SET)
            self.raw[".".join(path)] = raw.strip()

    def add(self, path: tuple[str, ...], value: Any, origin: str) -> None:
        dotted = ".".join(path)
        for depth in range(len(path)):
            section = _section(self.model, path[:depth])
            if section is None:
                self.faults.append(
                    f"{dotted} = {self._shown(path, value)} ({origin}): {'.'.join(path[:depth])} is one value, not a section"
                )
                return
            if path[depth] not in section.model_fields:
                unknown = ".".join(path[: depth + 1])
                hint = self._hint(path, depth, section)
                self.faults.append(f"{dotted} = {self._shown(path, value)} ({origin}): nothing is called {unknown}{hint}")
                return
        left_out = value is None and _optional(self.model, path)
        if (section := _section(self.model, path)) is not None and value != {} and not left_out:
            known = ", ".join(section.model_fields)
            self.faults.append(f"{dotted} = {self._shown(path, value)} ({origin}): {dotted} is a section; its names are {known}")
            return
        at = self.data
        for name in path[:-1]:
            at[name] = at.get(name) or {}  # what was left out before
            at = at[name]
        at[path[-1]] = value
        self.origins[dotted] = origin
        self.raw.pop(dotted, None)

    def _shown(self, path: Sequence[str], value: Any) -> str:
        return "[not shown]" if _secret(self.model, path) else _show(value)

    def _hint(self, path: tuple[str, ...], depth: int, section: type[BaseModel]) -> str:
        """The nearest name beside the unknown one, else the same name in another section, else the nearest of all."""
        here = nearest(path[depth], section.model_fields)
        if here:
            return here
        everywhere = [known for known, _ in _fields(self.model)]
        same = [known for known in everywhere if known.rpartition(".")[2] == path[-1]]
        return f", did you mean {same[0]!r}?" if same else nearest(".".join(path), everywhere)

    def finish(self) -> tuple[Any, dict[str, str]]:
        config, errors = self._validate()
        if errors and self._take_literally(errors):
            config, errors = self._validate()
        self.faults.extend(self._fault(error) for error in errors)
        if self.faults or config is None:
            count = f"{len(self.faults)} faults" if len(self.faults) > 1 else "A fault"
            told = "".join(f"\n  {fault}" for fault in self.faults)
            raise BadConfig(f"{count} in the configuration:{told}", "`selfstudy config show` lists every name with its value.")
        return config, {path: self.origins.get(path, DEFAULT) for path, _, _ in _leaves(config)}

    def _validate(self) -> tuple[BaseModel | None, list[Any]]:
        try:
            return self.model.model_validate(self.data), []
        except ValidationError as error:
            return None, error.errors(include_url=False)

    def _take_literally(self, errors: Sequence[Any]) -> bool:
        """Where a string is wanted and --set gave 12 or 2024-01-01, the text itself was meant."""
        changed = False
        for error in errors:
            dotted = ".".join(str(part) for part in error["loc"])
            if error["type"] == "string_type" and dotted in self.raw and error["input"] is not None:
                at = self.data
                for name in error["loc"][:-1]:
                    at = at[name]
                at[error["loc"][-1]] = self.raw[dotted]
                changed = True
        return changed

    def _fault(self, error: Any) -> str:
        path = [str(part) for part in error["loc"]]
        message = str(error["msg"]).removeprefix("Value error, ").replace("Input should be", "expected", 1)
        if error["type"] == "missing":
            return f"{'.'.join(path)}: a value is required and none was given"
        dotted = ".".join(path)
        origin = next((self.origins[name] for end in range(len(path), 0, -1) if (name := ".".join(path[:end])) in self.origins), None)
        if origin is None:  # a rule over several values of a section
            return f"{dotted}: {message}" if dotted else message
        return f"{dotted} = {self._shown(path, error['input'])} ({origin}): {message}"


def _parse(raw: str) -> Any:
    try:
        table = tomllib.loads(f"value = {raw}")
        if table.keys() == {"value"}:
            return table["value"]
    except tomllib.TOMLDecodeError:
        pass
    try:
        return json.loads(raw)
    except ValueError:
        return raw.strip()


def _show(value: Any) -> str:
    text = without_user(json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= 80 else text[:77] + "..."


def _model_of(annotation: Any) -> type[BaseModel] | None:
    """The model that a field holds, also where it may be None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, UnionType):
        held = [model for part in get_args(annotation) if (model := _model_of(part)) is not None]
        return held[0] if len(held) == 1 else None
    return None


def _section(model: type[BaseModel], path: Sequence[str]) -> type[BaseModel] | None:
    """The model that stands at `path`, or None where there is a value or nothing."""
    at: type[BaseModel] | None = model
    for name in path:
        if at is None or name not in at.model_fields:
            return None
        at = _model_of(at.model_fields[name].annotation)
    return at


def _optional(model: type[BaseModel], path: Sequence[str]) -> bool:
    """Whether what stands at `path` may be None."""
    above = _section(model, path[:-1])
    return above is not None and type(None) in get_args(above.model_fields[path[-1]].annotation)


def _secret(model: type[BaseModel], path: Sequence[str]) -> bool:
    """Whether a value at `path` may be a secret: it has the name of one, a name that nobody knows beside one, or their section's."""
    at: type[BaseModel] | None = model
    for name in path:
        if at is None or name not in at.model_fields:
            return _holds(at) or any(_SECRET.search(part) for part in path)
        annotation = at.model_fields[name].annotation
        if SecretStr in (annotation, *get_args(annotation)):
            return True
        at = _model_of(annotation)
    return _holds(at)


def _holds(model: type[BaseModel] | None) -> bool:
    """Whether a secret stands in that section."""
    return model is not None and any(SecretStr in (one.annotation, *get_args(one.annotation)) for one in model.model_fields.values())


def _fields(model: type[BaseModel], within: str = "") -> list[tuple[str, Any]]:
    """Every dotted path of values that `model` knows, with its field."""
    found: list[tuple[str, Any]] = []
    for name, field in model.model_fields.items():
        inner = _model_of(field.annotation)
        found += _fields(inner, f"{within}{name}.") if inner is not None else [(within + name, field)]
    return found


def _leaves(config: BaseModel, within: str = "") -> list[tuple[str, Any, str]]:
    found: list[tuple[str, Any, str]] = []
    for name, field in type(config).model_fields.items():
        value = getattr(config, name)
        if isinstance(value, BaseModel):
            found += _leaves(value, f"{within}{name}.")
        else:
            found.append((within + name, value, field.description or ""))
    return found
