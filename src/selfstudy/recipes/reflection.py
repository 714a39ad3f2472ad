"""What a generator that judges itself is tuned on (Self-RAG, arXiv 2310.11511): a critic, and the examples of a study as it weaves them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from selfstudy.answer.critics import TunedCritic
from selfstudy.answer.prompted_critic import PromptedCritic
from selfstudy.core.artifacts import manifest, read_records, write_records
from selfstudy.core.ports import LLM, Critic, Retriever
from selfstudy.core.records import Artifact
from selfstudy.core.run import Lazy, Run, Work, stage
from selfstudy.core.studied import conversations_of, examples_of
from selfstudy.models.decoder import HFDecoder
from selfstudy.models.hf import HF
from selfstudy.synth.draft import pick
from selfstudy.synth.labels import Labels, Row, expected, general_rows, labels, rows_of, versions
from selfstudy.synth.reflections import Reflections, first_turn, reflections
from selfstudy.train.generator import Generator
from selfstudy.train.generator import generator as train

_BLOCK = 64


class CriticTuning(BaseModel):
    """A critic for the four tasks."""

    model_config = ConfigDict(extra="forbid")

    base: str | None = Field(None, description="what is tuned as the critic on labels of `llm`: hf:<folder or name>; unset: `llm` judges")
    passages: int = Field(3, ge=1, description="passages that each question is judged beside")
    most: int = Field(1000, ge=1, description="most examples that a model labels")
    general: float = Field(0.5, ge=0, description="general conversations for each of them, so that not every question is to be looked up")
    labels: Labels = Field(default_factory=Labels)
    training: Generator = Field(default_factory=lambda: Generator(learning_rate=2e-5, num_train_epochs=3, max_length=1536))

    def asked(self, examples: int) -> tuple[int, int]:
        """For how many rows a model is asked for a label, at most, where there are so many examples: with a passage, and with none."""
        told = min(self.most, examples)
        return expected(self.labels, told, self.passages, round(self.general * told))


class Reflection(BaseModel):
    """A generator that learns to judge itself while it is tuned on the documents."""

    model_config = ConfigDict(extra="forbid")

    on: bool = Field(False, description="tune the generator with reflection tokens, as a judge weaves them into the answers")
    critic: CriticTuning = Field(default_factory=CriticTuning)
    data: Reflections = Field(default_factory=Reflections)


@stage("study.critic_rows", version=2)
def critic_rows(
    work: Work, config: None, mined: Artifact, most: int, passages: int, share: float, searched: Retriever, general: Artifact | None
) -> dict[str, int]:
    """`rows.jsonl`: rows of the four tasks, not labelled yet: first those of general conversations, `share` for each example, then the
    train examples beside what a search finds for them.
    """
    examples = examples_of(mined, "train")
    examples = pick(examples, most, "critic")
    talks = conversations_of(general)
    rows = list(general_rows(pick([first_turn(one) for one in talks], round(share * len(examples)), "critic general")))
    for start in range(0, len(examples), _BLOCK):
        block = examples[start : start + _BLOCK]
        hits = searched.search([one.question for one in block], passages)
        rows += list(rows_of(block, [[hit.passage for hit in found] for found in hits]))
        work.progress(start + len(block), len(examples))
    write_records(work.folder / "rows.jsonl", rows)
    return dict(Counter(row.task for row in rows))


def labelled(run: Run, cfg: CriticTuning, mined: Artifact, searched: Lazy, llm: LLM | Lazy, general: Artifact | None) -> Artifact:
    """What a critic learns: labels of `llm` for the four tasks."""
    rows = run.stage(critic_rows, None, mined, cfg.most, cfg.passages, cfg.general, searched, general)
    return run.stage(labels, cfg.labels, rows, versions(), llm)


def audited(learned: Artifact) -> dict[str, Any]:
    """What a person looks at before a critic is trusted: the shares of its labels, the faults of those that are missing, and a sample."""
    result = manifest(learned).result
    rows = [row.json() for row in read_records(learned.path / "sample.jsonl", Row)]
    return {"shares": result["shares"], "dropped": result["dropped"], "sample": rows}


def critic_of(model: HF) -> Critic:
    """A tuned model as a critic."""
    return TunedCritic(HFDecoder(model))


def woven(run: Run, cfg: Reflection, mined: Artifact, searched: Lazy, llm: LLM, general: Artifact | None) -> Artifact:
    """The train examples as a critic that is tuned here weaves them, or `llm` itself, in `conversations.jsonl`."""
    if cfg.critic.base is None:
        critic: PromptedCritic | Lazy = PromptedCritic(llm)
    else:
        name = cfg.critic.base.removeprefix("hf:")
        learned = labelled(run, cfg.critic, mined, searched, llm, general)
        tuned = run.stage(train, cfg.critic.training, learned, Lazy(HF(name).fingerprint, lambda: name))
        critic = Lazy(tuned.key, lambda: critic_of(HF(str(tuned.path / "model"))))
    return run.stage(reflections, cfg.data, mined, searched, critic, general)
