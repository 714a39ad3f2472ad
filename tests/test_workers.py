"""Several processes over one home: promotions at once, and (slow) a worker that is killed while people ask and vote."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import SOURCE
from endpoint import free_port
from service import Reply, Server, eventually, filled

from selfstudy.recipes.engine import Engine
from selfstudy.recipes.ledger import Ledger
from selfstudy.recipes.system import System

SETS = ["embedder=fake:64"]


def candidates(engine: Engine) -> list[System]:
    """Two judged candidates: the base with other shares of meaning in hybrid search."""
    found = [replace(engine.base, weight=weight, key=letter * 32) for letter, weight in (("a", 0.9), ("b", 0.1))]
    for system in found:
        engine.history_of.add("judged", system.key, "Promoted: for this test.", system, promote=True)
    return found


def test_two_who_promote_at_once_both_do_and_the_history_knows_in_which_order(
    home: Path, plug: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(plug))
    systems = candidates(Engine.open(home, sets=SETS))
    engines = [Engine.open(home, sets=SETS) for _ in systems]
    begin = threading.Barrier(2)
    failed: list[Exception] = []

    def promoting(engine: Engine, system: System) -> None:
        begin.wait(60)
        try:
            for _ in range(4):
                engine.promote(str(system.key))
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=promoting, args=pair) for pair in zip(engines, systems, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(150)
    assert failed == []
    events = engines[0].history_of.events()
    assert [event.number for event in events] == list(range(1, 11)), "nothing that happened was overwritten"
    promoted = [event for event in events if event.event == "promoted"]
    assert len(promoted) == 8
    assert [event.before for event in promoted[1:]] == [event.system for event in promoted[:-1]], "each knows what it took the place of"
    assert engines[0].live == engines[1].live == promoted[-1].system


@contextmanager
def workers(home: Path, plug: Path, count: int = 2) -> Iterator[tuple[Server, int]]:
    """`selfstudy serve --workers` as a process of its own: where it answers, and the process that watches over the workers."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "selfstudy",
        "--home",
        str(home),
        "--set",
        *SETS,
        "serve",
        "--port",
        str(port),
        "--workers",
        str(count),
    ]
    variables = os.environ | {"PYTHONPATH": os.pathsep.join((str(SOURCE), str(plug))), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=variables, stderr=subprocess.DEVNULL)
    server = Server(home, port)
    try:
        until = time.monotonic() + 300
        while not answers(server, "/readyz") or len(children(process.pid)) < count:
            assert time.monotonic() < until, "the service does not start"
            assert process.poll() is None, "the service ended"
            time.sleep(0.2)
        yield server, process.pid
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def answers(server: Server, path: str) -> bool:
    try:
        return server.get(path).status == 200
    except OSError:
        return False


def children(pid: int) -> list[int]:
    """The workers of a supervisor: its children that serve."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(one) for one in found if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()]


def asking(server: Server, stop: threading.Event, replies: list[Reply | None], vote: bool) -> None:
    """Ask until `stop`; None stands for a connection that broke."""
    while not stop.is_set():
        try:
            reply: Any = server.post("/ask", {"question": "Who may reset the pump?"})
            replies.append(reply)
            if vote and reply.status == 200:
                replies.append(server.post("/feedback", {"answer": reply.json["id"], "verdict": "up"}))
        except (OSError, ValueError):
            replies.append(None)


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for the workers in /proc")
def test_a_worker_that_is_killed_takes_nothing_with_it(plug: Path, tmp_path: Path) -> None:
    with workers(tmp_path / "home", plug) as (server, supervisor):
        filled(server)
        first = children(supervisor)
        assert len(first) == 2
        stop, replies = threading.Event(), list[Reply | None]()
        threads = [threading.Thread(target=asking, args=(server, stop, replies, place == 0)) for place in range(4)]
        for thread in threads:
            thread.start()
        eventually(lambda: len(replies) > 20)
        os.kill(first[0], signal.SIGKILL)
        seen = len(replies)
        eventually(lambda: len(replies) > seen + 40)
        stop.set()
        for thread in threads:
            thread.join(150)
        broken = replies.count(None)
        assert broken <= len(threads), "only what the killed worker had in its hands"
        told = [reply for reply in replies if reply is not None]
        assert {reply.status for reply in told} <= {200, 400}, "400: more votes than one may cast within a day"
        eventually(lambda: len(set(children(supervisor)) - {first[0]}) == 2)
        ledger = Ledger(server.home)
        acknowledged = {reply.json["id"] for reply in told if reply.status == 200 and "text" in reply.json}
        voted = {reply.json["answer"] for reply in told if reply.status == 200 and "verdict" in reply.json}
        assert acknowledged <= {asked.id for asked in ledger.questions(10**6)}
        assert voted
        assert voted <= {vote.asked.id for vote in ledger.votes()}


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for the workers in /proc")
def test_a_worker_that_is_only_busy_is_not_killed(plug: Path, tmp_path: Path) -> None:
    with workers(tmp_path / "home", plug) as (server, supervisor):
        before = children(supervisor)
        os.kill(before[0], signal.SIGSTOP)
        time.sleep(8)
        os.kill(before[0], signal.SIGCONT)
        time.sleep(2)
        assert children(supervisor) == before
        assert answers(server, "/readyz")


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for the workers in /proc")
def test_a_promotion_reaches_every_worker_and_drops_no_question(plug: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(plug))
    with workers(tmp_path / "home", plug) as (server, _):
        filled(server)
        engine = Engine.open(server.home, sets=SETS)
        systems = candidates(engine)
        stop, replies = threading.Event(), list[Reply | None]()
        threads = [threading.Thread(target=asking, args=(server, stop, replies, False)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for system in (*systems, *systems):
            assert server.post("/promote", {"key": system.key}).status == 200
            seen = len(replies)
            eventually(lambda seen=seen, key=system.key: len(replies) > seen + 12 and versions(replies[-12:]) == {key})
        stop.set()
        for thread in threads:
            thread.join(150)
        assert {reply.status if reply is not None else None for reply in replies} == {200}


def versions(replies: list[Reply | None]) -> set[str]:
    """Who answered: until a worker has opened what is new, what served before goes on answering."""
    return {reply.json["version"].partition("@")[0] for reply in replies if reply is not None}
