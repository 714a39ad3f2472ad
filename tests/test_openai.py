"""LLMs behind HTTP: good replies, every way in which an endpoint misbehaves, what is kept, what it costs."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
import tiny
from endpoint import Answer, Body, Script, completion, free_port, serving
from pydantic import SecretStr

from selfstudy.core.errors import BadModel, HomeError, Stopped
from selfstudy.core.ports import LLM
from selfstudy.core.records import Message, Reply
from selfstudy.models import openai
from selfstudy.models.api import Api, Budget, Endpoint, Meter, Price
from selfstudy.models.hf import HF
from selfstudy.models.openai import OpenAI, seconds
from selfstudy.models.replies import Replies
from selfstudy.models.structured import value_of

KEY = "sk-verysecret123456"
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}


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


def test_that_an_endpoint_is_asked_again_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    busy = Answer({"error": {"message": "slow down"}}, 429, {"retry-after-ms": "5"})
    with serving(lambda body, place: busy if place < 2 or place == 3 else echo(body, place)) as endpoint:
        model = llm(endpoint.url)
        assert [reply.text for reply in model.chat(ask("a", "b"))] == ["you said a", "you said b"]
    assert caplog.messages == ["127.0.0.1 did not answer as it should; asking again."]
    assert (model.meter.retries, model.meter.calls) == (3, 5)


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


def test_a_model_that_thinks_first_is_cut_off_unless_it_is_given_more_tokens(tmp_path: Path) -> None:
    def thinking(body: Body, place: int) -> Answer | str:
        return echo(body, place) if body["max_tokens"] >= 600 else Answer(completion("<think>Hm, so", finish_reason="length"))

    with serving(thinking) as endpoint:
        (reply,) = llm(endpoint.url, Replies(tmp_path)).chat(ask("a"), max_tokens=400)
        assert (reply.text, reply.cut, reply.transient) == ("", True, False)
        assert "cut off at 400 tokens" in reply.fault
        assert "api.thinking" in reply.fault
        assert len(endpoint.bodies) == 1, "the same limit cuts off the same thoughts"
        patient = llm(endpoint.url, Replies(tmp_path), thinking=300)
        assert [one.text for one in patient.chat(ask("a"), max_tokens=400)] == ["you said a"]
        assert endpoint.bodies[-1]["max_tokens"] == 700
        plain = llm(endpoint.url)
        assert plain.fingerprint != patient.fingerprint, "what was cut off is asked anew"
        assert plain.fingerprint == llm(endpoint.url, thinking=0).fingerprint


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer({"error": {"message": f"Incorrect API key provided: {KEY}"}}, 401), "does not accept the key"),
        (Answer({"error": {"message": "no such model"}}, 404), "does not know"),
        (Answer({"error": {"message": "bad", "code": "model_not_found"}}, 400), "refuses the request"),
        (Answer({"error": {"message": "test-model is not a valid model ID"}}, 400), "refuses the request"),
        (Answer({"error": {"message": "bad", "param": "n", "code": "unknown_parameter"}}, 422), "refuses the request"),
    ],
    ids=["401", "404", "no such model", "no such model in words", "a parameter of every call"],
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


def test_calls_side_by_side_do_not_overshoot_a_budget_together() -> None:
    def slow(body: Body, place: int) -> str:
        time.sleep(0.0 if place == 0 else 0.3)
        return echo(body, place)

    with serving(slow) as endpoint:
        meter = Meter(Budget(tokens=35))  # each call takes 10
        with pytest.raises(Stopped, match="budget of 35 tokens"):
            llm(endpoint.url, meter=meter, concurrency=8).chat(ask(*"abcdefghijklmnop"))
    assert (len(endpoint.bodies), meter.prompt_tokens + meter.completion_tokens) == (4, 40)


def test_the_new_tries_of_the_package_are_calls_that_a_budget_counts() -> None:
    with serving(lambda body, place: Answer({}, 500, {"retry-after-ms": "1"}) if place % 2 == 0 else echo(body, place)) as endpoint:
        meter = Meter(Budget(calls=5))
        with pytest.raises(Stopped, match="budget of 5 calls"):
            llm(endpoint.url, meter=meter, concurrency=1).chat(ask(*"abcdefgh"))
    assert meter.calls == len(endpoint.bodies) == 6  # three conversations, each asked twice; the last began within the budget


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


def refused(said: str, status: int = 400, **more: str) -> Answer:
    return Answer({"error": {"message": said} | more}, status)


@pytest.mark.parametrize(
    ("said", "more"),
    [
        ("This model's maximum context length is 4096 tokens", {"code": "context_length_exceeded"}),
        ("filtered by the content policy", {"code": "content_filter"}),
        ("'system' is not supported with this model", {"code": "unsupported_value", "param": "messages[0].role"}),
    ],
    ids=["length", "filter", "role"],
)
def test_a_refusal_of_the_first_conversation_is_a_fault_of_its_own(said: str, more: dict[str, str]) -> None:
    def script(body: Body, place: int) -> Answer | str:
        return refused(said, **more) if body["messages"][-1]["content"] == "a" else echo(body, place)

    with serving(script) as endpoint:
        replies = llm(endpoint.url).chat(ask("a", "b", "c"))
    assert [reply.text for reply in replies] == ["", "you said b", "you said c"]
    assert replies[0].fault.startswith("refused")
    assert not replies[0].transient


def test_where_every_conversation_is_refused_nothing_can_be_answered() -> None:
    with serving(lambda body, place: refused("bad")) as endpoint:
        model = llm(endpoint.url, concurrency=2)
        for text in "abcdefg":
            assert model.chat(ask(text, text))[0].fault.startswith("refused")
        assert model.chat(ask("a"))[0].fault, "the same one again says nothing new"
        with pytest.raises(BadModel, match="refuses the request"):
            model.chat(ask(*(f"another {n}" for n in range(100))))
        assert len(endpoint.bodies) <= 7 + 1 + 2


@pytest.mark.parametrize("status", [400, 422])
def test_parameters_that_an_endpoint_does_not_take_are_left_out_from_then_on(status: int) -> None:
    def script(body: Body, place: int) -> Answer | str:
        if "max_tokens" in body:
            told = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
            return refused(told, status, code="unsupported_parameter")
        if "temperature" in body:
            told = "Unsupported value: 'temperature' does not support 0.0 with this model. Only the default (1) value is supported."
            return refused(told, status, code="unsupported_value")
        return refused("logprobs are not supported", status) if "logprobs" in body else echo(body, place)

    with serving(script) as endpoint:
        model = llm(endpoint.url)
        replies = model.chat(ask("a", "b", "c"), logprobs=2, max_tokens=77)
        assert [reply.text for reply in replies] == ["you said a", "you said b", "you said c"]
        assert len(endpoint.bodies) == 3 + 3, "each was learned once"
        model.chat(ask("d"))
    assert endpoint.bodies[-2]["max_completion_tokens"] == 77
    assert {"max_tokens", "temperature", "logprobs"}.isdisjoint(endpoint.bodies[-1])


def test_an_endpoint_that_refuses_structured_output_with_422_is_told_in_words() -> None:
    def script(body: Body, place: int) -> Answer | str:
        return Answer({"detail": "extra fields not permitted: response_format"}, 422) if "response_format" in body else '{"n": 4}'

    with serving(script) as endpoint:
        replies = llm(endpoint.url).chat(ask("a", "b"), schema=SCHEMA)
    assert [(reply.data, reply.fault) for reply in replies] == [({"n": 4}, "")] * 2
    assert ["response_format" in body for body in endpoint.bodies] == [True, False, False]


def test_an_endpoint_that_ignores_structured_output_is_shown_the_schema() -> None:
    def script(body: Body, place: int) -> str:
        return '{"n": 1}' if any("JSON schema" in message["content"] for message in body["messages"]) else "The number is one."

    with serving(script) as endpoint:
        model = llm(endpoint.url)
        replies = [model.chat(ask(text), schema=SCHEMA)[0] for text in "abc"]
    assert [(reply.data, reply.fault) for reply in replies] == [({"n": 1}, "")] * 3
    assert len(endpoint.bodies) == 2 + 1 + 1, "from the second on it is told in words at once"


def test_structured_output_goes_on_after_one_conversation_was_refused() -> None:
    def script(body: Body, place: int) -> Answer | str:
        return refused("content filter") if body["messages"][-1]["content"] == "b" else '{"n": 1}'

    with serving(script) as endpoint:
        model = llm(endpoint.url)
        replies = [model.chat(ask(text), schema=SCHEMA)[0] for text in "abc"]
    assert [bool(reply.fault) for reply in replies] == [False, True, False]
    assert ["response_format" in body for body in endpoint.bodies] == [True, True, False, True]


def test_structured_output_goes_on_after_a_reply_that_was_cut_off() -> None:
    with serving(lambda body, place: Answer(completion('{"n": ', finish_reason="length")) if place == 0 else '{"n": 1}') as endpoint:
        model = llm(endpoint.url)
        replies = [model.chat(ask(text), schema=SCHEMA)[0] for text in "ab"]
    assert [reply.data for reply in replies] == [{"n": 1}] * 2
    assert all("response_format" in body for body in endpoint.bodies)


def test_an_empty_purse_stops_as_a_used_up_quota_does() -> None:
    with serving(lambda body, place: refused("Insufficient Balance", 402)) as endpoint, pytest.raises(Stopped, match="quota is used up"):
        llm(endpoint.url).chat(ask("a", "b"))
    assert len(endpoint.bodies) == 1


def with_usage(usage: Any) -> Answer:
    return Answer(completion("fine") | {"usage": usage})


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("[" * 5000, "nested too deeply"),
        (Answer(completion("x") | {"choices": {"a": 1}}), "not of the protocol"),
        (Answer(completion("x", logprobs={"content": [{"token": "a", "logprob": None}]})), "not of the protocol"),
        (with_usage({"prompt_tokens": "many"}), "no whole JSON"),
        (with_usage([]), "no whole JSON"),
    ],
    ids=["deep", "choices", "logprob", "usage of words", "usage of nothing"],
)
def test_a_body_of_another_shape_is_a_fault_of_its_reply(answer: Answer | str, told: str) -> None:
    with serving(lambda body, place: answer) as endpoint:
        (reply,) = llm(endpoint.url).chat(ask("a"), schema=SCHEMA, logprobs=1)
    assert told in reply.fault


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('As [1] says: {"n": 1}', 1),
        ('{"n": "two"} - no: {"n": 2} {"n": 3}', 2),
        ('{"n": 1', "no whole JSON"),
        ('[1] says {"n": "three hundred"}', "n: 'three hundred'"),
        ('{"n": [{"n": 1}]}', "n: "),
    ],
)
def test_the_first_value_that_fits_counts(text: str, found: int | str) -> None:
    if isinstance(found, int):
        assert value_of(text, SCHEMA) == {"n": found}
    else:
        with pytest.raises(ValueError, match=re.escape(found)):
            value_of(text, SCHEMA)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('<think>perhaps {"n": 1}?</think>\n{"n": 2}', '{"n": 2}'),
        ("I should be brief.\n</think>\n\nWeekly.", "Weekly."),
        ("<think>one</think>\n<think>two</think> Weekly.", "Weekly."),
        ("<think>cut in the mid", ""),
        ("The tags <think> and </think> enclose it.", "The tags <think> and </think> enclose it."),
    ],
)
def test_what_a_model_thought_is_not_what_it_said(text: str, said: str) -> None:
    with serving(lambda body, place: text) as endpoint:
        (reply,) = llm(endpoint.url).chat(ask("a"))
        assert reply.text == said
        assert bool(reply.fault) == (not said)
        assert llm(endpoint.url).chat(ask("a"), schema=SCHEMA)[0].data == ({"n": 2} if "n" in said[:3] else None)


def test_a_reply_that_was_cut_off_says_so_and_is_kept_so(tmp_path: Path) -> None:
    with serving(lambda body, place: Answer(completion("It is oiled every", finish_reason="length"))) as endpoint:
        (reply,) = llm(endpoint.url, Replies(tmp_path)).chat(ask("a"))
        (again,) = llm(endpoint.url, Replies(tmp_path)).chat(ask("a"))
    assert (reply.fault, reply.cut, again) == ("", True, reply)
    older = {name: value for name, value in reply.json().items() if name != "cut"}
    assert not Reply.load(older).cut


def test_equal_conversations_are_asked_once() -> None:
    seen: list[tuple[int, int]] = []
    with serving(echo) as endpoint:
        replies = llm(endpoint.url).chat(ask("a", "b", "a", "a"), progress=lambda done, total: seen.append((done, total)))
    assert [reply.text for reply in replies] == ["you said a", "you said b", "you said a", "you said a"]
    assert len(endpoint.bodies) == 2
    assert seen[-1] == (4, 4)


def test_where_no_usage_is_told_it_is_estimated_so_that_budgets_hold() -> None:
    with serving(lambda body, place: Answer({**completion("four words are said"), "usage": None})) as endpoint:
        meter = Meter(Budget(tokens=30), {"test-model": Price(input=1.0, output=1.0)})
        with pytest.raises(Stopped, match="budget of 30 tokens is used up after 3 calls"):
            llm(endpoint.url, meter=meter, concurrency=1).chat(ask(*(f"{n} weeks in all, 机油" for n in range(20))))
    assert (meter.prompt_tokens, meter.completion_tokens) == (3 * 6, 3 * 5)
    assert meter.money > 0
    assert meter.estimated == {"test-model"}


def test_a_key_that_cannot_be_sent_is_told() -> None:
    with pytest.raises(BadModel, match="holds characters that cannot be sent") as raised:
        OpenAI("m", Endpoint(Api(base_url="http://127.0.0.1:9/v1", key=SecretStr("密钥")))).chat(ask("a"))
    assert "密钥" not in str(raised.value)
    assert Endpoint(Api(key=SecretStr(f"{KEY}\n"))).client(Meter()).api_key == KEY


def test_a_web_page_where_the_protocol_should_be_is_told() -> None:
    page = Answer(b"<html>welcome</html>", headers={"Content-Type": "text/html"})
    with serving(lambda body, place: page) as endpoint, pytest.raises(BadModel, match=r"(?s)by the protocol.*end in /v1"):
        llm(endpoint.url).chat(ask("a", "b"))
    assert len(endpoint.bodies) == 3


def test_a_password_in_the_url_is_shown_nowhere() -> None:
    endpoint = Endpoint(Api(base_url="http://user:hunter2@127.0.0.1:9/v1", key=SecretStr(KEY), retries=0))
    assert endpoint.url == "http://127.0.0.1:9/v1"
    assert "hunter2" in str(endpoint.client(Meter()).base_url), "the endpoint itself gets it"
    with pytest.raises(BadModel, match="cannot be reached") as raised:
        OpenAI("m", endpoint).chat(ask("a"))
    assert "hunter2" not in str(raised.value)
    assert endpoint.clean("at http://user:hunter2@127.0.0.1:9/v1/chat") == "at http://127.0.0.1:9/v1/chat"


def test_a_key_is_shown_in_no_spelling_and_no_refusal() -> None:
    secret = "very/secret+abc=="
    refusal = {"role": "assistant", "content": None, "refusal": f"key {secret} is over its limit"}
    with serving(lambda body, place: Answer(completion(None, message=refusal))) as endpoint:
        url = f"{endpoint.url}?api-key=hidden123"
        shown = Endpoint(Api(base_url=url, key=SecretStr(secret)), Path("/nowhere"))
        (reply,) = OpenAI("m", shown).chat([[Message("user", "x")]])
    assert reply.fault == "refused: key [key] is over its limit"
    assert shown.url == f"{endpoint.url}?api-key=[key]"
    assert "secret" not in shown.clean(f"{quote(secret)} {quote(secret, safe='')} {quote_plus(secret)} {secret}")


def test_an_endpoint_that_answered_once_is_asked_all_at_once_from_then_on() -> None:
    together = threading.Barrier(3)

    def script(body: Body, place: int) -> str:
        if place:
            together.wait(5)
        return echo(body, place)

    with serving(script) as endpoint:
        model = llm(endpoint.url)
        model.chat(ask("first"))
        assert [reply.fault for reply in model.chat(ask("a", "b", "c"))] == ["", "", ""]


def test_an_endpoint_that_is_slow_is_not_called_unreachable() -> None:
    free = threading.Event()

    def script(body: Body, place: int) -> str:
        free.wait(10)
        return echo(body, place)

    with serving(script) as endpoint:
        with pytest.raises(BadModel, match=r"no reply within 0.2 s \(api.timeout\)") as raised:
            llm(endpoint.url, timeout=0.2, retries=0).chat(ask("x"))
        free.set()
    assert "cannot be reached" not in str(raised.value)
    assert "api.concurrency" in raised.value.mend


def test_a_damaged_store_of_replies_is_told(tmp_path: Path) -> None:
    kept = Replies(tmp_path)
    kept.put("a", Reply("said"))
    assert kept.get("a") == Reply("said")
    table = sqlite3.connect(tmp_path / "replies.sqlite", isolation_level=None)
    table.execute("UPDATE replies SET reply = 'no json'")
    assert kept.get("a") is None, "a reply that cannot be read is asked for again"
    table.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    table.close()
    file = tmp_path / "replies.sqlite"
    file.write_bytes(file.read_bytes()[:100] + b"A" * (file.stat().st_size - 100))
    with pytest.raises(HomeError, match=r"(?s)cannot be used.*Move replies.sqlite away"):
        Replies(tmp_path).get("a")
    with pytest.raises(HomeError, match="cannot be used"):
        Replies(tmp_path).put("b", Reply("said"))


def test_a_full_disk_is_told_where_replies_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = sqlite3.connect

    def small(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        made: sqlite3.Connection = whole(*args, **kwargs)
        made.execute("PRAGMA max_page_count=4")
        return made

    monkeypatch.setattr(sqlite3, "connect", small)
    kept = Replies(tmp_path)
    kept.put("a", Reply("said"))
    with pytest.raises(HomeError, match=r"(?s)disk is full.*Free some space"):
        kept.put("b", Reply("said" * 10_000))


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
    assert Endpoint(settings, tmp_path).client(Meter()).api_key == "from-file"
    assert Endpoint(settings, tmp_path).url == "http://file/v1"
    monkeypatch.setenv("OPENAI_API_KEY", "from-environment")
    assert Endpoint(settings, tmp_path).client(Meter()).api_key == "from-environment"
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
