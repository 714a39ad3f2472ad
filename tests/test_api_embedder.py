"""Embedders behind HTTP, and how their user's retriever learns: a head on vectors that nobody here can change, gated like any model."""

from __future__ import annotations

import json
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from endpoint import Answer, Body, serving
from pydantic import SecretStr

from selfstudy.core.errors import BadModel, HomeError, Stopped
from selfstudy.core.ports import Embedder
from selfstudy.evals import guard
from selfstudy.evals.stdlib import modules
from selfstudy.models.api import Api, Endpoint, Meter
from selfstudy.models.openai_embedder import OpenAIEmbedder
from selfstudy.recipes import study
from selfstudy.recipes.engine import Engine


def vector(text: str) -> list[float]:
    """Words hashed into 48 dimensions: texts that share words are near."""
    made = np.full(48, 0.05)
    for word in text.lower().split():
        made[zlib.crc32(word.encode()) % 48] += 1.0
    return [float(value) for value in 3 * made]  # not of unit length, as some endpoints give them


def embeddings(body: Body, place: int) -> Answer:
    rows = [{"object": "embedding", "index": at, "embedding": vector(text)} for at, text in enumerate(body["input"])]
    return Answer({"object": "list", "model": body["model"], "data": rows[::-1], "usage": {"prompt_tokens": len(rows), "total_tokens": 0}})


def embedder(url: str, cache: Path | None = None, meter: Meter | None = None) -> OpenAIEmbedder:
    return OpenAIEmbedder("vectors", Endpoint(Api(base_url=url, key=SecretStr("any"), retries=1)), cache, meter)


def test_vectors_are_in_order_of_unit_length_and_asked_for_once(tmp_path: Path) -> None:
    texts = [f"text number {n} of many" for n in range(150)] + ["text number 3 of many", ""]
    with serving(embeddings) as endpoint:
        first = embedder(endpoint.url, tmp_path)
        vectors = first.embed(texts)
        assert isinstance(first, Embedder)
        assert first.dim == 48
        assert sum(len(body["input"]) for body in endpoint.bodies) == 152, "one for each text that differs, and one to know the dimensions"
        wanted = np.array([vector(text or " ") for text in texts], np.float32)
        assert np.allclose(vectors, wanted / np.linalg.norm(wanted, axis=1, keepdims=True), atol=1e-6)
        calls = len(endpoint.bodies)
        again = embedder(endpoint.url, tmp_path).embed(["new", *texts])
        assert np.array_equal(again[1:], vectors)
        assert [body["input"] for body in endpoint.bodies[calls:]] == [["new"]]


@pytest.mark.parametrize(
    "answer",
    [
        Answer({"object": "list", "model": "m", "data": []}),
        Answer({"object": "list", "model": "m", "data": [{"index": 0, "embedding": [0.0, 0.0]}]}),
        Answer({"object": "list", "model": "m", "data": [{"index": 0, "embedding": "text"}]}),
        Answer({"object": "chat.completion"}),
        Answer({"error": {"message": "no such model"}}, 404),
    ],
    ids=["none", "zero", "text", "chat", "404"],
)
def test_what_is_no_vector_is_said(answer: Answer, tmp_path: Path) -> None:
    with serving(lambda body, place: answer) as endpoint:
        with pytest.raises(BadModel):
            embedder(endpoint.url, tmp_path).embed(["a"])
        endpoint.script = embeddings
        assert embedder(endpoint.url, tmp_path).embed(["a"]).shape == (1, 48)


@pytest.mark.parametrize(
    ("answer", "kind", "told"),
    [
        (Answer({"error": {"message": "slow down"}}, 429), Stopped, "stayed too busy"),
        (Answer({"error": {"message": "no more", "code": "insufficient_quota"}}, 429), Stopped, "quota is used up"),
        (Answer({"error": {"message": "no money"}}, 402), Stopped, "quota is used up"),
        (Answer({"error": {"message": "oops"}}, 503), Stopped, "endpoint failed .503."),
        (Answer(b"{" + b" " * 200, drip=0.05), Stopped, "no whole reply within 0.5 s"),
        (Answer(b"<html>welcome</html>", headers={"Content-Type": "text/html"}), BadModel, "by the protocol"),
        (Answer(b"[" * 100_000), BadModel, "by the protocol"),
    ],
    ids=["429", "quota", "402", "503", "deadline", "web page", "deep"],
)
def test_what_may_go_through_later_is_told_apart(answer: Answer, kind: type[Exception], told: str) -> None:
    with serving(lambda body, place: answer) as endpoint, pytest.raises(kind, match=told):
        OpenAIEmbedder("vectors", Endpoint(Api(base_url=endpoint.url, key=SecretStr("any"), retries=0, deadline=0.5))).embed(["a"])


def test_another_model_behind_the_name_is_told_and_not_kept(tmp_path: Path) -> None:
    def wider(body: Body, place: int) -> Answer:
        rows = [{"object": "embedding", "index": at, "embedding": [1.0] * 64} for at in range(len(body["input"]))]
        return Answer({"object": "list", "model": "other", "data": rows})

    with serving(embeddings) as endpoint:
        assert embedder(endpoint.url, tmp_path).dim == 48
        embedder(endpoint.url, tmp_path).embed(["a"])
        endpoint.script = wider
        for texts in (["a", "b"], ["b"]):
            with pytest.raises(BadModel, match="64 dimensions for 'vectors', and gave 48 before"):
                embedder(endpoint.url, tmp_path).embed(texts)
        endpoint.script = embeddings
        assert embedder(endpoint.url, tmp_path).embed(["a", "b"]).shape == (2, 48)


def test_vectors_without_usage_are_counted_by_their_texts(tmp_path: Path) -> None:
    def silent(body: Body, place: int) -> Answer:
        return Answer({"object": "list", "model": "m", "data": [{"index": 0, "embedding": [1.0, 2.0]}]})

    meter = Meter()
    with serving(silent) as endpoint:
        embedder(endpoint.url, None, meter).embed(["twelve signs"])
    assert (meter.prompt_tokens, meter.estimated) == (3, {"vectors"})


def test_damaged_vectors_are_told(tmp_path: Path) -> None:
    (tmp_path / "vectors.sqlite").write_bytes(b"A" * 8192)
    with serving(embeddings) as endpoint, pytest.raises(HomeError, match=r"(?s)cannot be used.*Move vectors.sqlite away"):
        embedder(endpoint.url, tmp_path).embed(["a"])


def test_the_retriever_of_an_api_learns_by_a_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"calendar", "configparser", "csv", "logging", "mailbox", "shutil", "tarfile", "turtle"}
    found = [(m.name, one) for m in modules() if m.name in names for one in m.members if 25 <= len(one.doc.split()) <= 80][:150]
    docs = tmp_path / "corpus.jsonl"
    docs.write_text("\n".join(json.dumps({"_id": f"{name}.{one.name}", "title": one.name, "text": one.doc}) for name, one in found))
    whole, truly = guard.embed, study.judge
    monkeypatch.setattr(guard, "embed", lambda model, progress: whole(model, progress, 60))
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    judged: list[Any] = []

    def judge(*args: Any, **kwargs: Any) -> Any:
        from dataclasses import replace

        judged.append(truly(*args, **kwargs))
        return replace(judged[-1], promote=True)  # that it judges truly is tested elsewhere; here is too little text to prove a gain

    monkeypatch.setattr(study, "judge", judge)
    with serving(embeddings) as endpoint:
        monkeypatch.setenv("OPENAI_BASE_URL", endpoint.url)
        engine = Engine.open(tmp_path / "home", create=True, sets=["embedder=openai:vectors", "head.steps=60", "reranker.on=false"])
        texts = 6 * engine.add([docs]).passages  # six questions a passage at most
        before = len(endpoint.bodies)
        priced = ["api.prices={'vectors'={input=20.0,output=0.0}}"]
        plan = Engine.open(tmp_path / "home", sets=["embedder=openai:vectors", "head.steps=60", "reranker.on=false", *priced]).plan()
        costs = [(one.stage, one.calls, one.tokens, one.money) for one in plan if one.calls]
        assert [cost[0] for cost in costs] == ["synth.round_trip", "study.guard_vectors", "study.calibration"]
        assert costs[0][1:3] == (math.ceil(texts / 64), texts * 16)
        assert costs[0][3] == pytest.approx(texts * 16 / 1e6 * 20)
        assert len(endpoint.bodies) == before, "a plan asks nothing"
        assert engine.adapt().promoted
        live = engine.loaded.embedder(engine.live.embedder)
        base = engine.loaded.embedder("openai:vectors")
        cosine = float((live.embed(["How is a log opened?"]) * base.embed(["How is a log opened?"])).sum())
        assert 0.3 < cosine < 0.99999
        assert live.fingerprint == engine.live.fingerprint != base.fingerprint
        asked = len(endpoint.bodies)
        again = Engine.open(tmp_path / "home", sets=["embedder=openai:vectors", "head.steps=60", "reranker.on=false"])
        again.adapt()
        assert again.search("How is a log opened?", 3, "dense")
        assert len(endpoint.bodies) == asked, "everything that was paid for is kept"
        assert len(judged) == 1


def test_a_budget_stops_the_embedding_and_what_was_paid_for_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"_id": f"d{n}", "title": "", "text": f"The mill of valley {n} was built in {1700 + n}."} for n in range(200)]
    (tmp_path / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)))
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    with serving(embeddings) as endpoint:
        monkeypatch.setenv("OPENAI_BASE_URL", endpoint.url)
        with pytest.raises(Stopped, match="budget of 2 calls"):
            Engine.open(tmp_path / "home", create=True, sets=["embedder=openai:vectors", "budget.calls=2"]).add([tmp_path / "corpus.jsonl"])
        assert len(endpoint.bodies) == 2
        Engine.open(tmp_path / "home", sets=["embedder=openai:vectors"]).add([tmp_path / "corpus.jsonl"])
        assert sum(len(body["input"]) for body in endpoint.bodies) == 200, "nothing is paid for twice"
