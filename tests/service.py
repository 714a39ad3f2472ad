"""A real server of `selfstudy serve` on a free port of loopback, over a home with a fake embedder, and small ways to speak to it."""

from __future__ import annotations

import http.client
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn

from selfstudy.apps.server.app import make
from selfstudy.apps.server.settings import Serve
from selfstudy.apps.server.slow_clients import TimedProtocol

DOCS = {
    "pump.md": "# Pump manual\n\n## Warranty\n\nThe warranty of the pump runs for two years from the day of purchase.\n\n"
    "## Reset\n\nTo reset the pump, hold the red button for ten seconds. Only the site engineer may reset the pump.\n",
    "tea.md": "# Tea\n\nGreen tea is brewed at eighty degrees for two minutes.\n",
}


@dataclass(frozen=True)
class Reply:
    """An answer over HTTP."""

    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)


@dataclass
class Server:
    """The running server."""

    home: Path
    port: int
    app: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, key: str = "") -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=180)
        try:
            given = {**(headers or {}), **({"Authorization": f"Bearer {key}"} if key else {})}
            if body is not None and not isinstance(body, bytes):
                body, given = json.dumps(body).encode(), {"Content-Type": "application/json", **given}
            connection.request(method, path, body, given)
            reply = connection.getresponse()
            return Reply(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())
        finally:
            connection.close()

    def post(self, path: str, body: Any, key: str = "") -> Reply:
        return self.call("POST", path, body, key=key)

    def get(self, path: str, key: str = "") -> Reply:
        return self.call("GET", path, key=key)

    def upload(self, name: str, content: bytes, key: str = "") -> Reply:
        edge = "edge-of-the-form"
        head = f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
        body = head + content + f"\r\n--{edge}--\r\n".encode()
        return self.call("POST", "/documents", body, {"Content-Type": f"multipart/form-data; boundary={edge}"}, key)


def eventually(condition: Callable[[], Any], seconds: float = 240.0) -> None:
    """Wait until it holds. What follows a reply (a line in the log, a figure) may come after the client has read it."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.02)


@contextmanager
def serving(home: Path, **settings: Any) -> Iterator[Server]:
    """Serve `home` until the block ends."""
    home.mkdir(parents=True, exist_ok=True)
    settings = {"sets": ("embedder=fake:64",), "seconds": 150.0} | settings
    app = make(Serve(home=home, **settings))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=10, http=TimedProtocol)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            found = Server(home, listening.getsockname()[1], app)
            eventually(lambda: (server.started and app.state.service.ready) or not thread.is_alive(), 300)
            assert thread.is_alive(), "the server ended"
            yield found
        finally:
            server.should_exit = True
            thread.join(30)
            assert not thread.is_alive(), "the server does not stop"
            logging.getLogger("selfstudy.service").setLevel(logging.NOTSET)


def filled(server: Server, docs: dict[str, str] | None = None, key: str = "") -> None:
    """Upload documents."""
    for name, text in (docs or DOCS).items():
        reply = server.upload(name, text.encode(), key)
        assert reply.status == 200, reply.raw
        assert reply.json["set_aside"] == []
