"""Questions by a model: candidate answers first, then questions, choices and claims about them (SimRAG, arXiv 2410.17952, section 3.2)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from selfstudy.core.artifacts import write_records
from selfstudy.core.errors import BadModel, Stopped
from selfstudy.core.files import Log, read_json, write_json
from selfstudy.core.injection import aimed_at_models
from selfstudy.core.ports import LLM, Progress, silent
from selfstudy.core.records import Artifact, Example, Passage, Record, Reply
from selfstudy.core.run import Work, stage
from selfstudy.core.studied import passages_of
from selfstudy.core.text import content_words, model_tokens
from selfstudy.synth.asked import STEPS, Draft, Modelled, Written, steps
from selfstudy.synth.checks import nearly_equal
from selfstudy.synth.draft import pick, weights_of
from selfstudy.synth.kinds import choices_for
from selfstudy.synth.prompting import prompt, shown
from selfstudy.synth.round_trip import Dropped

PROMPTS = ("answers", "questions", "claims", "closed")
_BLOCK = 32
_ENOUGH = 8
"""Replies that say something about the model when none of them can be used."""
_FEW = 10
"""Where no more than one passage in so many gets no reply, it may be the passage that the endpoint fails on."""
_TRIES = 3
"""So often is such a passage asked about; then it is set aside."""
_MOST_TOKENS = 800
_REPLY_TOKENS = 120
_FEWEST_WORDS = 12
_NO_REPLY = "no reply"


@dataclass(frozen=True, slots=True)
class Suspicious(Record):
    """A passage that speaks to models, or about which a model wrote nothing of use."""

    passage: str
    why: str


@stage("synth.modelled", version=3)
def modelled(work: Work, config: Modelled, corpus: Artifact, prompts: dict[str, Any], llm: LLM) -> dict[str, Any]:
    """`modelled.jsonl` (Examples), `dropped.jsonl` with reasons, `suspicious.jsonl` (passages that speak to models). Resumes by passage.

    A passage that never gets a reply, among others that do, is set aside after three tries. Raises Stopped at the limit of a budget, and
    where the endpoint is out of order; what was asked is kept.
    """
    weights = weights_of(corpus)
    passages = [one for one in passages_of(corpus) if weights.get(one.id, 1.0) > 0]
    asked, suspicious, short = about(passages, config)
    with work.log("written") as log:
        missed = _ask(work, config, llm, asked, log)
        if missed:
            first = missed[0]
            raise Stopped(
                f"{len(missed)} of {len(asked)} passages got no reply: {first.missed}. "
                f"One stands in {first.passage.called!r} and begins {first.passage.text[:40]!r}.",
                "What was answered is kept; run the same command again to go on.",
            )
        done = {id: Written.load(value) for id, value in zip(log, log.values(), strict=True)}
    examples, dropped = _gathered(config, asked, done)
    for passage in asked:
        written = done[passage.id]
        if written.dropped and not written.examples and passage.id not in suspicious:
            unanswered = next((one.reason for one in written.dropped if one.reason.startswith(_NO_REPLY)), "")
            suspicious[passage.id] = unanswered or "nothing that was written about it could be used"
    write_records(work.folder / "modelled.jsonl", examples)
    write_records(work.folder / "dropped.jsonl", dropped)
    write_records(work.folder / "suspicious.jsonl", (Suspicious(id, why) for id, why in suspicious.items()))
    return {
        "passages": len(asked), "too short": short, "suspicious": len(suspicious),
        "unanswered": sum(why.startswith(_NO_REPLY) for why in suspicious.values()),
        "calls": sum(one.calls for one in done.values()), "tokens": sum(one.tokens for one in done.values()),
        "written": dict(Counter(example.kind for example in examples)), "dropped": _by_writer(dropped),
    }  # fmt: skip


def _by_writer(dropped: Sequence[Dropped]) -> dict[str, dict[str, int]]:
    """How many were dropped, by writer and reason."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for one in dropped:
        counts[one.writer][one.reason] += 1
    return {writer: dict(count) for writer, count in counts.items()}


def _ask(work: Work, config: Modelled, llm: LLM, asked: Sequence[Passage], log: Log) -> list[Draft]:
    """Write about all that `log` does not hold yet, and note it there. Returns what got no reply and is to be asked again later."""
    missed, up = _pass(work, config, llm, [passage for passage in asked if passage.id not in log], log, len(asked))
    if _FEW * len(missed) > len(asked):
        return missed
    file = work.folder / "tries.json"
    tries: Counter[str] = Counter(read_json(file) if file.exists() else {})
    while missed:
        tries.update(one.passage.id for one in missed)
        write_json(file, tries)
        for one in missed:
            if tries[one.passage.id] >= _TRIES:
                one.drop("", f"{_NO_REPLY}: {one.missed}")
                log.append(one.passage.id, one.written().json())
        missed = [one for one in missed if one.passage.id not in log]
        if not up:
            break
        missed, _ = _pass(work, config, llm, [one.passage for one in missed], log, len(asked))
    return missed


def _pass(work: Work, config: Modelled, llm: LLM, passages: Sequence[Passage], log: Log, all_of_them: int) -> tuple[list[Draft], bool]:
    """Write about passages, block after block. Returns what got no reply, and whether most of the last block did."""
    missed: list[Draft] = []
    up = False
    size = -(-len(passages) // max(1, -(-len(passages) // _BLOCK)))  # of like size: what fails alone in the last one tells nothing
    for start in range(0, len(passages), max(1, size)):
        done = len(log)
        block = passages[start : start + size]
        written = _write(config, llm, block, lambda share: work.progress(done + int(share * len(block)), all_of_them))  # noqa: B023
        log.extend({one.passage.id: one.written().json() for one in written if not one.missed})
        silent = [one for one in written if one.missed]
        missed += silent
        up = 2 * len(silent) < len(written)
    work.progress(len(log), all_of_them)
    return missed, up


def about(passages: Sequence[Passage], config: Modelled) -> tuple[list[Passage], dict[str, str], int]:
    """The passages to ask about, those that speak to models with the words that do, and how many say too little."""
    suspicious = {passage.id: f"{words!r}" for passage in passages if (words := aimed_at_models(passage.indexed))}
    telling = [passage for passage in passages if len(content_words(passage.text)) >= _FEWEST_WORDS]
    fit = [passage for passage in telling if passage.id not in suspicious and not passage.repeats]
    return pick(fit, config.passages, f"modelled{config.seed}"), suspicious, len(passages) - len(telling)


@dataclass(frozen=True, slots=True)
class Cost(Record):
    """What writing would take, about."""

    calls: int
    prompt_tokens: int
    completion_tokens: int

    def times(self, share: float) -> Cost:
        """The cost of a share of it."""
        return Cost(*(round(share * part) for part in (self.calls, self.prompt_tokens, self.completion_tokens)))


def cost_of(passages: Sequence[Passage], config: Modelled, kept: LLM | None = None) -> Cost:
    """The calls and tokens of writing about `passages`, if every reply can be used: a token is four letters or one CJK character.

    What `kept` still answers, which has only replies from before, costs nothing again.
    """
    drafts = [Draft(passage, config) for passage in about(passages, config)[0]]
    calls = read = 0
    for name in steps(config):
        if kept is not None:
            _take(kept, name, drafts, config)
        waiting = [one for one in drafts if one.missed] if kept is not None else drafts
        wording = model_tokens(prompt(name).text)
        calls += len(waiting)
        read += sum(wording + (_REPLY_TOKENS if name == "closed" else model_tokens(shown(one.passage))) for one in waiting)
    return Cost(calls, read, calls * _REPLY_TOKENS)


def _write(config: Modelled, llm: LLM, passages: Sequence[Passage], tell: Callable[[float], None]) -> list[Draft]:
    """Write about a block of passages: each step is one batch of conversations. `tell` hears which share of it is done."""
    found = [Draft(passage, config) for passage in passages]
    names = steps(config)
    for at, name in enumerate(names):
        _step(llm, name, found, config, lambda share: tell((at + share) / len(names)))  # noqa: B023
    return found


def _step(llm: LLM, name: str, drafts: Sequence[Draft], config: Modelled, tell: Callable[[float], None]) -> None:
    """As `_take`. Raises BadModel where many replies bring nothing that can be used, Stopped where the endpoint may be better later."""
    replies = _take(llm, name, drafts, config, lambda done, total: tell(done / total))
    if len(replies) >= _ENOUGH and all(reply.fault for reply in replies):
        if passing := [reply.fault for reply in replies if reply.transient]:
            raise Stopped(
                f"{llm.name} gave no reply to {len(passing)} calls: {passing[-1]}.",
                "What was answered is kept; run the same command again later to go on.",
            )
        raise BadModel(
            f"{llm.name} gave {len(replies)} replies of which none can be used; the last one: {replies[-1].fault}",
            "Try another model, or run the same command again later: what was answered is kept.",
        )


def _take(llm: LLM, name: str, drafts: Sequence[Draft], config: Modelled, progress: Progress = silent) -> list[Reply]:
    """One conversation about each passage that has something to be asked about, and what is taken of the replies."""
    schema, wanted, ask, take = STEPS[name]
    drafts = [one for one in drafts if not one.missed and wanted(one)]
    temperature = 0.0 if name == "closed" else config.temperature
    asked = [ask(one) for one in drafts]
    replies = llm.chat(asked, schema=schema, max_tokens=_MOST_TOKENS, temperature=temperature, progress=progress) if asked else []
    for one, reply in zip(drafts, replies, strict=True):
        one.count(reply)
        if reply.transient:
            one.missed = reply.fault
        elif reply.fault:
            one.drop("", f"{_NO_REPLY}: {reply.fault.split(':')[0]}")
        else:
            take(one, reply.data)
    return replies


def _gathered(config: Modelled, asked: Sequence[Passage], done: dict[str, Written]) -> tuple[list[Example], list[Dropped]]:
    """All examples, some of them with choices, without near repetitions and within the quota of each document; and all that was dropped."""
    dropped = [one for passage in asked for one in done[passage.id].dropped]
    examples: list[Example] = []
    for example, wanting in _with_choices(config, asked, done):
        if wanting:
            dropped.append(_dropped(example, wanting))
        else:
            examples.append(example)
    kept: list[Example] = []
    for example, same in zip(examples, nearly_equal(examples), strict=True):
        if same:
            dropped.append(_dropped(example, "it nearly repeats another"))
        else:
            kept.append(example)
    by_document: dict[str, list[Example]] = defaultdict(list)
    for example in kept:
        by_document[example.group].append(example)
    within = {example.id for group, ones in by_document.items() for example in pick(ones, config.per_document, group)}
    dropped += [_dropped(example, "its document has enough") for example in kept if example.id not in within]
    return [example for example in kept if example.id in within], dropped


def _dropped(example: Example, reason: str) -> Dropped:
    return Dropped(example.id, example.question, example.writer, reason, example.evidence[0].passage.id)


def _with_choices(config: Modelled, asked: Sequence[Passage], done: dict[str, Written]) -> Iterator[tuple[Example, str]]:
    """All examples, each with the reason why it is not kept, or "".

    Every second short question becomes a multiple choice: wrong answers of the same type, from other passages, not true of this one.
    """
    by_type: dict[str, list[str]] = defaultdict(list)
    for passage in asked:
        for answer, kind in done[passage.id].candidates:
            by_type[kind].append(answer)
    for passage in asked:
        types = dict(done[passage.id].candidates)
        place = 0
        for example in done[passage.id].examples:
            if example.kind == "claim":
                yield example, ""
                continue
            place += 1
            wants_choice = "choice" in config.kinds and (place % 2 == 0 or "short" not in config.kinds)
            choices = choices_for(example, by_type[types.get(example.answers[0], "")]) if wants_choice else ()
            if choices:
                yield replace(example, kind="choice", writer="model choice", choices=choices), ""
            else:
                yield example, "" if "short" in config.kinds else "there are too few wrong answers for a choice"
