"""LLMs behind HTTP: good replies, every way in which an endpoint misbehaves, what is kept, what it costs."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import tiny
from endpoint import Answer, Body, Script, completion, free_port, serving
from pydantic import SecretStr

from selfstudy.core.errors import BadModel, Stopped
from selfstudy.core.ports import LLM
from selfstudy.core.records import Message
from selfstudy.models import openai
from selfstudy.models.api import Api, Budget, Endpoint, Meter, Price
from selfstudy.models.hf import HF
from selfstudy.models.openai import OpenAI, seconds
from selfstudy.models.replies import Replies

KEY = "sk-verysecret123456"
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


def llm(url: str, replies: Replies | None = None, meter: Meter | None = None, **settings: Any) -> OpenAI:
    api = Api(base_url=url, key=SecretStr(KEY), **{"retries": 3, "timeout": 5.0, "deadline": 20.0, **settings})
    return OpenAI("test-model", Endpoint(api), replies, meter)


def ask(*texts: str) -> list[list[Message]]:
    return [[Message("user", text)] for text in texts]


def echo(body: Body, place: int) -> str:
    return "you said " + str(body["messages"][-1]["content"])


def test_replies_come_in_order_with_tokens_counted_and_few_at_once() -> None:
    def slow(body: Body, place: int) -> str:
        time.sleep(0.05 if place % 2 else 0.0)
        return echo(body, place)

    with serving(slow) as endpoint:
        model = llm(endpoint.url, concurrency=3)
        replies = model.chat(ask(*map(str, range(12))))
    assert [reply.text for reply in replies] == [f"you said {n}" for n in range(12)]
    assert {reply.fault for reply in replies} == {""}
    assert isinstance(model, LLM)
    assert 2 <= endpoint.most_under_way <= 3
    assert set(endpoint.keys) == {f"Bearer {KEY}"}
    assert (model.meter.calls, model.meter.prompt_tokens, model.meter.completion_tokens) == (12, 84, 36)


def test_what_was_answered_is_kept_and_asked_once(tmp_path: Path) -> None:
    with serving(echo) as endpoint:
        first = llm(endpoint.url, Replies(tmp_path))
        first.chat(ask("a", "b"))
        again = llm(endpoint.url, Replies(tmp_path))
        replies = again.chat(ask("b", "c", "a"))
        assert [reply.text for reply in replies] == ["you said b", "you said c", "you said a"]
        assert len(endpoint.bodies) == 3
        assert (again.meter.calls, again.meter.kept) == (1, 2)
        again.chat(ask("a"), temperature=0.7)
        assert len(endpoint.bodies) == 4, "another parameter is another question"
    assert KEY.encode() not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


@pytest.mark.parametrize(
    "fault",
    [
        Answer({"error": {"message": "slow down"}}, 429, {"retry-after-ms": "10"}),
        Answer({"error": {"message": "oops"}}, 500, {"retry-after-ms": "10"}),
        Answer(completion("never seen"), cut=True),
        Answer(b'{"choices": [{"mess'),
        Answer(completion("")),
        Answer(completion(None)),
        Answer({"object": "chat.completion", "choices": []}),
        Answer(b"<html>gateway</html>", headers={"Content-Type": "text/html"}),
    ],
    ids=["429", "500", "cut", "half JSON", "empty", "no content", "no choices", "html"],
)
def test_a_fault_that_passes_costs_one_more_call(fault: Answer) -> None:
    with serving(lambda body, place: fault if place == 1 else echo(body, place)) as endpoint:
        replies = llm(endpoint.url).chat(ask("a", "b"))
    assert [(reply.text, reply.fault) for reply in replies] == [("you said a", ""), ("you said b", "")]
    assert len(endpoint.bodies) == 3


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Answer({"error": {"message": "slow down"}}, 429, {"retry-after-ms": "5"}), "429"),
        (Answer({"error": {"message": "oops"}}, 503, {"retry-after-ms": "5"}), "503"),
        (Answer(completion("x"), cut=True), "connection broke"),
        (Answer(completion("")), "empty"),
        (Answer(completion(None, finish_reason="content_filter")), "refused"),
        (Answer({"error": {"message": "too long"}}, 400), "refused"),
        (Answer(completion("x" * 200), drip=0.05), "no whole reply within 2 s"),
    ],
    ids=["429", "503", "cut", "empty", "filter", "400", "drip"],
)
def test_a_fault_that_stays_is_told_and_costs_the_others_nothing(fault: Answer, told: str, tmp_path: Path) -> None:
    def script(body: Body, place: int) -> Answer | str:
        return fault if body["messages"][-1]["content"] == "b" else echo(body, place)

    with serving(script) as endpoint:
        replies = llm(endpoint.url, Replies(tmp_path), retries=1, deadline=2.0).chat(ask("a", "b", "c"))
        assert [bool(reply.fault) for reply in replies] == [False, True, False]
        assert told in replies[1].fault
        endpoint.script = echo
        assert llm(endpoint.url, Replies(tmp_path)).chat(ask("b"))[0].text == "you said b", "a fault is not kept"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer({"error": {"message": f"Incorrect API key provided: {KEY}"}}, 401), "does not accept the key"),
        (Answer({"error": {"message": "no such model"}}, 404), "does not know"),
        (Answer({"error": {"message": "bad"}}, 400), "refuses the request"),
    ],
    ids=["401", "404", "400"],
)
def test_an_endpoint_that_cannot_be_used_is_asked_once_and_the_key_stays_secret(answer: Answer, told: str) -> None:
    with serving(lambda body, place: answer) as endpoint, pytest.raises(BadModel, match=told) as raised:
        llm(endpoint.url).chat(ask(*"abcdefgh"))
    assert len(endpoint.bodies) == 1
    assert KEY not in str(raised.value)
    assert KEY not in repr(raised.value.__context__ and raised.value)


def test_nobody_there_and_no_key() -> None:
    with pytest.raises(BadModel, match="cannot be reached"):
        llm("http://127.0.0.1:9/v1", retries=0).chat(ask("a"))
    with pytest.raises(BadModel, match="no key"):
        OpenAI("m", Endpoint(Api(base_url="http://127.0.0.1:9/v1"))).chat(ask("a"))
    with pytest.raises(BadModel, match="names no model"):
        OpenAI(" ", Endpoint(Api()))


def test_a_used_up_quota_stops_and_what_was_answered_is_kept(tmp_path: Path) -> None:
    quota = Answer({"error": {"message": "no more", "code": "insufficient_quota"}}, 429, {"retry-after-ms": "5"})

    def script(body: Body, place: int) -> Answer | str:
        return quota if place >= 4 else echo(body, place)

    with serving(script) as endpoint:
        with pytest.raises(Stopped, match="quota"):
            llm(endpoint.url, Replies(tmp_path), concurrency=1, retries=0).chat(ask(*"abcdefgh"))
        endpoint.script = echo
        model = llm(endpoint.url, Replies(tmp_path))
        assert all(not reply.fault for reply in model.chat(ask(*"abcdefgh")))
        assert model.meter.kept == 4


def test_a_budget_stops_between_calls_and_the_next_run_goes_on(tmp_path: Path) -> None:
    with serving(echo) as endpoint:
        meter = Meter(Budget(calls=3))
        with pytest.raises(Stopped, match="budget of 3 calls"):
            llm(endpoint.url, Replies(tmp_path), meter, concurrency=2).chat(ask(*"abcdefgh"))
        assert len(endpoint.bodies) == 3
        model = llm(endpoint.url, Replies(tmp_path), Meter(Budget(calls=5)))
        assert len(model.chat(ask(*"abcdefgh"))) == 8
        assert (model.meter.calls, model.meter.kept) == (5, 3)
        priced = Meter(Budget(money=0.9), {"test-model": Price(input=100_000, output=100_000)})  # 1 for every call of 10 tokens
        with pytest.raises(Stopped, match=r"budget of 0.9 money is used up after 1 calls"):
            llm(endpoint.url, None, priced).chat(ask("x", "y"))
        assert priced.money == pytest.approx(1.0)
        assert Meter().begin() is None


def test_structured_output_is_checked_and_mended() -> None:
    def script(body: Body, place: int) -> str:
        if place == 0:
            assert body["response_format"]["json_schema"]["schema"] == SCHEMA
            return '```json\n{"n": "three"}\n```'
        assert "n: 'three' is not of type 'integer'" in body["messages"][-1]["content"]
        return 'Sorry! {"n": 3} it is.'

    with serving(script) as endpoint:
        (reply,) = llm(endpoint.url).chat(ask("count"), schema=SCHEMA)
    assert (reply.data, reply.fault) == ({"n": 3}, "")
    assert reply.prompt_tokens == 14, "both calls are counted"


def test_an_endpoint_without_structured_output_is_told_in_words() -> None:
    def script(body: Body, place: int) -> Answer | str:
        if "response_format" in body:
            return Answer({"error": {"message": "unknown field response_format"}}, 400)
        assert '"integer"' in body["messages"][0]["content"]
        return '{"n": 4}'

    with serving(script) as endpoint:
        replies = llm(endpoint.url).chat(ask("a", "b", "c"), schema=SCHEMA)
    assert [reply.data for reply in replies] == [{"n": 4}] * 3
    assert sum("response_format" in body for body in endpoint.bodies) == 1


@pytest.mark.parametrize("content", ["no json at all", '{"n": 1', '{"m": 1}', "[1]"])
def test_what_never_fits_the_schema_is_a_fault(content: str) -> None:
    with serving(lambda body, place: content) as endpoint:
        (reply,) = llm(endpoint.url).chat(ask("a"), schema=SCHEMA)
    assert reply.fault
    assert reply.data is None
    assert len(endpoint.bodies) == 3


def test_an_endpoint_that_lies_about_its_model_is_noted() -> None:
    with serving(lambda body, place: Answer(completion("hi", model="cheap-model"))) as endpoint:
        model = llm(endpoint.url)
        (reply,) = model.chat(ask("a"))
    assert reply.model == "cheap-model"
    assert model.meter.models == {"cheap-model": 1}


def test_log_probabilities() -> None:
    content = [{"token": "yes", "logprob": -0.1, "bytes": None, "top_logprobs": [
        {"token": "yes", "logprob": -0.1, "bytes": None}, {"token": "no", "logprob": -2.4, "bytes": None}]}]  # fmt: skip

    def script(body: Body, place: int) -> Answer:
        assert (body["logprobs"], body["top_logprobs"]) == (True, 2)
        return Answer(completion("yes", logprobs={"content": content, "refusal": None}))

    with serving(script) as endpoint:
        (reply,) = llm(endpoint.url).chat(ask("a"), logprobs=2)
    assert reply.tokens[0].top == {"yes": -0.1, "no": -2.4}


def test_rate_limit_headers_hold_back_what_would_be_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(round(seconds, 6))
        now[0] += seconds

    pace = openai.Pace(clock=lambda: now[0], sleep=sleep)
    pace.note({"x-ratelimit-remaining-requests": "5", "x-ratelimit-reset-requests": "1m"})
    asyncio.run(pace.wait())
    assert slept == []
    pace.note({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "300ms", "x-ratelimit-remaining-requests": "0"})
    asyncio.run(pace.wait())
    asyncio.run(pace.wait())
    assert slept == [0.3]
    assert [seconds(text) for text in ("20ms", "1s", "1m30s", "", "soon", "99h")] == [0.02, 1.0, 90.0, 0.0, 0.0, 120.0]


def test_stopping_keeps_what_is_under_way(tmp_path: Path) -> None:
    def progress(done: int, total: int) -> None:
        if done == 3:
            raise Stopped("Stopped.")

    with serving(echo) as endpoint:
        with pytest.raises(Stopped):
            llm(endpoint.url, Replies(tmp_path), concurrency=2).chat(ask(*"abcdefghijkl"), progress=progress)
        seen = len(endpoint.bodies)
        assert seen < 8
        model = llm(endpoint.url, Replies(tmp_path))
        model.chat(ask(*"abcdefghijkl"))
    assert model.meter.kept == seen


def test_the_key_comes_from_the_environment_or_a_file_and_is_shown_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("OPENAI_API_KEY='from-file'\nOPENAI_BASE_URL=http://file/v1/\n")
    settings = Api(base_url="http://config/v1", key=SecretStr(KEY))
    assert Endpoint(settings, tmp_path).client().api_key == "from-file"
    assert Endpoint(settings, tmp_path).url == "http://file/v1"
    monkeypatch.setenv("OPENAI_API_KEY", "from-environment")
    assert Endpoint(settings, tmp_path).client().api_key == "from-environment"
    assert KEY not in f"{settings!r} {settings.model_dump_json()} {settings.model_dump()}"
    assert Endpoint(settings).clean("your sk-abc***wxyz and from-environment") == "your [key] and [key]"


def test_inside_a_running_event_loop() -> None:
    async def notebook(url: str) -> str:
        return llm(url).chat(ask("a"))[0].text

    with serving(echo) as endpoint:
        assert asyncio.run(notebook(endpoint.url)) == "you said a"


def test_two_processes_may_share_what_is_kept(tmp_path: Path) -> None:
    one, two = Replies(tmp_path), Replies(tmp_path)
    script: Script = echo
    with serving(script) as endpoint:
        threads = [threading.Thread(target=llm(endpoint.url, kept).chat, args=(ask(*"abcdef"),)) for kept in (one, two)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        again = llm(endpoint.url, Replies(tmp_path))
        assert [reply.text for reply in again.chat(ask(*"abcdef"))] == [f"you said {letter}" for letter in "abcdef"]
        assert again.meter.calls == 0


@pytest.mark.slow
def test_a_server_of_transformers_over_a_model_made_here(tmp_path: Path) -> None:
    """A server that we did not write: `transformers serve`, as a process of its own."""
    folder = tiny.causal(tmp_path / "tiny", template=True)
    port = free_port()
    command = [str(Path(sys.executable).with_name("transformers")), "serve", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(command, env={**os.environ, "HF_HUB_OFFLINE": "1"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/health", server)
        api = Api(base_url=f"{url}/v1", key=SecretStr(KEY), retries=2, timeout=60.0, deadline=90.0)
        kept = Replies(tmp_path / "replies")
        model = OpenAI(str(folder), Endpoint(api), kept, Meter())
        replies = model.chat(ask("what is oiled?", "who oils it?"), max_tokens=5)
        again = model.chat(ask("what is oiled?", "who oils it?"), max_tokens=5)
    finally:
        server.terminate()
        server.wait(60)
    assert [reply.fault for reply in replies] == ["", ""]
    assert all(1 <= reply.completion_tokens <= 5 and reply.prompt_tokens > 3 for reply in replies)
    own = HF(str(folder)).chat(ask("what is oiled?", "who oils it?"), max_tokens=5)
    assert [reply.text for reply in replies] == [reply.text for reply in own], "what the model itself says"
    assert again == replies
    assert model.meter.calls == 2, "what was answered is asked once"


def wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.3)
    raise AssertionError("the server does not answer")
