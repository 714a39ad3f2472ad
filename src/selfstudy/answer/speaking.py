"""Who proposes what is said next: a generator with reflection tokens, or any LLM with a critic beside it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from selfstudy.answer.prompts import prompt
from selfstudy.answer.scoring import critique_of, decision_of
from selfstudy.answer.terms import is_cjk_text
from selfstudy.core.errors import BadModel
from selfstudy.core.ports import LLM, Begun, Critic, Decoder
from selfstudy.core.prompts import NOT_HERE, says_not_here
from selfstudy.core.records import Candidate, Critique, Message, Passage, Reply, Support
from selfstudy.core.reflection import BEGIN, RETRIEVE, TOKENS, USEFUL, asked, evidence, judged
from selfstudy.core.text import normal, sentences

Decision = tuple[float, float, float]
"""The probabilities that going on needs a search, needs none, goes on with the evidence at hand."""
DONE = "DONE"
NO_ROOM = "there is no room for more in the model's context"
_LONGEST = 4000
_SHORTER = (1000, 500)
"""Characters of a passage where there is no room for all of it."""
_LISTED = 20
"""Log-probabilities of a token that an endpoint is asked for: as many as it may give."""
_STOP = (*RETRIEVE, *USEFUL, BEGIN)


@dataclass(frozen=True, slots=True)
class Segment:
    """A candidate with the passage that it was written from (`same`: that of the one before), and how the model would go on, if known.

    `also` say the same from other passages.
    """

    candidate: Candidate
    passage: Passage | None
    following: Decision | None = None
    same: bool = False
    also: tuple[Segment, ...] = ()

    @property
    def score(self) -> float:
        return self.candidate.score

    @property
    def done(self) -> bool:
        return self.candidate.done


@dataclass(frozen=True, slots=True)
class Next:
    """What is asked for: a sentence behind those `said`, from `passage`; with `same` the passage is that of the last one."""

    said: tuple[Segment, ...]
    passage: Passage | None
    same: bool = False


@dataclass(frozen=True, slots=True)
class Proposal:
    """A sentence and what is made of it. `fault` says why it cannot be used."""

    text: str
    critique: Critique = Critique()  # noqa: RUF009 (frozen)
    logprob: float | None = None
    following: Decision | None = None
    done: bool = False
    fault: str = ""


class Speaker(Protocol):
    """Goes on with answers."""

    def decide(self, question: str, said: Sequence[tuple[Segment, ...]]) -> list[Decision | None]:
        """Whether going on needs a search; None where nobody can tell."""
        ...

    def propose(self, question: str, wanted: Sequence[Next], choices: Sequence[str] = (), max_tokens: int = 100) -> list[Proposal]:
        """A sentence for each, all in one batch."""
        ...


class Tuned:
    """A generator with reflection tokens, which judges itself. Raises BadModel where its vocabulary lacks them.

    What is asked stands whole in its context, or nothing is said: old passages make room, and a new one is shortened.
    """

    def __init__(self, decoder: Decoder) -> None:
        if not decoder.knows(TOKENS):
            raise BadModel(f"{decoder.name} has no reflection tokens.", "Tune it with them, or let a judge stand beside it.")
        self.decoder = decoder

    def decide(self, question: str, said: Sequence[tuple[Segment, ...]]) -> list[Decision | None]:
        """As `Speaker.decide`, from the token that would come next; None where there is no room for one."""
        begun = [self._fitting(asked(question), ((text, "") for text in _ever_less(one, len(one))), 1) for one in said]
        weighed = iter(self.decoder.weigh([one for one in begun if one is not None], RETRIEVE))
        return [None if one is None else decision_of(next(weighed)) for one in begun]

    def propose(self, question: str, wanted: Sequence[Next], choices: Sequence[str] = (), max_tokens: int = 100) -> list[Proposal]:
        """As `Speaker.propose`; what there is no room for has the fault NO_ROOM."""
        begun = [self._fitting(asked(question, choices), _ways(one), max_tokens) for one in wanted]
        replies = iter(self.decoder.write([one for one in begun if one is not None], _STOP, TOKENS, max_tokens))
        return [
            Proposal("", fault=NO_ROOM) if start is None else _judged_itself(next(replies), one.passage is not None)
            for one, start in zip(wanted, begun, strict=True)
        ]

    def _fitting(self, messages: Sequence[Message], ways: Iterable[tuple[str, str]], more: int) -> Begun | None:
        """The first way to begin a reply that leaves room for `more` tokens; None where none does."""
        return next((begun for way in ways if self.decoder.fits(begun := (messages, *way), more)), None)


def _judged_itself(reply: Reply, beside: bool) -> Proposal:
    """What was written `beside` a passage, or without one, which then is not judged."""
    critique, logprob = critique_of(reply.tokens)
    last = reply.tokens[-1] if reply.tokens else None
    return Proposal(
        reply.text,
        critique if beside else Critique(useful=critique.useful),
        logprob,
        decision_of(last.top) if last is not None else None,
        last is not None and last.text in (*USEFUL, ""),
        reply.fault,
    )


def _ways(one: Next) -> Iterator[tuple[str, str]]:
    """What was said, and the evidence of what comes next, in ever less room: old passages go first, then the end of the new one."""
    shown = [place for place, told in enumerate(one.said) if told.passage is not None and not told.same]
    spare = shown[-1] if one.same and shown else len(one.said)
    for text in _ever_less(one.said, spare):
        yield text, _evidence(one.passage, one.same)
    if one.passage is not None and not one.same:
        for longest in _SHORTER:
            yield _written(one.said, spare), evidence(one.passage.indexed[:longest])


def _ever_less(said: Sequence[Segment], spare: int) -> Iterator[str]:
    """What was said with all its passages, without that of the first sentence, of the first two, of `spare` at last."""
    return (_written(said, without) for without in range(spare + 1))


class Served:
    """A generator with reflection tokens behind an endpoint that continues a last turn of the assistant and lists `top_logprobs`."""

    def __init__(self, llm: LLM) -> None:
        self.llm = llm

    def decide(self, question: str, said: Sequence[tuple[Segment, ...]]) -> list[Decision | None]:
        """As `Speaker.decide`."""
        replies = self.llm.chat([_begun(question, _written(one)) for one in said], logprobs=_LISTED, max_tokens=1)
        return [decision_of(reply.tokens[0].top) if reply.tokens else None for reply in replies]

    def propose(self, question: str, wanted: Sequence[Next], choices: Sequence[str] = (), max_tokens: int = 100) -> list[Proposal]:
        """As `Speaker.propose`; the endpoint may write on behind the sentence, which is cut off."""
        begun = [_begun(question, _written(one.said) + _branch(one), choices) for one in wanted]
        found = []
        for one, reply in zip(wanted, self.llm.chat(begun, logprobs=_LISTED, max_tokens=max_tokens), strict=True):
            if reply.fault:
                found.append(Proposal("", fault=reply.fault))
                continue
            place = next((at for at, token in enumerate(reply.tokens) if token.text.strip() in _STOP), len(reply.tokens))
            tokens = reply.tokens[: place + 1]
            text = "".join(token.text for token in tokens if token.text.strip() not in TOKENS).strip()
            critique, logprob = critique_of(tokens)
            stopped = place < len(reply.tokens)
            cut = "" if stopped or len(reply.tokens) < max_tokens else f"cut off at {max_tokens} tokens"
            critique = critique if one.passage is not None else Critique(useful=critique.useful)
            following = decision_of(tokens[-1].top) if stopped else None
            found.append(Proposal(text, critique, logprob, following, not stopped or tokens[-1].text.strip() in USEFUL, cut))
        return found


class Chatting:
    """Any LLM, asked for one sentence at a time, with a critic."""

    def __init__(self, llm: LLM, critic: Critic) -> None:
        self.llm = llm
        self.critic = critic

    def decide(self, question: str, said: Sequence[tuple[Segment, ...]]) -> list[Decision | None]:
        """As `Speaker.decide`."""
        return list(self.critic.retrieve([(question, _so_far(one)) for one in said]))

    def propose(self, question: str, wanted: Sequence[Next], choices: Sequence[str] = (), max_tokens: int = 100) -> list[Proposal]:
        """As `Speaker.propose`; the critic sees all sentences in one batch."""
        replies = self.llm.chat([_chat(question, one, choices) for one in wanted], logprobs=1, max_tokens=max_tokens)
        if replies and all(reply.fault for reply in replies):
            raise BadModel(f"{self.llm.name} gave no answer: {replies[0].fault}", "Ask again, or with --mode plain.")
        found = [Proposal("", fault=reply.fault) if reply.fault else _first(reply.text, reply.cut) for reply in replies]
        judged_ones = [place for place, one in enumerate(found) if not one.fault]
        triples = [(question, found[place].text, _shown(wanted[place].passage)) for place in judged_ones]
        for place, critique in zip(judged_ones, self.critic.critiques(triples), strict=True):
            tokens = replies[place].tokens
            mean = sum(token.logprob for token in tokens) / len(tokens) if tokens else None
            found[place] = Proposal(found[place].text, critique, mean, None, bool(choices))
        return found


def _first(text: str, cut: bool = False) -> Proposal:
    """The first sentence of a reply, if that did not end within it."""
    if normal(text) == normal(DONE):
        return Proposal("", done=True, fault="the answer is complete")
    if says_not_here(text):
        return Proposal("", fault="the passage does not hold it")
    spans = sentences(text)
    if cut and len(spans) < 2:
        return Proposal(text, fault="it was cut off before its end")
    return Proposal(text[slice(*spans[0])]) if spans else Proposal("", fault="the reply is empty")


def _chat(question: str, one: Next, choices: Sequence[str]) -> list[Message]:
    parts = {"question": question, "answer so far": _so_far(one.said)}
    if choices:
        parts["reply with one of these words for word"] = json.dumps(list(choices), ensure_ascii=False)
    if one.passage is not None:
        parts["passage"] = one.passage.indexed[:_LONGEST]
    shown = json.dumps(parts, ensure_ascii=False, indent=1)
    told = prompt("alone" if one.passage is None else "next").filled(done=DONE, not_here=NOT_HERE)
    return [Message("system", told), Message("user", shown)]


def _begun(question: str, written: str, choices: Sequence[str] = ()) -> list[Message]:
    return [*asked(question, choices), *([Message("assistant", written)] if written else [])]


def _written(said: Sequence[Segment], without: int = 0) -> str:
    """What was said, with its evidence and judgements, as the generator learned to write it; that of the first `without` stands empty."""
    return "".join(
        (_evidence(one.passage, one.same) if place >= without or one.passage is None else evidence("", one.same))
        + judged(one.candidate.text, _critique(one.candidate))
        for place, one in enumerate(said)
    )


def _critique(candidate: Candidate) -> Critique:
    supported = candidate.supported
    return Critique(candidate.relevant, supported if isinstance(supported, Support) else None, candidate.useful)


def _branch(one: Next) -> str:
    return _evidence(one.passage, one.same)


def _evidence(passage: Passage | None, same: bool = False) -> str:
    return RETRIEVE[1] if passage is None else evidence(passage.indexed, same)


def _so_far(said: Sequence[Segment]) -> str:
    texts = [one.candidate.text for one in said]
    return ("" if texts and is_cjk_text(texts[0]) else " ").join(texts)


def _shown(passage: Passage | None) -> str:
    return passage.indexed if passage is not None else ""
