"""LangChain: the home as a retriever, and as a runnable that answers.

from selfstudy.apps.langchain import SelfstudyRetriever, answering

retriever = SelfstudyRetriever(engine=Engine.open(Path("home")), k=5)
retriever.invoke("How long is the warranty?")           # Documents with their ids, scores and places
answering(engine).invoke("How long is the warranty?")   # an Answer with citations
"""

from __future__ import annotations

from typing import Any

from selfstudy.core.plugs import extra
from selfstudy.core.records import Answer, Way
from selfstudy.recipes.engine import Engine

extra("langchain_core", "langchain")

from langchain_core.callbacks import CallbackManagerForRetrieverRun  # noqa: E402
from langchain_core.documents import Document  # noqa: E402
from langchain_core.retrievers import BaseRetriever  # noqa: E402
from langchain_core.runnables import Runnable, RunnableLambda  # noqa: E402
from pydantic import ConfigDict  # noqa: E402


class SelfstudyRetriever(BaseRetriever):
    """Finds passages as `Engine.search` does.

    A Document's metadata: `title`, `score`, `by`, and of its first place `document`, `start`, `end`.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    engine: Engine
    k: int = 10
    by: Way = "hybrid"
    where: str | None = None

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun, **_: Any) -> list[Document]:
        found = []
        for hit in self.engine.search(query, self.k, self.by, self.where):
            place = hit.passage.places[0]
            about = {"document": place.document, "start": place.start, "end": place.end}
            told = {"title": hit.passage.called, "score": hit.score, "by": hit.by} | about
            found.append(Document(id=hit.passage.id, page_content=hit.passage.text, metadata=told))
        return found


def answering(engine: Engine, **asked: Any) -> Runnable[str, Answer]:
    """A runnable from a question to its Answer; `asked` goes to `Engine.ask` (where, mode, ...)."""

    def ask(question: str) -> Answer:
        return engine.ask(question, **asked)

    return RunnableLambda(ask, name="selfstudy")
