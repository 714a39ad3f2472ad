"""Configuration: where values come from, and every fault at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from selfstudy.core.config import Setting, describe, load
from selfstudy.core.errors import BadConfig


class Train(BaseModel):
    steps: int = Field(300, ge=1, description="steps of training")
    temperature: float = 0.05
    freeze: bool = False
    tags: tuple[str, ...] = ()
    seed: int | None = 7


class Index(BaseModel):
    language: str = "en"
    weights: dict[str, float] = Field(default_factory=dict)
    low: int = 1
    high: int = 2

    @model_validator(mode="after")
    def ordered(self) -> Index:
        if self.low > self.high:
            raise ValueError("low must not be above high")
        return self


class Service(BaseModel):
    model_config = ConfigDict(extra="forbid")

    url: str | None = None
    key: SecretStr | None = None


class Config(BaseModel):
    minutes: float = 12.0
    train: Train = Train()
    index: Index = Index()
    exam: Train | None = None
    service: Service = Service()


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_section_that_may_be_left_out_is_left_out_by_null(tmp_path: Path) -> None:
    path = write(tmp_path, "[exam]\nsteps = 10\n")
    assert load(Config, path)[0].exam == Train(steps=10)
    assert load(Config, path, ["exam=null"])[0].exam is None
    assert load(Config, path, ["exam=null", "exam.seed=3"])[0].exam == Train(seed=3)
    with pytest.raises(BadConfig, match="train is a section"):
        load(Config, path, ["train=null"])


def test_defaults_then_file_then_set(tmp_path: Path) -> None:
    path = write(tmp_path, "minutes = 5\n[train]\nsteps = 10\ntemperature = 0.1\n[index.weights]\ntitle = 2.0\n")
    config, origins = load(Config, path, ["train.steps=20", "train.freeze=true", "train.tags=['a', 'b']", "index.language=zh"])
    assert config == Config(
        minutes=5,
        train=Train(steps=20, temperature=0.1, freeze=True, tags=("a", "b")),
        index=Index(language="zh", weights={"title": 2.0}),
    )
    assert origins["minutes"] == origins["train.temperature"] == origins["index.weights"] == "config.toml"
    assert origins["train.steps"] == origins["train.freeze"] == origins["index.language"] == "--set"
    assert origins["train.seed"] == origins["index.low"] == "default"


def test_without_a_file_everything_is_default(tmp_path: Path) -> None:
    config, origins = load(Config, tmp_path / "config.toml")
    assert config == Config()
    assert set(origins.values()) == {"default"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("index.language=12", "12"),
        ("index.language=2024-01-01", "2024-01-01"),
        ("index.language=1.10", "1.10"),
        ("index.language= en gb ", "en gb"),
        ("index.language='true'", "true"),
        ("index.language=a=b", "a=b"),
        ("index.language=", ""),
        ("train.seed=null", None),
        ('index.weights={"a": 1}', {"a": 1.0}),
        ("index.weights={a = 1}", {"a": 1.0}),
        ("train={steps = 4}", 4),
        ("exam.steps=4", 4),
    ],
)
def test_values_of_set(text: str, value: object) -> None:
    config, _ = load(Config, None, [text])
    exam = config.exam.steps if config.exam else None
    name = text.partition("=")[0]
    found = {"index.language": config.index.language, "train.seed": config.train.seed, "index.weights": config.index.weights}
    assert (found | {"train": config.train.steps, "exam.steps": exam})[name] == value


def test_a_later_set_wins() -> None:
    assert load(Config, None, ["minutes=1", "minutes=2"])[0].minutes == 2


def test_all_faults_at_once_with_path_value_and_nearest_name(tmp_path: Path) -> None:
    path = write(tmp_path, "minuets = 3\n[train]\nstep = 10\nseed = 'x'\n[trian]\nsteps = 1\n")
    sets = ["train.steps=0", "index.low=9", "nonsense", "temperature=1", "train.steps.more=1", "index=3", "train.freeze=perhaps"]
    with pytest.raises(BadConfig) as raised:
        load(Config, path, sets)
    told = raised.value.problem.splitlines()
    assert told[0] == "11 faults in the configuration:"
    for line in (
        "minuets = 3 (config.toml): nothing is called minuets, did you mean 'minutes'?",
        "train.step = 10 (config.toml): nothing is called train.step, did you mean 'steps'?",
        "trian = {\"steps\": 1} (config.toml): nothing is called trian, did you mean 'train'?",
        "temperature = 1 (--set): nothing is called temperature, did you mean 'train.temperature'?",
        "train.steps.more = 1 (--set): train.steps is one value, not a section",
        "index = 3 (--set): index is a section; its names are language, weights, low, high",
        "--set nonsense: expected --set name=value, like --set a.b=3",
        "train.steps = 0 (--set): expected greater than or equal to 1",
        'train.seed = "x" (config.toml): expected a valid integer, unable to parse string as an integer',
        "index: low must not be above high",
    ):
        assert f"  {line}" in told
    assert any(line.startswith('  train.freeze = "perhaps" (--set): expected a valid boolean') for line in told)
    assert "config show" in raised.value.mend


@pytest.mark.parametrize(
    "wrong",
    [
        "service.api_key=sk-very+secret",
        "service.kye=sk-very+secret",
        "service=sk-very+secret",
        "service={key=['sk-very+secret']}",
        "service.key.value=sk-very+secret",
        "api_key=sk-very+secret",
        "openai.token=sk-very+secret",
        "service.key sk-very+secret",
        "service={url=['http://me:sk-very+secret@h/v1']}",
        "service={url=['http://h/v1?api-key=sk-very+secret']}",
    ],
)
def test_a_key_that_was_set_wrongly_is_not_shown(wrong: str) -> None:
    with pytest.raises(BadConfig) as told:
        load(Config, None, [wrong])
    assert "secret" not in str(told.value)
    assert re.match(r"[\w.]*", wrong)[0] in str(told.value)  # type: ignore[index]


def test_a_url_is_described_without_its_key() -> None:
    (row,) = [one for one in describe(Config(service=Service(url="http://me:pw@h/v1?v=2&api-key=verysecret")), {}) if "url" in one.path]
    assert row.value == "http://h/v1?v=2&api-key=[key]"


def test_one_fault_in_a_list_names_where() -> None:
    with pytest.raises(BadConfig, match=r"train\.tags\.1 = 2 \(--set\): expected a valid string"):
        load(Config, None, ["train.tags=['a', 2]"])


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (b"minutes = 3\n[train\n", "line 2, column 7"),
        (b"minutes = 3\nname = \xff\n", "line 2, column 8"),
        (b"minutes = 3\nminutes = 4\n", "line 2"),
    ],
)
def test_a_corrupt_file_names_line_and_column(tmp_path: Path, content: bytes, where: str) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with pytest.raises(BadConfig, match=where) as raised:
        load(Config, path)
    assert "config.toml" in raised.value.problem


def test_describe_lists_every_value_with_its_origin() -> None:
    config, origins = load(Config, None, ["train.steps=5"])
    rows = {row.path: row for row in describe(config, origins)}
    assert rows["train.steps"] == Setting("train.steps", 5, "--set", "steps of training")
    assert rows["train.tags"].value == []
    assert rows["index.weights"].origin == "default"
    assert list(rows)[:2] == ["minutes", "train.steps"]
    assert rows["exam"].value is None
