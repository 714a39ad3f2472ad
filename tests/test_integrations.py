"""The home inside LangChain and LlamaIndex, by their real packages."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from langchain_core.prompts import PromptTemplate
from langchain_core.runnables import RunnableLambda, RunnablePassthrough
from llama_index.core.schema import MetadataMode

from selfstudy.apps import langchain, llamaindex
from selfstudy.core.errors import BadInput
from selfstudy.recipes.engine import Engine

TEA = "How long is green tea brewed?"


@pytest.fixture
def engine(home: Path, plug: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.syspath_prepend(str(plug))
    return Engine.open(home, sets=["embedder=fake:64"])


def test_langchain_finds_what_the_engine_finds(engine: Engine) -> None:
    retriever = langchain.SelfstudyRetriever(engine=engine, k=2)
    found, own = retriever.invoke(TEA), engine.search(TEA, 2)
    assert [(one.id, one.page_content, one.metadata["score"]) for one in found] == [
        (hit.passage.id, hit.passage.text, hit.score) for hit in own
    ]
    place = own[0].passage.places[0]
    assert {name: found[0].metadata[name] for name in ("document", "start", "end")} == {
        "document": "tea.md", "start": place.start, "end": place.end
    }  # fmt: skip
    assert asyncio.run(retriever.ainvoke(TEA)) == found
    (only,) = langchain.SelfstudyRetriever(engine=engine, k=1, by="lexical", where="id = 'coffee.md'").invoke("espresso")
    assert only.metadata["document"] == "coffee.md"
    with pytest.raises(BadInput):
        langchain.SelfstudyRetriever(engine=engine, where="colour = 'red'").invoke(TEA)


def test_langchain_chains_both(engine: Engine) -> None:
    answer = langchain.answering(engine).invoke(TEA)
    assert answer == engine.ask(TEA)
    assert answer.citations[0].document == "tea.md"
    texts = RunnableLambda(lambda found: "\n".join(one.page_content for one in found))
    given = {"passages": langchain.SelfstudyRetriever(engine=engine, k=1) | texts, "question": RunnablePassthrough()}
    chain = given | PromptTemplate.from_template("{passages}\n\n{question}")
    assert chain.invoke(TEA).text == f"{engine.search(TEA, 1)[0].passage.text}\n\n{TEA}"


def test_llamaindex_finds_and_answers_as_the_engine_does(engine: Engine) -> None:
    nodes = llamaindex.SelfstudyRetriever(engine, k=2).retrieve(TEA)
    assert [(one.node.node_id, one.node.get_content(MetadataMode.NONE), one.score) for one in nodes] == [
        (hit.passage.id, hit.passage.text, hit.score) for hit in engine.search(TEA, 2)
    ]
    asking = llamaindex.SelfstudyQueryEngine(engine)
    reply, own = asking.query(TEA), engine.ask(TEA)
    assert str(reply) == own.text
    assert [node.node.metadata["document"] for node in reply.source_nodes] == ["tea.md"]
    assert reply.metadata == own.json()
    assert str(asyncio.run(asking.aquery(TEA))) == own.text
    refused = asking.query("Which vitamins does a pregnant giraffe need?")
    assert refused.metadata["abstained"]
    assert refused.source_nodes == []


def test_llamaindex_counts_nodes_as_the_text_does(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    own = engine.ask(TEA)
    first, second = (hit.passage for hit in engine.search("tea espresso", 2))
    cited = [replace(own.citations[0], number=number, passage=id) for number, id in enumerate((second.id, first.id, second.id, "gone"), 1)]
    told = replace(own, citations=tuple(cited), hits=tuple(engine.search("tea espresso", 2)))
    monkeypatch.setattr(Engine, "ask", lambda *_, **__: told)
    nodes = llamaindex.SelfstudyQueryEngine(engine).query(TEA).source_nodes
    assert [node.node.node_id for node in nodes] == [one.passage for one in cited]
    assert nodes[-1].node.get_content(MetadataMode.NONE) == cited[-1].quote
