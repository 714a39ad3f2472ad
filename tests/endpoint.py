"""A real HTTP server on loopback that speaks OpenAI's protocol and can misbehave on purpose: no endpoint can be reached from a test."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from selfstudy.models.api import Api, Meter
from selfstudy.models.api import Endpoint as Client
from selfstudy.models.openai import OpenAI
from selfstudy.models.replies import Replies

Body = dict[str, Any]
Script = Callable[[Body, int], "Answer | str"]
"""Called with the request's body and how many requests came before; a str is the content of a good reply."""


def free_port() -> int:
    """A port of loopback that nobody listens at, for a process that is told where to."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Answer:
    """A reply as it goes over the wire. `cut` ends the connection in the middle, `drip` sends a byte each so many seconds."""

    def __init__(self, body: Any, status: int = 200, headers: dict[str, str] | None = None, cut: bool = False, drip: float = 0.0) -> None:
        self.raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.status = status
        self.headers = headers or {}
        self.cut = cut
        self.drip = drip


def completion(content: str | None, model: str = "test-model", **more: Any) -> Body:
    """The body of a good reply; `more` goes into its choice."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}} | more
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    return {"id": "c", "object": "chat.completion", "created": 0, "model": model, "choices": [choice], "usage": usage}


class Endpoint:
    """The running server: its URL and every body that it was sent."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.bodies: list[Body] = []
        self.keys: list[str | None] = []
        self.under_way = self.most_under_way = 0
        self.lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with outer.lock:
                    place = len(outer.bodies)
                    outer.bodies.append(body)
                    outer.keys.append(self.headers.get("Authorization"))
                    outer.under_way += 1
                    outer.most_under_way = max(outer.most_under_way, outer.under_way)
                try:
                    answer = outer.script(body, place)
                finally:
                    with outer.lock:  # before the reply goes out: whoever has it may ask again at once
                        outer.under_way -= 1
                with suppress(BrokenPipeError, ConnectionResetError):  # the client gave up, as some tests want it to
                    self.send(Answer(completion(answer)) if isinstance(answer, str) else answer)

            def send(self, answer: Answer) -> None:
                self.send_response(answer.status)
                for name, value in ({"Content-Type": "application/json", "Content-Length": str(len(answer.raw))} | answer.headers).items():
                    self.send_header(name, value)
                self.end_headers()
                if answer.cut:
                    self.wfile.write(answer.raw[: len(answer.raw) // 2])
                    self.close_connection = True
                elif answer.drip:
                    for byte in answer.raw:
                        self.wfile.write(bytes([byte]))
                        self.wfile.flush()
                        time.sleep(answer.drip)
                else:
                    self.wfile.write(answer.raw)

            def log_message(self, format: str, *args: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"


@contextmanager
def serving(script: Script) -> Iterator[Endpoint]:
    """An endpoint for the length of the block."""
    endpoint = Endpoint(script)
    thread = threading.Thread(target=endpoint.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield endpoint
    finally:
        endpoint.server.shutdown()
        endpoint.server.server_close()
        thread.join()


def llm(url: str, folder: Path | None = None, meter: Meter | None = None) -> OpenAI:
    """A model behind `url`, asked once for each reply; what it says is kept in `folder`."""
    api = Api(base_url=url, key=SecretStr("sk-test-only-1234"), retries=0, timeout=5, deadline=10)
    return OpenAI("m", Client(api, Path("/nowhere")), Replies(folder) if folder else None, meter)
