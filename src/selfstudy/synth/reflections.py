"""Examples with reflection tokens and passages woven into their answers (Self-RAG, arXiv 2310.11511, section 3.2.2), by a critic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from selfstudy.core.artifacts import write_records
from selfstudy.core.injection import aimed_at_models
from selfstudy.core.ports import Critic, Retriever
from selfstudy.core.records import Artifact, Conversation, Critique, Message, Passage, Record, digest
from selfstudy.core.reflection import RELEVANT, RETRIEVE, SUPPORTED, USEFUL, WOVEN, asked, evidence, harmless, judged, useful
from selfstudy.core.run import Work, stage
from selfstudy.core.studied import conversations_of, examples_of
from selfstudy.core.text import sentences
from selfstudy.synth.draft import pick

_BLOCK = 16
_SENTENCES = 3
"""Those of an answer in a general conversation, about."""


class Reflections(BaseModel):
    """How answers are woven with passages and judgements."""

    model_config = ConfigDict(extra="forbid")

    passages: int = Field(5, ge=1, description="passages that each sentence is judged beside")
    most: int = Field(4000, ge=1, description="most answers about the documents")
    general: float = Field(0.5, ge=0, description="general conversations for each of them; most of these need no search")
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Input(Record):
    """A question with its answer, and what was said before it."""

    question: str
    answer: str
    choices: tuple[str, ...] = ()
    before: tuple[Message, ...] = ()

    @property
    def id(self) -> str:
        return digest("reflection", self.question, self.answer, *(message.content for message in self.before))

    def told(self, text: str) -> Conversation:
        """The conversation that `text`, the answer with its tokens, is learned from."""
        before = (Message(message.role, harmless(message.content)) for message in self.before)
        return Conversation((*before, *asked(self.question, self.choices), Message("assistant", text)), WOVEN, "critic")


@stage("synth.reflections", version=3)
def reflections(
    work: Work, config: Reflections, mined: Artifact, retriever: Retriever, critic: Critic, general: Artifact | None
) -> dict[str, dict[str, float]]:
    """`conversations.jsonl` of the train examples and general conversations, woven; the shares of the labels. A kill loses one block."""
    inputs = _inputs(config, mined, general)
    with work.log("woven") as log:
        for start in range(0, len(inputs), _BLOCK):
            block = [one for one in inputs[start : start + _BLOCK] if one.id not in log]
            if block:
                log.extend(dict(zip((one.id for one in block), woven(config, block, retriever, critic), strict=True)))
            work.progress(min(start + _BLOCK, len(inputs)), len(inputs))
        texts = [str(log[one.id]) for one in inputs]
    write_records(work.folder / "conversations.jsonl", (one.told(text) for one, text in zip(inputs, texts, strict=True)))
    return shares(texts)


def _inputs(config: Reflections, mined: Artifact, general: Artifact | None) -> list[Input]:
    examples = [one for one in examples_of(mined, "train") if one.answers]
    examples = pick(examples, config.most, f"reflections{config.seed}")
    found = [Input(one.question, one.answers[0], one.choices) for one in examples]
    more = conversations_of(general)
    found += pick([first_turn(one) for one in more], round(config.general * len(found)), f"general{config.seed}")
    return list({one.id: one for one in found}.values())


def first_turn(conversation: Conversation) -> Input:
    """The first turn that is answered: behind one without tokens a generator would learn to leave them out."""
    messages = conversation.messages
    began = [message.role for message in messages].index("user")
    answered = next(place for place in range(began, len(messages)) if messages[place].role == "assistant")
    asks = max(place for place in range(answered) if messages[place].role == "user")
    return Input(messages[asks].content, messages[answered].content, before=tuple(messages[:asks]))


def expected(config: Reflections, examples: int) -> tuple[int, int]:
    """How many judgements are asked for, about: with a passage, and with none. An answer about the documents is mostly one sentence.

    A general conversation is taken to need no search.
    """
    told = min(config.most, examples)
    general = round(config.general * told)
    return told * config.passages, 2 * told + (_SENTENCES + 1) * general


def woven(config: Reflections, inputs: Sequence[Input], retriever: Retriever, critic: Critic) -> list[str]:
    """The answers with their tokens, in four steps, each one batch for all.

    Is a search needed? Search with question and answer. Judge each sentence beside each passage; keep the best one. Usefulness last.
    """
    spans = [sentences(one.answer) or [(0, len(one.answer))] for one in inputs]
    cut = [[one.answer[start:end] for start, end in ones] for one, ones in zip(inputs, spans, strict=True)]
    prefixes = [(one.question, one.answer[:start].strip()) for one, ones in zip(inputs, spans, strict=True) for start, _ in ones]
    decided = iter(critic.retrieve(prefixes) if prefixes else ())
    decisions = [[next(decided) for _ in told] for told in cut]
    needy = [place for place, ones in enumerate(decisions) if max(ones[0]) != ones[0][1]]
    queries = [f"{inputs[place].question} {inputs[place].answer}" for place in needy]
    hits = retriever.search(queries, 2 * config.passages) if queries else []
    passages: dict[int, list[Passage]] = {
        place: [hit.passage for hit in found if not aimed_at_models(hit.passage.indexed)][: config.passages]
        for place, found in zip(needy, hits, strict=True)
    }
    triples = [
        (inputs[place].question, sentence, passage.indexed) for place in needy for sentence in cut[place] for passage in passages[place]
    ]
    marks = [(one.question, one.answer, "") for one in inputs]
    critiques = iter(critic.critiques([*triples, *marks]))
    beside = {place: [[(passage, next(critiques)) for passage in passages[place]] for _ in cut[place]] for place in needy}
    ends = [useful(next(critiques)) for _ in inputs]
    return [
        (_with_evidence(cut[place], decisions[place], beside[place]) if passages.get(place) else _without(one.answer.strip())) + end
        for place, (one, end) in enumerate(zip(inputs, ends, strict=True))
    ]


def _with_evidence(
    told: Sequence[str], decisions: Sequence[tuple[float, float, float]], beside: Sequence[Sequence[tuple[Passage, Critique]]]
) -> str:
    parts: list[str] = []
    last: Passage | None = None
    for sentence, decision, found in zip(told, decisions, beside, strict=True):
        if last is not None and max(decision) == decision[1]:
            parts.append(_without(sentence))
            continue
        same = last is not None and max(decision) == decision[2]
        ones = [one for one in found if one[0] == last] if same else found
        passage, critique = max(ones, key=lambda one: _rank(one[1]))
        parts.append(evidence(passage.indexed, same) + judged(sentence, critique))
        last = passage
    return "".join(parts)


def _without(text: str) -> str:
    """What needs no passage."""
    return RETRIEVE[1] + harmless(text)


def _rank(critique: Critique) -> tuple[bool, float]:
    """Relevant passages first, then by support; of equals the first found."""
    supported = critique.supported
    return (critique.relevant or 0.0) >= 0.5, 0.0 if supported is None else supported.fully + 0.5 * supported.partly


def shares(texts: Iterable[str]) -> dict[str, dict[str, float]]:
    """For each group the share of each of its tokens."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update({token: text.count(token) for group in (RETRIEVE, RELEVANT, SUPPORTED, USEFUL) for token in group})
    found = {}
    for name, group in (("retrieve", RETRIEVE), ("relevant", RELEVANT), ("supported", SUPPORTED), ("useful", USEFUL)):
        total = sum(counts[token] for token in group)
        found[name] = {token: round(counts[token] / total, 4) if total else 0.0 for token in group}
    return found
