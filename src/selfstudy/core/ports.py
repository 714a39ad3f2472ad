"""The doors between the rooms: what a capability may expect of another without knowing it. Batch first, synchronous."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from selfstudy.core.records import Critique, Document, Example, Hit, Message, Passage, Reading, Reply

Role = Literal["query", "passage"]
ROLES: tuple[Role, ...] = ("query", "passage")
Vectors = NDArray[np.float32]
Progress = Callable[[int, int], None]
"""Called with (done, total) as work goes on."""


def silent(done: int, total: int) -> None:
    """The progress of work that nobody watches."""


@runtime_checkable
class Parser(Protocol):
    """Reads a file of one format."""

    def parse(self, path: Path) -> Iterator[Document]:
        """Yield the documents in `path`, one for most formats. Raises BadInput where the file cannot be read."""
        ...


@runtime_checkable
class Embedder(Protocol):
    """Turns texts into vectors of unit length."""

    @property
    def name(self) -> str: ...

    @property
    def dim(self) -> int: ...

    @property
    def fingerprint(self) -> str:
        """Equal for embedders whose vectors may be compared: weights, pooling, prefixes, precision class."""
        ...

    def embed(self, texts: Sequence[str], role: Role = "passage", progress: Progress = silent) -> Vectors:
        """(len(texts), dim) float32, rows of unit length, in the order given."""
        ...


@runtime_checkable
class Trainable(Protocol):
    """What an Embedder may be besides: one whose weights are at hand."""

    @property
    def model_folder(self) -> Path | None:
        """The folder of the model, as sentence-transformers saves one, to train from; None where the weights are out of reach."""
        ...


@runtime_checkable
class Vocabulary(Protocol):
    """What an Embedder may have besides: a vocabulary that is known. Without it, it counts as able to read every text."""

    def known(self, texts: Sequence[str]) -> float:
        """The share of the tokens of `texts` that are in its vocabulary; what is not is read as one and the same unknown token."""
        ...


@runtime_checkable
class Unkept(Protocol):
    """What an Embedder may say besides: that its vectors need no place in the cache on disk."""

    @property
    def unkept(self) -> bool:
        """True where it keeps them itself, or makes them again for next to nothing."""
        ...


@runtime_checkable
class Retriever(Protocol):
    """Finds passages for questions."""

    def search(self, questions: Sequence[str], k: int, where: str | None = None) -> list[list[Hit]]:
        """The best `k` passages for each question, best first. `where` is a filter of `index/filters.py`."""
        ...


@runtime_checkable
class Reranker(Protocol):
    """Reads a question and a passage together: that tells more than their two vectors do, and costs more."""

    @property
    def fingerprint(self) -> str:
        """Equal where equal pairs have equal scores."""
        ...

    def score(self, pairs: Sequence[tuple[str, str]]) -> Vectors:
        """(len(pairs),) how well each (question, passage) fits, in order; higher is better."""
        ...


@runtime_checkable
class LLM(Protocol):
    """Answers conversations."""

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str:
        """Equal where equal conversations may be answered from what was kept: model and endpoint or weights."""
        ...

    def chat(
        self,
        batch: Sequence[Sequence[Message]],
        schema: dict[str, Any] | None = None,
        logprobs: int = 0,
        max_tokens: int = 512,
        temperature: float = 0.0,
        progress: Progress = silent,
    ) -> list[Reply]:
        """A reply for each conversation, in order; one that cannot be had or used is a Reply with a fault, never an exception.

        `schema`: a JSON schema that `Reply.data` then fits. `logprobs`: so many alternatives for each token, where the model offers them.
        Raises BadModel where no conversation at all can be answered (no such model, no access), Stopped at the limit of a budget.
        """
        ...


@runtime_checkable
class Recalling(Protocol):
    """What an LLM may do besides: keep its replies."""

    def remembered(self) -> LLM | None:
        """What was answered before, as an LLM that asks nothing; None where nothing is kept."""
        ...


@runtime_checkable
class Reader(Protocol):
    """Reads a text for a question: where the answer stands, and whether there is one."""

    def read(self, pairs: Sequence[tuple[str, str]]) -> list[Reading]:
        """A Reading for each (question, text), in order."""
        ...


SUPPORT = ("no", "partly", "fully")
"""How far a passage supports an answer."""


@runtime_checkable
class Entailment(Protocol):
    """Tells how far passages support answers: textual entailment in three classes."""

    def supported(self, triples: Sequence[tuple[str, str, str]]) -> Vectors:
        """(len(triples), 3) probabilities that the passage of each (question, answer, passage) supports the answer: SUPPORT.

        Raises BadModel where that cannot be told.
        """
        ...


Triple = tuple[str, str, str]
"""A question, a sentence (or more) of an answer to it, and a passage; "" where there is none."""


@runtime_checkable
class Critic(Protocol):
    """Makes the four judgements of Self-RAG's critic (arXiv 2310.11511), each as probabilities."""

    def retrieve(self, begun: Sequence[tuple[str, str]]) -> list[tuple[float, float, float]]:
        """For each (question, what was said so far): that going on needs a search, needs none, goes on with the evidence at hand."""
        ...

    def critiques(self, triples: Sequence[Triple]) -> list[Critique]:
        """A Critique for each triple; without a passage it says only how useful the answer is. Raises BadModel where it cannot be told."""
        ...


Begun = tuple[Sequence[Message], str, str]
"""A conversation, what of the reply stands already and is shared with others, and what stands behind that in this one alone."""


@runtime_checkable
class Decoder(Protocol):
    """A generator that can be led: its replies are begun for it, and its probabilities can be read at every token."""

    @property
    def name(self) -> str: ...

    def knows(self, tokens: Sequence[str]) -> bool:
        """Whether each of `tokens` is one token of its vocabulary."""
        ...

    def fits(self, begun: Begun, more: int) -> bool:
        """Whether all of it and `more` tokens behind it have room in the model's context."""
        ...

    def weigh(self, begun: Sequence[Begun], texts: Sequence[str]) -> list[dict[str, float]]:
        """The log-probability that each of `texts` comes next, for each reply that was begun."""
        ...

    def write(self, begun: Sequence[Begun], stop: Sequence[str], watch: Sequence[str], max_tokens: int = 100) -> list[Reply]:
        """Go on greedily up to a token of `stop`, in one batch; what replies share is read once.

        `Reply.tokens` are what was written with the stop behind it, and `top` of each the log-probabilities of `watch` in its place.
        `Reply.text` is what was written without stop or watched tokens; a fault says that no stop came within `max_tokens`.
        """
        ...


Writer = Callable[[Sequence[Passage]], Iterable[Example]]
"""Writes questions about passages; each Example's evidence is the passage that it was written from."""
