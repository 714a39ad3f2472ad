"""The question-writing stage: all writers over all passages, with quotas, duplicates removed, split by group."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace

from pydantic import BaseModel, ConfigDict, Field

from selfstudy.core.artifacts import read_records, write_records
from selfstudy.core.errors import NotEnough
from selfstudy.core.files import read_json
from selfstudy.core.ports import Writer
from selfstudy.core.records import Artifact, Example, Term
from selfstudy.core.run import Work, stage
from selfstudy.core.studied import passages_of
from selfstudy.core.text import content_words, normal
from selfstudy.synth import chinese, english
from selfstudy.synth.draft import pick, weights_of
from selfstudy.synth.found import found
from selfstudy.synth.glossary import explained
from selfstudy.synth.splits import split_groups

WRITERS: dict[str, Writer] = {
    "headings": english.headings,
    "sentence": english.sentence,
    "cloze": english.cloze,
    "statements": english.statements,
    "reasons": english.reasons,
    "definitions": english.definitions,
    "phrases": english.phrases,
    "terms": english.terms,
    "chinese": chinese.chinese,
    "chinese_clauses": chinese.chinese_clauses,
    "chinese_terms": chinese.chinese_terms,
    "found": found,
}


GLOSSARY = "glossary"
"""The writer that asks about the terms of the home's glossary; it is off unless it is named."""
_UNNAMED = {GLOSSARY, "headings", "found", "terms", "chinese_terms"}
"""Writers whose questions are not put under a document's title. A model's stand alone already."""


class Questions(BaseModel):
    """Who writes questions, and how many."""

    model_config = ConfigDict(extra="forbid")

    writers: tuple[str, ...] = Field(tuple(WRITERS), description='the writers, by name; "glossary" asks about terms, too')
    unseen: tuple[str, ...] = Field(("terms", "chinese_terms"), description="writers whose questions only the exam sees")
    per_passage: int = Field(6, ge=1, description="most questions about one passage")
    per_document: int = Field(600, ge=1, description="most questions about one document")
    most: int = Field(8000, ge=30, description="most questions in all")
    named: float = Field(0.35, ge=0, le=1, description="share of questions that name the document that they are about")
    seed: int = 0


@stage("synth.questions", version=8)
def questions(
    work: Work,
    config: Questions,
    corpus: Artifact,
    modelled: Artifact | None = None,
    struck: Sequence[str] = (),
    wanted: Sequence[str] = (),
    terms: Sequence[Term] = (),
) -> dict[str, dict[str, int]]:
    """Write `questions.jsonl` (Examples with their split) about the passages of `corpus`. Returns how many per writer and split.

    `weights.json` in `corpus`, where there is one, says how much is asked about each passage: its share of `per_passage`, and so its share
    of the training rows. `modelled` holds what a model wrote; `struck` are ids that a person does not want, `wanted` those that must stay.
    `terms` are what the writer "glossary" asks about.

    Raises NotEnough where the passages are too few or too alike to prove anything.
    """
    passages = passages_of(corpus)
    groups: dict[str, str] = read_json(corpus.path / "groups.json")
    weights = weights_of(corpus)
    splits = split_groups(groups, config.seed)
    written: list[Example] = []
    for example in read_records(modelled.path / "modelled.jsonl", Example) if modelled is not None else ():
        group = groups[example.evidence[0].passage.id]
        written.append(replace(example, group=group, split=splits[group]))
    writers = {**WRITERS, GLOSSARY: explained(terms)}
    for done, name in enumerate(config.writers, 1):
        # Counts over all passages say what is rare, so that a writer sees them together.
        for example in writers[name](passages):
            group = groups[example.evidence[0].passage.id]
            split = splits[group]
            if name not in config.unseen or split == "exam":
                written.append(replace(example, group=group, split=split))
        work.progress(done, len(config.writers))
    refused = {normal(example.question) for example in written if example.id in set(struck)}
    # After the quotas, so that the others stay who they are: a strike takes one question away and draws no lots anew.
    written = [example for example in written if weights.get(example.evidence[0].passage.id, 1.0) > 0]
    quotas = {id: math.ceil(weight * config.per_passage) for id, weight in weights.items()}
    chosen = [one for one in _within_quotas(_distinct(written), config, set(wanted), quotas) if normal(one.question) not in refused]
    named = [_name_document(example, config.named) for example in chosen]
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for example in named:
        counts[example.writer][example.split or ""] += 1
    if sum(count["train"] for count in counts.values()) < 30 or sum(count["exam"] for count in counts.values()) < 30:
        raise NotEnough(
            f"Only {len(named)} questions could be written about {len(passages)} passages: too little to train on and to prove a gain.",
            "Add more documents; some hundred passages of running text are a good beginning.",
        )
    write_records(work.folder / "questions.jsonl", named)
    return {writer: dict(count) for writer, count in counts.items()}


def _distinct(written: Iterable[Example]) -> list[Example]:
    """The first of equal questions; what too many passages ask alike names none of them and goes."""
    by_words: dict[str, list[Example]] = {}
    for example in written:
        if content_words(example.question):
            by_words.setdefault(normal(example.question), []).append(example)
    return [same[0] for same in by_words.values() if len({example.evidence[0].passage.id for example in same}) <= 2]


def _within_quotas(
    written: Sequence[Example], config: Questions, wanted: Set[str] = frozenset(), quotas: Mapping[str, int] | None = None
) -> list[Example]:
    """Quotas for each passage, each document and in all, filled from all writers in turn. Found questions and those `wanted` stay."""
    by_passage: dict[str, list[Example]] = defaultdict(list)
    for example in written:
        by_passage[example.evidence[0].passage.id].append(example)
    by_document: dict[str, list[Example]] = defaultdict(list)
    for id, examples in by_passage.items():
        always = [example for example in examples if example.writer == "found" or example.id in wanted]
        others = [example for example in examples if example.writer != "found" and example.id not in wanted]
        by_document[examples[0].group].extend(always + _in_turn(others, (quotas or {}).get(id, config.per_passage), id))
    capped = [example for group, examples in by_document.items() for example in pick(examples, config.per_document, group)]
    chosen = pick(capped, config.most, f"most{config.seed}")
    there = {example.id for example in chosen}
    return chosen + [example for example in written if example.id in wanted and example.id not in there]


def _in_turn(examples: Sequence[Example], most: int, seed: str) -> list[Example]:
    """At most `most` examples: the first of every writer, then the second of every writer, and so on."""
    turns: Counter[str] = Counter()
    ranked: list[tuple[int, int, Example]] = []
    shuffled = random.Random(seed).sample(list(examples), len(examples))
    for example in shuffled:
        ranked.append((turns[example.writer], len(ranked), example))
        turns[example.writer] += 1
    return [example for _, _, example in sorted(ranked, key=lambda item: item[:2])[:most]]


def _name_document(example: Example, share: float) -> Example:
    """Put the document's title before some questions, as people do who know where they want to look."""
    title = example.evidence[0].passage.title.split(" > ")[0].strip()
    if not title or len(title) > 100 or example.writer in _UNNAMED or example.writer.startswith("model"):
        return example
    if int(example.id[:8], 16) / 16**8 >= share or normal(title) in normal(example.question):
        return example
    return replace(example, question=f"{title}: {example.question}")
