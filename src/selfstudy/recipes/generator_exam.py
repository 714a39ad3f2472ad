"""The exam of a generator: what it says to questions about the documents, where their answer is kept from it, and to general ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from selfstudy.answer.reflective import Reflect, reflect
from selfstudy.answer.speaking import Decision, Next, Proposal, Segment, Speaker
from selfstudy.core.artifacts import read_records
from selfstudy.core.errors import Stopped
from selfstudy.core.files import write_json
from selfstudy.core.ports import LLM, Retriever
from selfstudy.core.prompts import NOT_HERE, grounded, says_not_here
from selfstudy.core.records import Answer, Artifact, Conversation, Example, Hit, Message
from selfstudy.core.run import Work, stage
from selfstudy.core.studied import examples_of
from selfstudy.evals.answers import score, token_f1
from selfstudy.models.hf import HF
from selfstudy.recipes.reflected import plainly, reflects, speaker_of
from selfstudy.synth.conversations import strangers
from selfstudy.synth.draft import pick

BLOCK = 16
"""Conversations that are answered at once."""
_SPARE = 10
"""Passages that are looked up beyond those that are shown, since some hold the answer that is withheld."""
_LONG = "the answer would be longer than it may be"


@stage("study.answers", version=4)
def answers(
    work: Work,
    config: Reflect,
    mined: Artifact,
    kept: Artifact | None,
    most: int,
    unanswerable: int,
    passages: int,
    tokens: int,
    searched: Retriever,
    llm: LLM,
) -> dict[str, float]:
    """`scores.json`: how right this generator's answers to `most` exam questions are; whether it says that there is no answer where all
    passages that hold it are withheld, in so many; how right its answers to general conversations are. `rows.json`: what it said.

    One that was tuned with reflection tokens answers through them, as `config` says, and has as many `tokens` for a whole answer as any
    other. What an endpoint never answers has no score. A kill loses one block of replies. Raises Stopped where an endpoint is out of order.
    """
    examples = pick(answerable(mined), most, "answers")
    without = pick(answerable(mined), unanswerable, "unanswerable")
    held = list(read_records(kept.path / "held.jsonl", Conversation)) if kept is not None else []
    over = [(one, searched) for one in examples], [(one, _Withheld(searched, one)) for one in without]
    blocks = [*_blocks(over[0]), *_blocks(over[1]), *_blocks(held)]
    cfg = config.model_copy(update={"mode": plainly(config.mode), "passages": passages, "max_tokens": max(8, tokens)})
    speaker = _Brief(speaker_of(llm, cfg), llm, tokens) if reflects(llm) else None
    with work.log("said") as log:
        for done, block in enumerate(blocks):
            if str(done) in log:
                continue
            if isinstance(block[0], Conversation):
                said = _replies(llm, [one.messages[:-1] for one in block], tokens)
            elif speaker is not None:
                said = [_own_words(reflect(one.question, there, speaker, cfg, choices=one.choices)) for one, there in block]
            else:
                said = _replies(llm, [_asked(one, there, passages) for one, there in block], tokens)
            log.append(str(done), said)
            work.progress(done + 1, len(blocks))
        texts = iter([text for texts in log.values() for text in texts])
    told = {"answers": [(one, next(texts)) for one in examples], "unanswerable": [(one, next(texts)) for one in without]}
    scores = {
        "answers": [score(text, one) if text is not None else None for one, text in told["answers"]],
        "unanswerable": [float(says_not_here(text)) if text is not None else None for _, text in told["unanswerable"]],
        "general": [
            token_f1(text, [one.messages[-1].content]) if text is not None else None for one, text in zip(held, texts, strict=True)
        ],
    }
    write_json(work.folder / "scores.json", scores)
    write_json(work.folder / "rows.json", {name: [_row(*one) for one in rows] for name, rows in told.items()})
    return {name: fmean([one for one in scored if one is not None] or [0.0]) for name, scored in scores.items()}


def _blocks(rows: Sequence[Any]) -> list[Sequence[Any]]:
    return [rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK)]


class _Withheld:
    """`searched` without the passages that hold the answer of `example`: what is left looks like them."""

    def __init__(self, searched: Retriever, example: Example) -> None:
        self.searched, self.example = searched, example

    def search(self, questions: Sequence[str], k: int, where: str | None = None) -> list[list[Hit]]:
        """As `Retriever.search`; fewer than `k` where most that is found holds the answer."""
        found = self.searched.search(questions, k + _SPARE, where)
        left = [strangers(self.example, [hit.passage for hit in hits]) for hits in found]
        return [[hit for hit in hits if hit.passage in others][:k] for hits, others in zip(found, left, strict=True)]


class _Brief:
    """`speaker` with so many tokens of `llm` for all that it says; a sentence beyond them is not said."""

    def __init__(self, speaker: Speaker, llm: HF, tokens: int) -> None:
        self.speaker, self.llm, self.tokens = speaker, llm, tokens

    def decide(self, question: str, said: Sequence[tuple[Segment, ...]]) -> list[Decision | None]:
        """As `Speaker.decide`."""
        return self.speaker.decide(question, said)

    def propose(self, question: str, wanted: Sequence[Next], choices: Sequence[str] = (), max_tokens: int = 100) -> list[Proposal]:
        """As `Speaker.propose`."""
        left = [self.tokens - sum(self._size(told.candidate.text) for told in one.said) for one in wanted]
        if max(left, default=0) <= 0:
            return [Proposal("", fault=_LONG) for _ in wanted]
        made = zip(self.speaker.propose(question, wanted, choices, max_tokens), left, strict=True)
        return [one if self._size(one.text) <= most else replace(one, fault=one.fault or _LONG) for one, most in made]

    def _size(self, text: str) -> int:
        return len(self.llm.parts()[1](f" {text}", add_special_tokens=False)["input_ids"])


def _own_words(found: Answer) -> str:
    """The sentences that were chosen, without marks and what is put between them."""
    if found.abstained or found.tree is None:
        return NOT_HERE
    texts = {one.id: one.text for step in found.tree.steps for one in step.candidates}
    return " ".join(texts[id] for id in found.tree.chosen)


def _asked(example: Example, searched: Retriever, passages: int) -> list[Message]:
    """The question over the passages that are found for it."""
    (hits,) = searched.search([example.question], passages)
    return grounded(example.question, [hit.passage for hit in hits], example.choices, example.kind == "claim")


def _replies(llm: LLM, asked: Sequence[Sequence[Message]], tokens: int) -> list[str | None]:
    """What the model says to each conversation; None where its endpoint failed. Raises Stopped where that is so of more than half."""
    replies = llm.chat(asked, max_tokens=tokens)
    failed = [reply.fault for reply in replies if reply.transient]
    if 2 * len(failed) > len(replies) > 1:
        raise Stopped(
            f"{llm.name} was asked what the tuned generator is compared with, and gave no answer: {failed[0]}.",
            "What was answered is kept; run the same command again to go on.",
        )
    return [None if reply.transient else reply.text for reply in replies]


def answerable(mined: Artifact) -> list[Example]:
    """The exam questions whose answer is known in words."""
    return [one for one in examples_of(mined, "exam") if one.answers and one.kind != "section"]


def _row(example: Example, said: str | None) -> dict[str, Any]:
    return {"question": example.question, "kind": example.kind, "right": example.answers[0], "said": said}
