"""Self-RAG's loop closed, small: a generator grown from the starter learns to judge itself, then answers against plain retrieval.

    python bench/closed_loop.py [--data ../shared/data] [--rows 5000] [--epochs 2] [--questions 100] [--out closed-loop]

The generator is a causal model of six layers and 23 million weights (bench/grown.py). Its rows are questions of people about documents that
are not asked about later (squad_dev, policyqa, clapnq, boolq, pubmedqa) and instructions, woven with passages and reflection tokens by
`synth.reflections`: hybrid search with question and answer, relevance by the starter's judge, support by the words (the starter's judge of
support is worse), a search for whatever was asked of a collection. One question in --absent is put with its own document taken away, so
that "not in these documents" is to be said. --start goes on from a generator that an earlier run tuned.

Every way answers the same held-out questions over the same hybrid search of the untuned embedder: `reflective` (a search where the model
wants one, five passages, its own judgements, nothing unsupported is said), `always` and `never` searching, `plain` (the first passage,
nothing judged), all with the same model; `quoted` is what the product does without any generator. Half of clapnq's questions have no
answer in the documents; rgb_en holds passages with a wrong answer. On --deeper sets also: the same model's sentences judged, when
answering, by the critic that its rows were labelled by, and each group of tokens without weight. `right but wrong` is the share of
answerable questions whose document is among the first five found and whose answer has an F1 below one half. What the model thinks of
searching is told for questions beside instructions. The starter has seen pubmedqa's passages beside their questions. Differences are
paired, with 95% intervals over questions (policyqa's come from a few sites), one seed. What was finished is kept under --out; a run that
was stopped goes on.

--pointing leaves the generator out: the starter's reader points at a sentence of each passage and judges it, and the same scores choose.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from beir import relevant, rows_in
from figures import Interval, forest
from grown import grown

from selfstudy.answer.reflective import Reflect, reflect
from selfstudy.answer.scoring import Weights, needs_search
from selfstudy.answer.speaking import Next, Proposal, Segment, Speaker, Tuned
from selfstudy.answer.written import bears_out
from selfstudy.core.artifacts import write_records
from selfstudy.core.files import read_json, write_json
from selfstudy.core.ports import Reader, Retriever
from selfstudy.core.prompts import NOT_HERE, says_not_here
from selfstudy.core.records import Answer, Artifact, Conversation, Critique, Difference, Hit, Message, Passage, Support, digest
from selfstudy.core.reflection import asked
from selfstudy.core.run import Lazy, Quiet, Run, Work, stage
from selfstudy.core.text import sentences
from selfstudy.evals.answers import abstention, exact_match, token_f1
from selfstudy.evals.paired import compare
from selfstudy.models.decoder import HFDecoder
from selfstudy.models.hf import HF
from selfstudy.models.starter import load
from selfstudy.recipes.engine import Engine
from selfstudy.synth.reflections import Input, Reflections, shares, woven
from selfstudy.train.generator import Generator
from selfstudy.train.generator import generator as train

SHARES = {"squad_dev": 0.5, "policyqa": 0.15, "clapnq": 0.1, "boolq": 0.2, "pubmedqa": 0.05}
"""What each set gives of the rows, as far as it has so many."""
POINTED = ("clapnq", "policyqa", "rgb_en")
ASKED = ("clapnq", "policyqa", "boolq", "pubmedqa", "rgb_en")
INSTRUCTIONS = 0.08
REFLECTIVE = Reflect(mode="reflective", max_tokens=64, max_segments=2, require="partly", unsupported="leave out")
WAYS = {
    "reflective": REFLECTIVE,
    "always": REFLECTIVE.model_copy(update={"mode": "always"}),
    "never": Reflect(mode="never", max_tokens=64, max_segments=2),
    "plain": Reflect(mode="always", max_tokens=64, max_segments=2, passages=1, beam=1, weights=Weights(relevant=0, supported=0, useful=0)),
}
DEEPER = {
    "critic judges": REFLECTIVE,
    "no relevance": REFLECTIVE.model_copy(update={"weights": Weights(relevant=0)}),
    "no support": REFLECTIVE.model_copy(update={"weights": Weights(supported=0), "require": "nothing", "unsupported": "mark"}),
    "no usefulness": REFLECTIVE.model_copy(update={"weights": Weights(useful=0)}),
}
_BLOCK = 32


@dataclass(frozen=True)
class Question:
    """A question of people; `relevant` is empty where the documents do not hold the answer."""

    id: str
    text: str
    answers: tuple[str, ...]
    relevant: frozenset[str]
    group: str
    wrong: str = ""

    @property
    def choices(self) -> tuple[str, ...]:
        return ("yes", "no") if self.answers and set(self.answers) <= {"yes", "no"} else ()

    @property
    def held_out(self) -> bool:
        """Whether it is asked, and not learned from: one group of documents in three, by name alone."""
        return int(digest("side", self.group)[:8], 16) % 3 == 0


Way = Callable[[Engine, Question], Answer]


def questions(data: Path, name: str) -> list[Question]:
    """All questions of a set; those that are answered with yes or no have nothing else for an answer ("maybe" is passed over)."""
    documents = rows_in(data / name / "corpus.jsonl")
    groups = {row["id"]: str((row.get("meta") or {}).get("site") or row.get("title") or row["id"]) for row in documents}
    right = relevant(data / name)
    found = []
    for row in rows_in(data / name / "queries.jsonl"):
        there = row["type"] != "unanswerable"
        about = list(right.get(row["id"], ())) if there else [row["context_id"]] if row.get("context_id") in groups else []
        if row["answers"] == ["maybe"] or not about:
            continue
        group = "rgb" if name == "rgb_en" else groups[about[0]]
        answers = tuple(row["answers"]) if there else ()
        found.append(Question(row["id"], row["text"], answers, frozenset(about if there else ()), group, row.get("fake_answer", "")))
    return found


class StarterCritic:
    """A `core.ports.Critic`: the starter's relevance, support by words; a search for all but `free`."""

    def __init__(self, reader: Reader, free: set[str]) -> None:
        self.reader, self.free = reader, free

    def retrieve(self, begun: Sequence[tuple[str, str]]) -> list[tuple[float, float, float]]:
        return [(0.0, 1.0, 0.0) if question in self.free else (0.0, 0.0, 1.0) if said else (1.0, 0.0, 0.0) for question, said in begun]

    def critiques(self, triples: Sequence[tuple[str, str, str]]) -> list[Critique]:
        read = iter(self.reader.read([(question, passage) for question, _, passage in triples if passage]))
        return [critique(said, passage, next(read).relevant if passage else None) for _, said, passage in triples]


def critique(said: str, passage: str, relevant: float | None) -> Critique:
    """Support by the words; of a bare yes or no, which has none, by relevance. Not having found it is the least useful answer."""
    if relevant is None:
        useful = 1 if said == NOT_HERE else 5
        return Critique(useful=tuple(float(mark == useful) for mark in range(1, 6)))  # type: ignore[arg-type]
    full = relevant if said in ("yes", "no") else float(said != NOT_HERE and bears_out(said, Passage("", "", passage)))
    return Critique(relevant, Support(fully=full, partly=0.0, no=1 - full))


class Without:
    """A Retriever that does not find, for some queries, some documents."""

    def __init__(self, inner: Retriever, hidden: dict[str, frozenset[str]]) -> None:
        self.inner, self.hidden = inner, hidden

    def search(self, questions: Sequence[str], k: int, where: str | None = None) -> list[list[Hit]]:
        found = self.inner.search(questions, k + 5, where)
        return [
            [hit for hit in hits if not {place.document for place in hit.passage.places} & self.hidden.get(question, frozenset())][:k]
            for question, hits in zip(questions, found, strict=True)
        ]


@stage("loop.rows", version=3)
def rows(work: Work, config: None, data: Path, most: int, absent: int, homes: dict[str, Path]) -> dict[str, Any]:
    """`conversations.jsonl`, woven."""
    free = [row for row in rows_in(data / "instruct_small" / "instruct.jsonl") if len(row["response"].split()) < 80]
    free = random.Random(0).sample(free, min(len(free), round(INSTRUCTIONS * most)))
    critic = StarterCritic(load.reader(), {row["instruction"] for row in free})
    written: list[Conversation] = []
    with work.log("woven") as log:
        for name, share in SHARES.items():
            learned = [one for one in questions(data, name) if one.relevant and not one.held_out]
            learned = random.Random(0).sample(learned, min(len(learned), round(share * most)))
            written += put(work, log, name, learned, absent, critic, Engine.open(homes[name]))
        for row in free:
            one = Input(row["instruction"], row["response"])
            (text,) = woven(Reflections(passages=3), [one], Nothing(), critic)
            written.append(Conversation((*asked(one.question), Message("assistant", text)), "reflection", "instruction"))
    random.Random(0).shuffle(written)
    write_records(work.folder / "conversations.jsonl", written)
    return {"rows": len(written), "shares": shares(one.messages[-1].content for one in written)}


class Filtered:
    """A `Speaker` that says what another one would, judged by a critic in place of itself."""

    def __init__(self, inner: Tuned, critic: StarterCritic) -> None:
        self.inner, self.critic = inner, critic
        self.decide = inner.decide

    def propose(self, question: str, wanted: Sequence[Next], choices: Sequence[str] = (), max_tokens: int = 100) -> list[Proposal]:
        said = self.inner.propose(question, wanted, choices, max_tokens)
        shown = [one.passage.indexed if one.passage else "" for one in wanted]
        critiques = self.critic.critiques([(question, one.text, passage) for one, passage in zip(said, shown, strict=True)])
        return [replace(one, critique=found) for one, found in zip(said, critiques, strict=True)]


class Nothing:
    """A Retriever that finds nothing."""

    def search(self, questions: Sequence[str], k: int, where: str | None = None) -> list[list[Hit]]:
        return [[] for _ in questions]


def put(
    work: Work, log: Any, name: str, learned: Sequence[Question], every: int, critic: StarterCritic, engine: Engine
) -> list[Conversation]:
    """The rows of one set."""
    inputs, hidden = [], {}
    for place, one in enumerate(learned):
        absent = place % every == 0
        said = NOT_HERE if absent else one.answers[0]
        inputs.append(Input(one.text, said, one.choices))
        hidden[f"{one.text} {said}"] = one.relevant if absent else frozenset()
    searched = Without(Searching(engine), hidden)
    for start in range(0, len(inputs), _BLOCK):
        block = inputs[start : start + _BLOCK]
        if f"{name}{start}" not in log:
            log.append(f"{name}{start}", woven(Reflections(passages=3), block, searched, critic))
        work.progress(start + len(block), len(inputs))
    texts = [text for start in range(0, len(inputs), _BLOCK) for text in log[f"{name}{start}"]]
    return [
        Conversation((*asked(one.question, one.choices), Message("assistant", text)), "reflection", name)
        for one, text in zip(inputs, texts, strict=True)
    ]


class Searching:
    """An Engine as a Retriever."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def search(self, questions: Sequence[str], k: int, where: str | None = None) -> list[list[Hit]]:
        return [self.engine.search(question, k, where=where) for question in questions]


def answered(engine: Engine, asked_for: Sequence[Question], way: Way) -> list[dict[str, Any]]:
    """What a way says to each question, and what that is worth."""
    found = []
    for one in asked_for:
        began = time.perf_counter()
        answer = way(engine, one)
        said = written(answer)
        silent = answer.abstained or says_not_here(said)
        cited = [citation.document for citation in answer.citations] if not silent else []
        found.append({
            "id": one.id, "said": said, "abstained": silent, "cited": cited,
            "f1": 0.0 if silent else token_f1(said, one.answers), "em": 0.0 if silent else exact_match(said, one.answers),
            "wrong": 0.0 if silent or not one.wrong else token_f1(said, [one.wrong]),
            "searched": answer.tree is None or any(step.searched for step in answer.tree.steps), "seconds": time.perf_counter() - began,
        })  # fmt: skip
    return found


def written(answer: Answer) -> str:
    """What was said: without marks, and without what another passage says otherwise."""
    if answer.tree is None or answer.abstained:
        return answer.text
    said = {one.id: one.text for step in answer.tree.steps for one in step.candidates}
    return " ".join(said[id] for id in answer.tree.chosen)


def told(asked_for: Sequence[Question], found: Sequence[dict[str, Any]], retrieved: Sequence[bool]) -> dict[str, float]:
    """The figures of one way on one set."""
    there = np.array([bool(one.relevant) for one in asked_for])
    cited = [[document in one.relevant for document in row["cited"]] for one, row in zip(asked_for, found, strict=True)]
    all_cited = [hit for hits in cited for hit in hits]
    figures = {
        "f1": float(np.mean([row["f1"] for row, known in zip(found, there, strict=True) if known])),
        "em": float(np.mean([row["em"] for row, known in zip(found, there, strict=True) if known])),
        "answered": float(np.mean([not row["abstained"] for row, known in zip(found, there, strict=True) if known])),
        "citation precision": float(np.mean(all_cited)) if all_cited else float("nan"),
        "citation recall": float(np.mean([any(hits) for hits, known in zip(cited, there, strict=True) if known])),
        "right but wrong": float(
            np.mean([here and row["f1"] < 0.5 for row, here, known in zip(found, retrieved, there, strict=True) if known])
        ),
        "searched": float(np.mean([row["searched"] for row in found])),
        "ms": 1000 * float(np.median([row["seconds"] for row in found])),
    }
    if not there.all():
        figures["abstention f1"] = abstention([row["abstained"] for row in found], there).f1
    if any(one.wrong for one in asked_for):
        figures["wrong answer"] = float(np.mean([row["wrong"] for row in found]))
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--epochs", type=float, default=2.0)
    parser.add_argument("--absent", type=int, default=6, help="one in so many answerable questions loses its document")
    parser.add_argument("--start", type=Path, help="the folder of a generator to go on from, in place of one that was only grown")
    parser.add_argument("--questions", type=int, default=100, help="of each set")
    parser.add_argument("--deeper", nargs="*", default=["clapnq", "policyqa"], help="sets on which more ways are tried")
    parser.add_argument("--pointing", action="store_true", help="the starter's reader quotes and judges in place of a generator")
    parser.add_argument("--out", type=Path, default=Path("closed-loop"))
    parser.add_argument("--plot", type=Path, help="a picture of the differences (needs matplotlib)")
    given = parser.parse_args()
    homes = {name: given.out / "homes" / name for name in {*SHARES, *ASKED}}
    engines = {name: Engine.open(home, create=True) for name, home in homes.items()}
    for name, engine in engines.items():
        engine.add([given.data / name / "corpus.jsonl"])
    if given.pointing:
        key, ways = digest("pointing"), pointing(load.reader())
    else:
        key, ways = writing(given, homes)
    ways["quoted"] = lambda engine, one: engine.ask(one.text)
    results: dict[str, dict[str, list[dict[str, Any]]]] = {}
    panels: dict[str, dict[str, Interval]] = {"F1 of what can be answered": {}, "answered or not as it should be": {}}
    for name in POINTED if given.pointing else ASKED:
        held = [one for one in questions(given.data, name) if one.held_out or name == "rgb_en"]
        held = random.Random(1).sample(held, min(given.questions, len(held)))
        results[name] = {}
        first = [{place.document for hit in engines[name].search(one.text, 5) for place in hit.passage.places} for one in held]
        retrieved = [bool(documents & one.relevant) for documents, one in zip(first, held, strict=True)]
        for way in [one for one in ways if one in WAYS or one == "quoted" or name in given.deeper]:
            asked_so = digest("answers", key, repr((WAYS | DEEPER).get(way)), *(one.id for one in held))
            kept = given.out / "answers" / f"{name}-{way}-{asked_so}.json".replace(" ", "-")
            if not kept.exists():
                kept.parent.mkdir(exist_ok=True, parents=True)
                write_json(kept, answered(engines[name], held, ways[way]))
            results[name][way] = read_json(kept)
            figures = told(held, results[name][way], retrieved)
            print(f"{name:<10} {way:<11}" + "".join(f" {about} {value:.3f}" for about, value in figures.items()), flush=True)
        for way, (one, other) in differences(held, results[name]).items():
            print(
                f"{name:<10} reflective against {way}: F1 {one.value:+.3f} [{one.low:+.3f}, {one.high:+.3f}], "
                f"answered or not as it should be {other.value:+.3f} [{other.low:+.3f}, {other.high:+.3f}]",
                flush=True,
            )
            if way in WAYS or way == "quoted":
                panels["F1 of what can be answered"][f"{name}: against {way}"] = (one.value, one.low, one.high)
                panels["answered or not as it should be"][f"{name}: against {way}"] = (other.value, other.low, other.high)
    if given.plot:
        forest(given.plot, "Reflective answers less others, same questions", panels)


def writing(given: argparse.Namespace, homes: dict[str, Path]) -> tuple[str, dict[str, Way]]:
    """The tuned generator's name, and every way of answering with it."""
    run = Run(given.out / "artifacts", Quiet())
    written = run.stage(rows, None, Lazy("data", lambda: given.data), given.rows, given.absent, Lazy("homes", lambda: homes))
    print((written.path / "manifest.json").read_text(encoding="utf-8"), flush=True)
    model = tuned(run, given, written)
    own = Tuned(HFDecoder(HF(str(model))))
    searching(own, given.data, [one for name in ASKED for one in questions(given.data, name) if one.held_out])
    critic = Filtered(own, StarterCritic(load.reader(), set()))
    return model.parent.name, {name: way_of(cfg, critic if name == "critic judges" else own) for name, cfg in (WAYS | DEEPER).items()}


def pointing(reader: Reader) -> dict[str, Way]:
    """The ways that there are for one that quotes."""
    names = ("reflective", "plain", "no relevance", "no support")
    return {name: way_of((WAYS | DEEPER)[name], Pointing(reader)) for name in names}


class Pointing:
    """A `Speaker` that says the sentence in which the starter's reader finds the answer: relevant and supported as far as it thinks so."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def decide(self, question: str, said: Sequence[tuple[Segment, ...]]) -> list[tuple[float, float, float] | None]:
        return [(1.0, 0.0, 0.0) for _ in said]

    def propose(self, question: str, wanted: Sequence[Next], choices: Sequence[str] = (), max_tokens: int = 100) -> list[Proposal]:
        passages = [one.passage.indexed if one.passage else "" for one in wanted]
        found = []
        for passage, read in zip(passages, self.reader.read([(question, passage) for passage in passages]), strict=True):
            spans = [span for span in sentences(passage) if span[0] <= read.start < span[1]] or [(read.start, read.end)]
            judged = Critique(read.relevant, Support(fully=read.answered, partly=0.0, no=1 - read.answered))
            found.append(Proposal(passage[slice(*spans[0])], judged, math.log(max(read.answered, 1e-6)), done=True))
        return found


def searching(speaker: Tuned, data: Path, held: Sequence[Question]) -> None:
    """Print how often the model would search for questions about the documents, and for instructions that need none."""
    free = [row["instruction"] for row in rows_in(data / "instruct_small" / "instruct.jsonl") if len(row["response"].split()) >= 80]
    for name, texts in (("questions", [one.text for one in held]), ("instructions", free)):
        texts = random.Random(2).sample(texts, min(100, len(texts)))
        wants = [needs_search(decision) for text in texts for decision in speaker.decide(text, [()]) if decision is not None]
        shares = "  ".join(f"above {cut}: {np.mean(np.array(wants) > cut):.2f}" for cut in (0.2, 0.5, 0.9))
        print(f"searches for {name} ({len(wants)}): {shares}", flush=True)


def way_of(cfg: Reflect, speaker: Speaker) -> Way:
    """Answering as `cfg` says."""
    return lambda engine, one: reflect(one.text, Searching(engine), speaker, cfg, choices=one.choices)


def tuned(run: Run, given: argparse.Namespace, written: Artifact) -> Path:
    """The folder of the tuned generator."""
    config = Generator(
        num_train_epochs=given.epochs, per_device_train_batch_size=8, gradient_accumulation_steps=1, learning_rate=1e-4, max_length=512,
        reflection=True, save_steps=100,
    )  # fmt: skip
    base = given.start or grown(given.out / "base")
    made = run.stage(train, config, written, Lazy(HF(str(base)).fingerprint, lambda: str(base)))
    losses = read_json(made.path / "losses.json")
    print("losses", losses[:: max(1, len(losses) // 12)], losses[-1], flush=True)
    return made.path / "model"


def differences(held: Sequence[Question], found: dict[str, list[dict[str, Any]]]) -> dict[str, tuple[Difference, Difference]]:
    """Reflective answers against each other way, question by question: F1 of what can be answered, and being right to be silent or not."""
    there = [bool(one.relevant) for one in held]

    def f1(rows: Sequence[dict[str, Any]]) -> list[float]:
        return [row["f1"] for row, known in zip(rows, there, strict=True) if known]

    def decided(rows: Sequence[dict[str, Any]]) -> list[float]:
        return [float(row["abstained"] != known) for row, known in zip(rows, there, strict=True)]

    told = {}
    for way in found:
        if way == "reflective" or (way == "quoted" and held[0].choices):  # a quoted sentence is no yes or no
            continue
        told[way] = compare(f1(found[way]), f1(found["reflective"])), compare(decided(found[way]), decided(found["reflective"]))
    return told


if __name__ == "__main__":
    main()
