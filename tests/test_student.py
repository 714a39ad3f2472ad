"""Smaller embedders: fewer layers or none, near their teacher, and what they lose told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from docstrings import home_in
from passages import passage
from tiny import tokenizer
from training import WORDS
from typer.testing import CliRunner

from selfstudy.apps.cli import app
from selfstudy.core.artifacts import write_records
from selfstudy.core.errors import BadInput
from selfstudy.core.records import Artifact, Example, Hit
from selfstudy.core.run import Lazy, Run
from selfstudy.models.sentence import SentenceEmbedder
from selfstudy.train import student as student_training
from selfstudy.train.model import load
from selfstudy.train.student import Student, student


@pytest.fixture
def documents(tmp_path: Path) -> tuple[Artifact, Artifact]:
    """Passages, and questions about some of them."""
    chooser = np.random.default_rng(0)
    passages = [passage(" ".join(chooser.choice(WORDS, 12))) for _ in range(60)]
    folder = tmp_path / "made"
    folder.mkdir()
    write_records(folder / "passages.jsonl", passages)
    asked = [
        Example(str(n), f"what {one.text[:20]}", (), (Hit(one, 1.0, "w"),), split="exam" if n % 3 else "train")
        for n, one in enumerate(passages)
    ]
    write_records(folder / "kept.jsonl", asked)
    return Artifact("corpus", "corpus", folder), Artifact("kept", "kept", folder)


class Noting:
    """A teacher that notes what it was asked for."""

    def __init__(self, embedder: SentenceEmbedder) -> None:
        self._embedder = embedder
        self.seen: dict[str, set[str]] = {"query": set(), "passage": set()}
        self.fingerprint = embedder.fingerprint
        self.name, self.dim = "noting", embedder.dim

    def embed(self, texts: Any, role: Any = "passage", progress: Any = None) -> Any:
        self.seen[role] |= set(texts)
        return self._embedder.embed(texts, role)


@pytest.mark.parametrize(
    "config", [Student(layers=1, steps=100, learning_rate=1e-3), Student(kind="static", steps=100)], ids=["layers", "static"]
)
def test_a_student_comes_near_its_teacher(config: Student, tiny: Path, documents: tuple[Artifact, Artifact], tmp_path: Path) -> None:
    teacher = Noting(SentenceEmbedder(tiny, threads=1))
    corpus, kept = documents
    made = Run(tmp_path / "run").stage(student, config, corpus, kept, Lazy("folder", lambda: tiny), teacher)
    small = SentenceEmbedder(made.path / "model", threads=1)
    fresh = [" ".join(np.random.default_rng(seed).choice(WORDS, 10)) for seed in range(1, 30)]
    theirs, ours = teacher.embed(fresh), small.embed(fresh)
    assert (theirs * ours).sum(axis=1).mean() > 0.9, "of which a layer alone, untaught, has .43 and words untaught .83"
    assert (theirs * ours).sum(axis=1).mean() > (theirs * np.roll(ours, 1, axis=0)).sum(axis=1).mean(), "and it tells texts apart"
    asked = [json.loads(line) for line in (kept.path / "kept.jsonl").read_text().splitlines()]
    assert {one["question"] for one in asked if one["split"] == "exam"}.isdisjoint(teacher.seen["query"]), "the exam is not learned from"
    assert {one["question"] for one in asked if one["split"] == "train"} <= teacher.seen["query"]
    weights = [sum(weight.numel() for weight in load(folder).state_dict().values()) for folder in (tiny, made.path / "model")]
    assert weights[1] < weights[0]


def test_a_static_student_begins_at_words_as_they_are_written(tmp_path: Path) -> None:
    class Teacher:
        def embed(self, texts: list[str]) -> Any:
            heard.extend(texts)
            return np.ones((len(texts), 4), np.float32)

    heard: list[str] = []
    written = "经济 café 经济 café"
    model = SimpleNamespace(tokenizer=tokenizer(tmp_path, texts=[written] * 9), prompts={}, default_prompt_name=None, device="cpu")
    student_training._static(cast(Any, model), cast(Any, Teacher()))
    assert {"经济", "café"} <= set(heard), "not as the bytes of a byte-level vocabulary are spelt"


def test_the_layers_kept_are_the_teachers(tiny: Path, documents: tuple[Artifact, Artifact], tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    folder, teacher = Lazy("folder", lambda: tiny), SentenceEmbedder(tiny)
    made = run.stage(student, Student(layers=1, steps=1, learning_rate=1e-9), *documents, folder, teacher)
    small, whole = (load(folder)[0].auto_model for folder in (made.path / "model", tiny))
    assert len(small.encoder.layer) == small.config.num_hidden_layers == 1
    np.testing.assert_allclose(
        small.encoder.layer[0].output.dense.weight.detach(), whole.encoder.layer[-1].output.dense.weight.detach(), atol=1e-6
    )
    with pytest.raises(BadInput, match="the embedder has 2 layers"):
        run.stage(student, Student(layers=2, steps=1), *documents, folder, teacher)


def test_other_architectures_lose_layers_too_and_what_has_none_says_so(
    tiny: Path, documents: tuple[Artifact, Artifact], tmp_path: Path
) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import AutoTokenizer, DistilBertConfig, DistilBertModel

    words = AutoTokenizer.from_pretrained(tiny)
    words.save_pretrained(tmp_path / "raw")
    DistilBertModel(DistilBertConfig(vocab_size=len(words), dim=24, hidden_dim=32, n_layers=3, n_heads=2)).save_pretrained(tmp_path / "raw")
    SentenceTransformer(modules=[Transformer(str(tmp_path / "raw")), Pooling(24)], device="cpu").save_pretrained(str(tmp_path / "teacher"))
    teacher, run = SentenceEmbedder(tmp_path / "teacher"), Run(tmp_path / "run")
    made = run.stage(student, Student(layers=2, steps=1), *documents, Lazy("distil", lambda: tmp_path / "teacher"), teacher)
    assert len(load(made.path / "model")[0].auto_model.transformer.layer) == 2
    static = run.stage(student, Student(kind="static", steps=1), *documents, Lazy("static", lambda: tmp_path / "teacher"), teacher)
    beneath = Lazy("beneath", lambda: static.path / "model")
    for config in (Student(layers=1, steps=1), Student(kind="static", steps=1)):
        with pytest.raises(BadInput, match=r"none that could be chosen|static already"):
            run.stage(student, config, *documents, beneath, SentenceEmbedder(static.path / "model"))


@pytest.mark.parametrize("name", ["passage", "document"])
def test_a_student_learns_behind_the_prompts_of_its_teacher(
    tiny: Path, documents: tuple[Artifact, Artifact], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "prompted"))
    path = folder / "config_sentence_transformers.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"prompts": {"query": "what ", name: "answer "}}))
    rows: list[str] = []
    monkeypatch.setattr("selfstudy.train.student.fit", lambda work, model, loss, data, **_: rows.extend(data["text"]) or [])
    Run(tmp_path / "run").stage(student, Student(steps=2, layers=1), *documents, Lazy(name, lambda: folder), SentenceEmbedder(folder))
    assert rows
    assert {row.split()[0] for row in rows} == {"what", "answer"}


def test_distil_writes_a_model_that_another_home_can_use(tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text('{"_id": "1", "text": "How is a path combined with others?"}\n')
    (tmp_path / "r.tsv").write_text("query-id\tcorpus-id\tscore\n1\tpathlib.PurePath.joinpath\t1\n")
    own = f'[own]\nqueries = "{tmp_path / "q.jsonl"}"\nqrels = "{tmp_path / "r.tsv"}"\n'
    home, out = home_in(tmp_path, own), tmp_path / "small"
    said = CliRunner().invoke(app, ["--home", str(home), "distil", str(out), "--layers", "1", "--steps", "5", "--json"])
    assert said.exit_code == 0, said.output
    told = json.loads(said.stdout)
    assert told["model"] == str(out)
    assert set(told["metrics"]) == set(told["differences"]) == {"exam", "own"}
    for name, sides in told["metrics"].items():
        assert sides["teacher"]["value"] + told["differences"][name]["value"] == pytest.approx(sides["student"]["value"], abs=1e-9)
    assert told["differences"]["own"]["n"] == 1
    assert 0 < told["size"] < 1
    assert told["speed"] > 0
    assert SentenceEmbedder(out).embed(["a widget"]).shape == (1, 24)
    again = CliRunner().invoke(app, ["--home", str(home), "distil", str(out)])
    assert isinstance(again.exception, BadInput)
    assert "is there already" in str(again.exception)
