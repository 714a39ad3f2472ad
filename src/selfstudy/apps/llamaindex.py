"""LlamaIndex: the home as a retriever, and as a query engine that answers.

from selfstudy.apps.llamaindex import SelfstudyQueryEngine, SelfstudyRetriever

SelfstudyQueryEngine(Engine.open(Path("home"))).query("How long is the warranty?")   # a Response whose source_nodes are what it cites
"""

from __future__ import annotations

import asyncio
from typing import Any

from selfstudy.core.plugs import extra
from selfstudy.core.records import Answer, Citation, Hit
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


def cited_by(answer: Answer) -> list[NodeWithScore]:
    """A node for each citation, in the order of their numbers: `[n]` in the text is the node n - 1, also where a passage is cited twice."""
    hits = {hit.passage.id: hit for hit in answer.hits}
    return [node_of(hits[one.passage]) if one.passage in hits else _quoted(one) for one in answer.citations]


def _quoted(one: Citation) -> NodeWithScore:
    about = {"title": one.title, "document": one.document, "start": one.start, "end": one.end}
    return NodeWithScore(node=TextNode(id_=one.passage, text=one.quote, metadata=about))


class SelfstudyRetriever(BaseRetriever):
    """Finds passages as `Engine.search` does; `searched` goes to it (by, where, ...)."""

    def __init__(self, engine: Engine, k: int = 10, **searched: Any) -> None:
        super().__init__()
        self._engine, self._k, self._searched = engine, k, searched

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [node_of(hit) for hit in self._engine.search(query_bundle.query_str, self._k, **self._searched)]


class SelfstudyQueryEngine(BaseQueryEngine):
    """Answers as `Engine.ask` does. The Response's `source_nodes` are what it cites (`cited_by`), its metadata the whole Answer as data."""

    def __init__(self, engine: Engine, **asked: Any) -> None:
        super().__init__(callback_manager=None)
        self._engine, self._asked = engine, asked

    def _query(self, query_bundle: QueryBundle) -> Response:
        answer = self._engine.ask(query_bundle.query_str, **self._asked)
        return Response(response=answer.text, source_nodes=cited_by(answer), metadata=answer.json())

    async def _aquery(self, query_bundle: QueryBundle) -> Response:
        return await asyncio.to_thread(self._query, query_bundle)

    def _get_prompt_modules(self) -> dict[str, Any]:
        return {}
