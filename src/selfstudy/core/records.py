"""The nouns. Every record is frozen, slotted, equal by value, and survives a round trip through JSON."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, Self, cast, get_args

from pydantic import TypeAdapter

Scalar = str | int | float | bool
Split = Literal["train", "tune", "exam"]
Way = Literal["lexical", "dense", "hybrid"]
"""How passages are searched for: by words, by meaning, or by both."""
WAYS: tuple[Way, ...] = get_args(Way)
Mode = Literal["plain", "reflective", "always", "never"]
"""How a question is answered: over one search, or sentence by sentence with a search where it is needed, always, or never."""
LANGUAGE = "language"
"""The field of a document's metadata that names its language; a passage answers for itself where it can: a contract may be in two."""


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


class Record:
    """What all nouns share: `json()` gives plain data, `load(data)` checks it and gives the record back."""

    __slots__ = ()

    def json(self) -> dict[str, Any]:
        data: dict[str, Any] = _adapter(cast(Any, type(self))).dump_python(self, mode="json")
        return data

    @classmethod
    def load(cls, data: Any) -> Self:
        record: Self = _adapter(cast(Any, cls)).validate_python(data)
        return record


def digest(*parts: str) -> str:
    """The first 32 hex digits of the SHA-256 of `parts`, each set off from the next."""
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Section(Record):
    """A stretch of `Document.text`, from `start` to `end`, that stands under the headings `path`."""

    path: tuple[str, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Mark(Record):
    """Where in the source the text from `start` on stands, up to the next mark: "p. 12", "slide 3", "14:03, Anna".

    With `row` every line is a row of a table, and that is the number of the first: "Prices, row 17".
    """

    start: int
    label: str
    row: int | None = None


@dataclass(frozen=True, slots=True)
class Document(Record):
    """One source text. `source` is a path or URL; `meta` (author, updated, ...) can be filtered on.

    `sections` says which headings each part of the text stands under; parts that no section covers stand under the title alone. `marks`
    say, in ascending order, which page, slide, row or turn it stands at.
    """

    id: str
    text: str
    title: str = ""
    source: str = ""
    meta: dict[str, Scalar] = field(default_factory=dict)
    sections: tuple[Section, ...] = ()
    marks: tuple[Mark, ...] = ()

    def where(self, position: int) -> str:
        """Where `text[position]` stands in the source: its page, slide, row or turn, else its headings below the title."""
        if mark := next((mark for mark in reversed(self.marks) if mark.start <= position), None):
            row = "" if mark.row is None else f"row {mark.row + self.text.count(chr(10), mark.start, position)}"
            return ", ".join(filter(None, (mark.label, row)))
        around = [section for section in self.sections if section.start <= position < section.end]
        path = max(around, key=lambda section: section.start).path if around else ()
        return " > ".join(path[1:] if path[:1] == (self.title,) else path)


@dataclass(frozen=True, slots=True)
class Place(Record):
    """Where a passage stands: `Document.text[start:end]` is the passage's text, exactly."""

    document: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Passage(Record):
    """What is indexed: a text under its title path. Equal text under an equal title is one passage with several places.

    `near` is the id of the passage that this one nearly repeats, if there is one; `within` are those of the passages, one or several that
    follow one another, that all of its text stands in. Neither names a passage that itself repeats another. `language` is that of its
    text, where that surely tells one; else that of its document holds.
    """

    id: str
    title: str
    text: str
    places: tuple[Place, ...] = ()
    near: str | None = None
    within: tuple[str, ...] = ()
    language: str | None = None

    @property
    def called(self) -> str:
        """What people are shown as its title: the name of its file where it has none."""
        return self.title or (file_name(self.places[0].document) if self.places else "")

    @property
    def place(self) -> Place:
        """The first of its places; one that stands nowhere is a document of its own."""
        return self.places[0] if self.places else Place(self.id, 0, len(self.text))

    def citation(self, start: int, end: int, number: int) -> Citation:
        """The citation of `text[start:end]`; its `source` is empty, since only whoever knows the documents can name it."""
        there = self.place
        return Citation(number, self.id, there.document, self.title, "", there.start + start, there.start + end, self.text[start:end])

    @property
    def repeats(self) -> bool:
        """Whether other passages say all that this one says."""
        return self.near is not None or bool(self.within)

    @property
    def family(self) -> str:
        """The id that near duplicates have in common."""
        return self.near or self.id

    def holds(self, other: Passage) -> bool:
        """Whether all of `other` is said here: it is this passage, nearly repeats it, or stands inside it."""
        return self.family == other.family or other.within == (self.family,)

    def shares(self, other: Passage) -> bool:
        """Whether one holds the other, or a part of it."""
        return self.family == other.family or self.family in other.within or other.family in self.within

    @property
    def indexed(self) -> str:
        """The text that every retriever sees, lexical and dense, base and tuned alike."""
        return f"{self.title}\n{self.text}" if self.title else self.text


def file_name(document: str) -> str:
    """The name of the file that a document of this id was read from, without its folders: "docs.zip#plans/a.docx" is "a.docx"."""
    return document.rstrip("/").rpartition("/")[2]


def passage_id(title: str, text: str) -> str:
    """The id of a passage: the hash of what is indexed and of nothing else, so that moving a file costs nothing."""
    return digest(title, text)


@dataclass(frozen=True, slots=True)
class Hit(Record):
    """A passage that a retriever found. `by` names the retriever; a score compares only within one answer of one retriever.

    `superseded_by` is the document that took the place of the passage's, where it stands in no current one. `best` cites the sentence or
    clause of it that says most about what was asked, where that was looked for; its number is the hit's rank.
    """

    passage: Passage
    score: float
    by: str
    superseded_by: str | None = None
    best: Citation | None = None

    @property
    def public(self) -> Hit:
        """With what it cites as `Citation.public`."""
        return self if self.best is None else replace(self, best=self.best.public)


@dataclass(frozen=True, slots=True)
class Example(Record):
    """A question with what is known about it; one record serves training and evaluation.

    `writer` says who wrote the question, `kind` what its answer is (number, date, name, term, text, section, choice, claim),
    `group` what it must not be separated from when questions are split. `choices` are those of a multiple choice, the right one among them.
    `weight` says how often it comes in training where another comes once.
    """

    id: str
    question: str
    answers: tuple[str, ...]
    evidence: tuple[Hit, ...]
    distractors: tuple[Hit, ...] = ()
    kind: str = "text"
    writer: str = ""
    group: str = ""
    split: Split | None = None
    choices: tuple[str, ...] = ()
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Term(Record):
    """Two names of one thing: `name`, the shorter or less telling one, and what it `means`.

    `kind` says how that is known: abbreviation, alias, translation, or given (by a person). `seen` counts the passages that say so; a
    person `struck` what is wrong.
    """

    name: str
    means: str
    kind: str = "given"
    seen: int = 0
    struck: bool = False


@dataclass(frozen=True, slots=True)
class Reading(Record):
    """What reading a text for a question told: the likeliest answer `text[start:end]`, the probability that the text answers at all, and
    that it is about what is asked.
    """

    start: int
    end: int
    answered: float
    relevant: float


@dataclass(frozen=True, slots=True)
class Citation(Record):
    """The proof of a sentence: `quote` is `Document.text[start:end]` of the named document, whose place `superseded_by` took, if any.

    `where` says where a person finds it there: "p. 12", "slide 3", "Prices, row 17", "14:03, Anna", or the headings above it. `around` is
    the text of the section that it stands in, where that was asked for.
    """

    number: int
    passage: str
    document: str
    title: str
    source: str
    start: int
    end: int
    quote: str
    where: str = ""
    superseded_by: str | None = None
    around: str = ""

    @property
    def public(self) -> Citation:
        """As whoever is not at this machine may see it: an address on the web stays its `source`, a path goes."""
        return self if "://" in self.source else replace(self, source="")


@dataclass(frozen=True, slots=True)
class Support(Record):
    """How far a passage supports a sentence: three probabilities that sum to 1."""

    fully: float
    partly: float
    no: float


@dataclass(frozen=True, slots=True)
class Critique(Record):
    """What a critic makes of a sentence beside a passage: probabilities, each group summing to 1; None where the critic cannot tell.

    `relevant` is that of the passage to the question, `useful` those of the marks 1 to 5 for the sentence as an answer.
    """

    relevant: float | None = None
    supported: Support | None = None
    useful: tuple[float, float, float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Candidate(Record):
    """A segment that could be said next. `score` follows from the fields before it; where `left_out` gives a reason it cannot be chosen.

    `logprob` is the mean of its tokens' log-probabilities, None where the model does not tell; `passage` the id of the one that it was
    written from. With `done` the model ended its answer.
    """

    id: int
    text: str
    passage: str | None
    logprob: float | None
    relevant: float | None
    supported: Support | None
    useful: tuple[float, float, float, float, float] | None
    score: float
    left_out: str = ""
    done: bool = False


@dataclass(frozen=True, slots=True)
class Step(Record):
    """How the answer that ends with the candidate `parent` (None: nothing is said yet) could go on.

    `retrieve` is the probability that a search is needed and `proceed` that of going on with the evidence of the sentence before, which is
    done where it is the larger part; both None where nobody was asked. `searched` are the words that were searched with, "" where nothing
    was searched. With `closed` most of the candidates said that the answer is complete, so that it is.
    """

    parent: int | None
    retrieve: float | None
    proceed: float | None
    searched: str
    candidates: tuple[Candidate, ...]
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Tree(Record):
    """All that was considered for an answer, and what the choice followed from: `chosen` is the path of the largest sum of scores.

    A path ends with a candidate that is done, or before a step that is closed or has no candidate that may be said. `question` is what was
    asked once it stands alone, `calls` how often the model behind `llm` was asked for it.
    """

    mode: str
    question: str
    weights: dict[str, float]
    threshold: float
    beam: int
    steps: tuple[Step, ...]
    chosen: tuple[int, ...]
    calls: int = 0


@dataclass(frozen=True, slots=True)
class Answer(Record):
    """An answer whose text carries [1][2] marks, one for each citation; or an abstention with an empty list of citations.

    `confidence` is the estimated probability that the documents hold the answer and that it was found. `short` are the words of the first
    citation that answer by themselves, where there are such. `tree` is there where the answer was chosen sentence by sentence. `notes`
    say what else happened that who asked should know.
    """

    question: str
    text: str
    citations: tuple[Citation, ...]
    hits: tuple[Hit, ...]
    confidence: float
    abstained: bool
    short: str = ""
    tree: Tree | None = None
    notes: tuple[str, ...] = ()

    @property
    def public(self) -> Answer:
        """With what it cites as `Citation.public`."""
        return replace(self, citations=tuple(one.public for one in self.citations))


@dataclass(frozen=True, slots=True)
class Message(Record):
    """One turn of a conversation with an LLM."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Conversation(Record):
    """Turns that a generator learns from: those of the assistant. `kind` says what they teach, `source` where they come from."""

    messages: tuple[Message, ...]
    kind: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Token(Record):
    """A token that an LLM wrote, its log-probability, and those of the likeliest alternatives in its place (itself among them)."""

    text: str
    logprob: float
    top: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply(Record):
    """What an LLM answered. `data` is the value of `text` where a schema was asked for.

    `fault` says why the reply cannot be used (refused, empty, against the schema, given up); "" for a good one; `transient`: asking
    again later may help. `cut`: it was cut off where no more tokens were allowed. `model` is the name that the endpoint gave itself.
    Tokens are counted over all calls that this reply took.
    """

    text: str
    data: Any = None
    fault: str = ""
    model: str = ""
    tokens: tuple[Token, ...] = ()
    prompt_tokens: int = 0
    completion_tokens: int = 0
    transient: bool = False
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Interval(Record):
    """A mean with its 95% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference(Record):
    """A paired mean difference with its 95% interval, the p-value of 'no difference', and the number of pairs."""

    value: float
    low: float
    high: float
    p: float
    n: int


@dataclass(frozen=True, slots=True)
class Artifact(Record):
    """What a finished stage left: a folder that never changes again. `key` says what it was made from."""

    key: str
    kind: str
    path: Path
