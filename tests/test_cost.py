"""What an answer cost, as its reply, the log and spans tell it; and that none of them tells what was asked."""

from __future__ import annotations

import gzip
import json
import logging
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import endpoint
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from service import filled, serving

from selfstudy.apps.server import cost
from selfstudy.apps.server.cost import Clock
from selfstudy.apps.server.log_format import Lines
from selfstudy.models.api import Meter

RESET = "Who may reset the pump?"


@pytest.fixture(scope="module")
def exported() -> InMemorySpanExporter:
    """Everything that this process traces from here on."""
    found = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(found))
    trace.set_tracer_provider(provider)
    return found


def test_each_stage_counts_its_own_time_and_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [10.0]
    monkeypatch.setattr(cost.time, "perf_counter", lambda: now[0])
    clock = Clock(9.5)
    other = Meter()
    with clock.stage("answer"):
        now[0] += 1.0
        with clock.stage("search"):
            now[0] += 2.0
        with clock.stage("search"):
            now[0] += 0.25
        other.count("m", "m", 7, 3)
        now[0] += 0.5
    other.count("m", "m", 100, 100)
    found = clock.cost()
    assert found.ms == {"wait": 500.0, "search": 2250.0, "answer": 1500.0}
    assert (found.prompt_tokens, found.completion_tokens) == (7, 3)


def test_an_answer_says_what_it_cost_and_the_log_and_spans_do(
    plug: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, exported: InMemorySpanExporter
) -> None:
    monkeypatch.syspath_prepend(str(plug))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-only-1234")
    with endpoint.serving(lambda body, place: "Only the site engineer may reset the pump. [1]") as model:
        sets = ("embedder=fake:64", "llm=openai:m", f"api.base_url={model.url}", "judged.on=false")
        with serving(tmp_path / "home", sets=sets) as server, caplog.at_level("INFO", "selfstudy.service"):
            filled(server)
            asked = {"model": "selfstudy", "messages": [{"role": "user", "content": RESET}]}
            found = server.post("/v1/chat/completions", asked).json
            calls = len(model.bodies)
            kept = server.post("/ask", {"question": RESET}).json["cost"]
    assert calls > 0
    assert found["usage"] == {"prompt_tokens": 7 * calls, "completion_tokens": 3 * calls, "total_tokens": 10 * calls}
    assert set(found["cost"]["ms"]) == {"wait", "search", "answer", "note"}
    assert all(value >= 0 for value in found["cost"]["ms"].values())
    assert (kept["prompt_tokens"], kept["completion_tokens"]) == (0, 0), "what was answered before costs nothing"
    (line,) = [told for record in caplog.records if (told := json.loads(record.message)).get("answer") == found["answer_id"]]
    assert line["prompt_tokens"] == 7 * calls
    spans = {span.name: span for span in exported.get_finished_spans()}
    assert spans["search"].parent.span_id == spans["answer"].context.span_id
    assert spans["answer"].parent.span_id == spans["POST /ask"].context.span_id
    assert spans["POST /ask"].attributes["http.response.status_code"] == 200
    told = "".join(span.to_json() for span in exported.get_finished_spans())
    assert "pump" not in told
    assert "pump" not in caplog.text


def test_the_log_is_an_object_a_line() -> None:
    def line(message: str, *args: Any, **more: Any) -> Any:
        text = Lines().format(logging.LogRecord("selfstudy.service", logging.INFO, "x.py", 1, message, args, **more))
        assert "\n" not in text
        return json.loads(text)

    assert line("%s", '{"route": "/ask", "ms": 3}', exc_info=None) | {"time": ""} == {
        "time": "", "level": "INFO", "logger": "selfstudy.service", "route": "/ask", "ms": 3
    }  # fmt: skip
    assert line("started %s", "ü\n", exc_info=None)["message"] == "started ü\n"
    try:
        raise ValueError("no")
    except ValueError:
        assert line("bad", exc_info=sys.exc_info())["trace"].endswith("ValueError: no")


@pytest.fixture
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """A collector on loopback: its address, and what it was sent."""
    got: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1/traces", got
    server.shutdown()
    thread.join()
    server.server_close()


def test_spans_reach_a_collector(collector: tuple[str, list[bytes]], monkeypatch: pytest.MonkeyPatch) -> None:
    from selfstudy.apps.server.spans import send_to

    address, got = collector
    monkeypatch.setattr(trace, "set_tracer_provider", lambda provider: None)  # a process has one, and this one has it already
    provider = send_to(address)
    with provider.get_tracer("x").start_as_current_span("POST /ask"):
        pass
    provider.shutdown()
    (sent,) = got
    assert b"POST /ask" in (gzip.decompress(sent) if sent.startswith(b"\x1f\x8b") else sent)
