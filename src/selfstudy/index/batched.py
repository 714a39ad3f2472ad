"""Questions that come at the same time are searched together: one call of the embedder and one product of matrices for all of them."""

from __future__ import annotations

from collections.abc import Sequence

from selfstudy.core.ports import Retriever
from selfstudy.core.records import Hit
from selfstudy.core.together import Together
from selfstudy.index.question import check_questions

MOST = 64
"""Questions that are searched together at most."""


class Batched:
    """A Retriever for many threads over one that is asked by one thread at a time."""

    def __init__(self, retriever: Retriever) -> None:
        self._together: Together[str, list[Hit]] = Together(retriever.search, MOST)

    def search(self, questions: Sequence[str], k: int, where: str | None = None) -> list[list[Hit]]:
        """As `core.ports.Retriever.search`. Raises what the retriever raises for these questions."""
        asked = check_questions(questions)  # a question that cannot be asked fails alone
        return list(self._together(asked, k, where))
