"""A critic and a generator with reflection tokens (Self-RAG, arXiv 2310.11511), out of the examples of a study.

    critic = tuned_critic(run, Critique(), mined, searched, llm, base)
    judge = judge_of(critic)
    generator = tuned_reflective(run, Weaving(), mined, searched, judge, general, base)

`hf:<generator.path>/model` then answers with `--mode reflective`.
"""

from __future__ import annotations

from collections import Counter

from pydantic import BaseModel, ConfigDict, Field

from selfstudy.answer.critics import Instructed
from selfstudy.core.artifacts import read_records, write_records
from selfstudy.core.ports import LLM, Judge, Retriever
from selfstudy.core.records import Artifact, Example
from selfstudy.core.run import Lazy, Run, Work, stage
from selfstudy.models.decoder import HFDecoder
from selfstudy.models.hf import HF
from selfstudy.synth.draft import pick
from selfstudy.synth.labels import Labels, labels, rows_of, versions
from selfstudy.synth.reflections import Reflections, reflections
from selfstudy.train.generator import Generator
from selfstudy.train.generator import generator as train

_BLOCK = 64


class Critique(BaseModel):
    """A critic for the four tasks."""

    model_config = ConfigDict(extra="forbid")

    passages: int = Field(3, ge=1, description="passages that each question is judged beside")
    most: int = Field(1000, ge=1, description="most examples that a model labels")
    labels: Labels = Field(default_factory=Labels)
    training: Generator = Field(default_factory=lambda: Generator(learning_rate=2e-5, num_train_epochs=3, max_length=1536))


class Weaving(BaseModel):
    """A generator with reflection tokens."""

    model_config = ConfigDict(extra="forbid")

    data: Reflections = Field(default_factory=Reflections)
    training: Generator = Field(default_factory=lambda: Generator(learning_rate=2e-5, num_train_epochs=3, reflection=True))


@stage("study.critic_rows", version=1)
def critic_rows(work: Work, config: None, mined: Artifact, most: int, passages: int, searched: Retriever) -> dict[str, int]:
    """`rows.jsonl`: the train examples beside what a search finds for them, as rows of the four tasks, not labelled yet."""
    examples = [one for one in read_records(mined.path / "mined.jsonl", Example) if one.split == "train"]
    examples = pick(examples, most, "critic")
    rows = []
    for start in range(0, len(examples), _BLOCK):
        block = examples[start : start + _BLOCK]
        hits = searched.search([one.question for one in block], passages)
        rows += list(rows_of(block, [[hit.passage for hit in found] for found in hits]))
        work.progress(start + len(block), len(examples))
    write_records(work.folder / "rows.jsonl", rows)
    return dict(Counter(row.task for row in rows))


def tuned_critic(run: Run, cfg: Critique, mined: Artifact, searched: Lazy, llm: LLM | Lazy, base: Lazy) -> Artifact:
    """A causal model tuned for the four tasks on labels of `llm`, in `model/`; `base` is its folder or name."""
    rows = run.stage(critic_rows, None, mined, cfg.most, cfg.passages, searched)
    labelled = run.stage(labels, cfg.labels, rows, versions(), llm)
    return run.stage(train, cfg.training, labelled, base)


def judge_of(critic: Artifact) -> Lazy:
    """The Judge that a tuned critic is, loaded only where it is asked."""
    return Lazy(critic.key, lambda: Instructed(HFDecoder(HF(str(critic.path / "model")))))


def tuned_reflective(
    run: Run, cfg: Weaving, mined: Artifact, searched: Lazy, judge: Judge | Lazy, general: Artifact | None, base: Lazy
) -> Artifact:
    """A generator with reflection tokens, in `model/`, tuned on the train examples as `judge` weaves them."""
    woven = run.stage(reflections, cfg.data, mined, searched, judge, general)
    return run.stage(train, cfg.training, woven, base)
