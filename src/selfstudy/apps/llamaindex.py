"""LlamaIndex: the home as a retriever, and as a query engine that answers.

from selfstudy.apps.llamaindex import SelfstudyQueryEngine, SelfstudyRetriever

SelfstudyQueryEngine(Engine.open(Path("home"))).query("How long is the warranty?")   # a Response whose source_nodes are what it cites
"""

from __future__ import annotations

import asyncio
from typing import Any

from selfstudy.core.plugs import extra
from selfstudy.core.records import Hit
from selfstudy.recipes.engine import Engine

extra("llama_index.core", "llamaindex")

from llama_index.core.base.base_query_engine import BaseQueryEngine  # noqa: E402
from llama_index.core.base.base_retriever import BaseRetriever  # noqa: E402
from llama_index.core.base.response.schema import Response  # noqa: E402
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode  # noqa: E402


def node_of(hit: Hit) -> NodeWithScore:
    """A passage as a node with its title, document and span as metadata."""
    place = hit.passage.places[0]
    about = {"title": hit.passage.called, "document": place.document, "start": place.start, "end": place.end, "by": hit.by}
    return NodeWithScore(node=TextNode(id_=hit.passage.id, text=hit.passage.text, metadata=about), score=hit.score)


class SelfstudyRetriever(BaseRetriever):
    """Finds passages as `Engine.search` does; `searched` goes to it (by, where, ...)."""

    def __init__(self, engine: Engine, k: int = 10, **searched: Any) -> None:
        super().__init__()
        self._engine, self._k, self._searched = engine, k, searched

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [node_of(hit) for hit in self._engine.search(query_bundle.query_str, self._k, **self._searched)]


class SelfstudyQueryEngine(BaseQueryEngine):
    """Answers as `Engine.ask` does. The Response's `source_nodes` are the passages that it cites, its metadata the whole Answer as data."""

    def __init__(self, engine: Engine, **asked: Any) -> None:
        super().__init__(callback_manager=None)
        self._engine, self._asked = engine, asked

    def _query(self, query_bundle: QueryBundle) -> Response:
        answer = self._engine.ask(query_bundle.query_str, **self._asked)
        cited = {citation.passage for citation in answer.citations}
        nodes = [node_of(hit) for hit in answer.hits if hit.passage.id in cited]
        return Response(response=answer.text, source_nodes=nodes, metadata=answer.json())

    async def _aquery(self, query_bundle: QueryBundle) -> Response:
        return await asyncio.to_thread(self._query, query_bundle)

    def _get_prompt_modules(self) -> dict[str, Any]:
        return {}
