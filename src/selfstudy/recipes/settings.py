"""All that can be set: one model per stage, each defined beside its function, gathered under dotted names."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from selfstudy.answer.abstention import Abstain
from selfstudy.answer.reading import Extract
from selfstudy.answer.reflective import Reflect
from selfstudy.corpus.cleaning.boilerplate import Boilerplate
from selfstudy.corpus.cleaning.contradictions import Contradictions
from selfstudy.corpus.cleaning.quality import Quality
from selfstudy.corpus.cleaning.redact import Kind
from selfstudy.corpus.cleaning.versions import Versions
from selfstudy.corpus.parse import Parse
from selfstudy.corpus.passages.chunk import Chunk
from selfstudy.corpus.passages.topics import Topics
from selfstudy.evals.gate import Gate
from selfstudy.index.imitation import Imitate
from selfstudy.index.sentences import BySentence
from selfstudy.models.api import Api, Budget
from selfstudy.recipes.caches import Cache
from selfstudy.recipes.drift import Drift
from selfstudy.recipes.glossary import Glossary
from selfstudy.recipes.reranking import Rerank
from selfstudy.recipes.tuning import Tuning
from selfstudy.recipes.votes import Votes
from selfstudy.synth.asked import Modelled
from selfstudy.synth.negatives import Negatives
from selfstudy.synth.questions import Questions
from selfstudy.synth.round_trip import RoundTrip
from selfstudy.train.averaging import Average
from selfstudy.train.embedder import EmbedderTraining
from selfstudy.train.head import Head
from selfstudy.train.pretraining import Pretraining

_HIGH: dict[str, Any] = {"rounds": 2, "training": {"minutes": 9.0}, "reranker": {"training": {"minutes": 9.0}}}
"""What `effort = "high"` sets; the minutes of the embedder's training are those of each round."""


class Own(BaseModel):
    """The user's own labelled questions, which the gate reads beside the exam."""

    model_config = ConfigDict(extra="forbid")

    queries: Path | None = Field(None, description="queries.jsonl of the user's own questions")
    qrels: Path | None = Field(None, description="their qrels.tsv")


class Prompts(BaseModel):
    """What an st: embedder reads before each text, where its folder does not say it: e5 wants "query: " and "passage: "."""

    model_config = ConfigDict(extra="forbid")

    query: str | None = Field(None, description='before a question, in place of what the folder says: "query: "')
    passage: str | None = Field(None, description='before a passage, in place of what the folder says: "passage: "')


class Int8(BaseModel):
    """The embedder that serves, in int8."""

    model_config = ConfigDict(extra="forbid")

    on: bool = Field(
        False,
        description="whether what serves is made twice as fast, calibrated on the passages, if it is proven to lose next to nothing",
    )


class Reader(BaseModel):
    """The starter's reader."""

    model_config = ConfigDict(extra="forbid")

    on: bool = Field(True, description="whether the starter reads the first passages for an answer, in English")


class Judged(BaseModel):
    """A model's answers, judged by that model."""

    model_config = ConfigDict(extra="forbid")

    on: bool = Field(True, description="whether what `llm` answers is judged by it once more, sentence by sentence, before it is shown")


class Settings(BaseModel):
    """What `config.toml` and `--set` fill."""

    model_config = ConfigDict(extra="forbid")

    effort: Literal["normal", "high"] = Field(
        "normal", description="high opens the longer paths where nothing else was set: more training, a second round, a reranker"
    )
    embedder: str = Field(
        "minilm:all-MiniLM-L6-v2", description="the base embedder: minilm:, st:<folder or name>, openai:<model>, or a plug-in's"
    )
    prompts: Prompts = Field(default_factory=Prompts)
    max_seq_length: int | None = Field(
        None, ge=8, description="tokens of a text that an st: embedder reads, where its folder says otherwise"
    )
    llm: str | None = Field(None, description="who writes questions and answers beside the rules: openai:<model>, hf:<folder or name>")
    weight: float = Field(0.5, ge=0, le=1, description="share of the dense score in hybrid search before anything was fitted")
    group: str | None = Field(None, description="field of documents that must not be split between training and exam")
    parse: Parse = Field(default_factory=Parse)
    redact: tuple[Kind, ...] = Field(
        (),
        description='what is replaced before anything is stored or sent: "email", "phone", "id" (persons, accounts, cards), "key"',
    )
    chunk: Chunk = Field(default_factory=Chunk)
    topics: Topics = Field(default_factory=Topics)
    boilerplate: Boilerplate = Field(default_factory=Boilerplate)
    versions: Versions = Field(default_factory=Versions)
    quality: Quality = Field(default_factory=Quality)
    contradictions: Contradictions = Field(default_factory=Contradictions)
    glossary: Glossary = Field(default_factory=Glossary)
    modelled: Modelled = Field(default_factory=Modelled)
    questions: Questions = Field(default_factory=Questions)
    round_trip: RoundTrip = Field(default_factory=RoundTrip)
    negatives: Negatives = Field(default_factory=Negatives)
    head: Head = Field(default_factory=Head)
    pretraining: Pretraining = Field(default_factory=Pretraining)
    training: EmbedderTraining = Field(default_factory=EmbedderTraining)
    rounds: int = Field(1, ge=1, le=5, description="rounds of training, each with negatives that the model of the one before mistakes")
    average: Average = Field(default_factory=Average)
    imitation: Imitate = Field(default_factory=Imitate)
    sentences: BySentence = Field(default_factory=BySentence)
    int8: Int8 = Field(default_factory=Int8)
    reranker: Rerank = Field(default_factory=Rerank)
    tuning: Tuning = Field(default_factory=Tuning)
    gate: Gate = Field(default_factory=Gate)
    own: Own = Field(default_factory=Own)
    votes: Votes = Field(default_factory=Votes)
    drift: Drift = Field(default_factory=Drift)
    extract: Extract = Field(default_factory=Extract)
    reader: Reader = Field(default_factory=Reader)
    judged: Judged = Field(default_factory=Judged)
    reflect: Reflect = Field(default_factory=Reflect)
    critic: str | None = Field(
        None,
        description="who judges reflective answers in place of the model that writes them: starter (support by the words, relevance by "
        "the starter's reader), hf:<folder or name>, hf:artifact:<key>",
    )
    api: Api = Field(default_factory=Api)
    budget: Budget = Field(default_factory=Budget)
    abstain: Abstain = Field(default_factory=Abstain)
    cache: Cache = Field(default_factory=Cache)

    @property
    def reads(self) -> dict[str, Any]:
        """Options of an st: embedder, as far as they are set."""
        prompts = self.prompts.model_dump(exclude_none=True)
        options = {"prompts": prompts or None, "max_seq_length": self.max_seq_length}
        return {name: value for name, value in options.items() if value is not None}

    @model_validator(mode="before")
    @classmethod
    def _high(cls, given: Any) -> Any:
        """What `effort = "high"` changes, where nothing else was set."""
        if not isinstance(given, dict) or given.get("effort") != "high":
            return given
        return _over(_HIGH, given)


def _over(unsaid: dict[str, Any], said: Any) -> Any:
    """`said`, with what it leaves open from `unsaid`, section by section."""
    if not isinstance(said, dict):
        return said
    return said | {
        name: _over(value, said.get(name, {})) if isinstance(value, dict) else said.get(name, value) for name, value in unsaid.items()
    }
