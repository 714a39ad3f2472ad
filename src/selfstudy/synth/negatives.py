"""Hard negatives: passages that look right to one retriever or the other and do not answer the question."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pydantic import BaseModel, ConfigDict, Field

from selfstudy.core.artifacts import write_records
from selfstudy.core.files import read_json
from selfstudy.core.ports import Retriever
from selfstudy.core.records import Artifact, Example, Hit
from selfstudy.core.run import Work, stage
from selfstudy.core.studied import kept_of
from selfstudy.core.text import contains, normal
from selfstudy.synth.round_trip import tells

_BLOCK = 64


class Negatives(BaseModel):
    """How negatives are mined."""

    model_config = ConfigDict(extra="forbid")

    depth: int = Field(30, ge=2, description="how deep each ranking is read")
    of_each: int = Field(2, ge=0, description="negatives of each kind: dense, lexical, borderline; 0 mines none")
    margin: float = Field(
        0.95, gt=0, le=1, description="a passage that both rankings score above this share of the evidence counts as a false negative"
    )


@stage("synth.negatives", version=2)
def negatives(work: Work, config: Negatives, kept: Artifact, corpus: Artifact, lexical: Retriever, dense: Retriever) -> dict[str, int]:
    """Write `mined.jsonl`: the kept examples, those of train and tune with distractors. Returns the mining report.

    dense: near in meaning; lexical: near in words; borderline: the two rankings disagree most. Dropped as false negatives: passages that
    hold the answer, that nearly repeat the evidence, or that both rankings score about as high as the evidence. Training questions have
    negatives of training groups alone: a passage of the exam that is always a negative would only learn to be far from every question.
    """
    report: Counter[str] = Counter()
    examples = kept_of(kept)
    groups: dict[str, str] = read_json(corpus.path / "groups.json")
    training = {example.group for example in examples if example.split == "train"}
    apart = {id for id, group in groups.items() if group not in training}

    def mined() -> Iterator[Example]:
        for start in range(0, len(examples), _BLOCK):
            block = examples[start : start + _BLOCK]
            mine = [example for example in block if example.split != "exam" and config.of_each]
            asked = [example.question for example in mine]
            by_meaning = dense.search(asked, config.depth) if mine else []
            by_words = lexical.search(asked, config.depth) if mine else []
            found = {
                example.id: replace(
                    example, distractors=tuple(_mine(example, near, words, config, report, apart if example.split == "train" else set()))
                )
                for example, near, words in zip(mine, by_meaning, by_words, strict=True)
            }
            yield from (found.get(example.id, example) for example in block)
            work.progress(min(start + _BLOCK, len(examples)), len(examples))

    write_records(work.folder / "mined.jsonl", mined())
    return dict(report)


def _mine(
    example: Example, near: Sequence[Hit], words: Sequence[Hit], config: Negatives, report: Counter[str], apart: set[str]
) -> list[Hit]:
    source = example.evidence[0].passage
    in_meaning = {hit.passage.id: (rank, hit) for rank, hit in enumerate(near)}
    in_words = {hit.passage.id: (rank, hit) for rank, hit in enumerate(words)}
    answers = [normal(answer) for answer in example.answers if tells(answer, example.kind)]

    def usable(hit: Hit) -> bool:
        passage = hit.passage
        if passage.id == source.id:
            return False
        if passage.id in apart:
            report["dropped: of another split"] += 1
            return False
        if passage.shares(source):
            report["dropped: repeats the evidence or a part of it"] += 1
            return False
        if any(contains(normal(passage.indexed), answer) for answer in answers):
            report["dropped: holds the answer"] += 1
            return False
        if _as_high(passage.id, source.id, in_meaning, config) and _as_high(passage.id, source.id, in_words, config):
            report["dropped: both rankings score it like the evidence"] += 1
            return False
        return True

    def disagreement(id: str) -> int:
        return abs(in_meaning.get(id, (config.depth, None))[0] - in_words.get(id, (config.depth, None))[0])

    either = {hit.passage.id: hit for hit in [*words, *near]}
    borderline = sorted(either.values(), key=lambda hit: (-disagreement(hit.passage.id), hit.passage.id))
    chosen: dict[str, Hit] = {hit.passage.id: hit for hit in example.distractors if usable(hit)}  # what people voted down comes first
    for kind, ranking in (("dense", near), ("lexical", words), ("borderline", borderline)):
        taken = 0
        for hit in ranking:
            if taken == config.of_each:
                break
            if hit.passage.id not in chosen and usable(hit):
                chosen[hit.passage.id] = replace(hit, by=kind)
                taken += 1
        report[kind] += taken
    return list(chosen.values())


def _as_high(id: str, source: str, ranking: dict[str, tuple[int, Hit]], config: Negatives) -> bool:
    if id not in ranking:
        return False
    return source not in ranking or ranking[id][1].score >= config.margin * ranking[source][1].score
