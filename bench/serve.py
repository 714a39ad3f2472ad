"""Search requests per second of `selfstudy serve`, with and without batching across requests, beside a plain service.

    python bench/serve.py [--passages 20000] [--users 1 16 64 200] [--threads 16] [--seconds 10] [--soak 30] [--rounds 3] [--dir DIR]
        [--answers] [--json]

Each question is asked once in a run, so no vector is remembered. The three services answer in alternating rounds, one at a time, over equal
vectors; all search exactly, so recall is equal, and the overlap of the first ten is counted. The vectors are those of real sentences with
noise. With other work on the machine only ratios within a run compare. The plain service needs `pip install faiss-cpu`.

--answers asks our service alone, for answers quoted out of the documents or the word that they hold none, streamed as OpenAI's protocol has
it: how many a second, and how long until the first words of one are there. The work is the same for both.
"""

from __future__ import annotations

import argparse
import http.client
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from speed import real_sentences, texts

from selfstudy.core.records import Document, Passage, Place, passage_id
from selfstudy.index.store import Store
from selfstudy.models.minilm import folder as model_folder
from selfstudy.models.minilm import load as minilm

PORTS = {"plain": 8451, "one at a time": 8452, "batched": 8453}
UNBATCHED = "from selfstudy.recipes import serving; serving.Batched = lambda way: way\n"
SERVE = (
    "import uvicorn, pathlib\nfrom selfstudy.apps.server.app import make\nfrom selfstudy.apps.server.settings import Serve\n"
    "uvicorn.run(make(Serve(home=pathlib.Path({home!r}), threads={threads}, queue=1000)), host='127.0.0.1', port={port}, "
    "log_level='warning', access_log=False)"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=20_000)
    parser.add_argument("--users", type=int, nargs="+", default=[16], help="people who ask at once, one number after another")
    parser.add_argument("--threads", type=int, default=16, help="threads of our service")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--soak", type=int, default=0, help="minutes for which our service alone is asked, to see its memory")
    parser.add_argument("--answers", action="store_true", help="our service alone, which answers in place of searching")
    parser.add_argument("--dir", type=Path)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    folder = (given.dir or Path(tempfile.mkdtemp(prefix="selfstudy-serve-"))).absolute()
    spans = real_sentences()
    home = made(folder, spans, given.passages)
    commands = {
        "plain": [sys.executable, str(Path(__file__).with_name("plain_service.py")), str(model_folder()),
                  str(folder / "passages.jsonl"), str(folder / "vectors.npy"), str(PORTS["plain"])],
        **{name: [sys.executable, "-c", patch + SERVE.format(home=str(home), threads=given.threads, port=PORTS[name])]
           for name, patch in (("one at a time", UNBATCHED), ("batched", ""))},
    }  # fmt: skip
    if given.soak:
        soak(commands["batched"], (f"{' '.join(spans[at % len(spans)].split()[:9])} {at}" for at in count()), given.users[0], given.soak)
        return
    if given.answers:
        answers(
            commands["batched"],
            (f"What is said of {' '.join(spans[at % len(spans)].split()[:6])} {at}?" for at in count()),
            given.users,
            given.seconds,
        )
        return
    servers = [subprocess.Popen(command) for command in commands.values()]
    try:
        for server, port in zip(servers, PORTS.values(), strict=True):
            wait(server, port)
        questions = (f"{' '.join(spans[number % len(spans)].split()[:9])} {number}" for number in count())
        same = overlap(spans[:20])
        found = {users: compared(questions, users, given.seconds, given.rounds) for users in given.users}
    finally:
        for server in servers:
            server.terminate()
        for server in servers:
            server.wait(60)
    if given.json:
        sys.stdout.write(json.dumps({str(users): rows for users, rows in found.items()} | {"overlap": same}, indent=1) + "\n")
        return
    for users, rows in found.items():
        for name, row in rows.items():
            sys.stdout.write(f"{users:>4} users  {name:<16}" + "".join(f"{key} {value:<12}" for key, value in row.items()) + "\n")
    sys.stdout.write(f"overlap of the first ten {same:.3f}\n")


def soak(command: list[str], questions: Iterator[str], users: int, minutes: int) -> None:
    """Ask our service for so long, and print for each minute what it did and how much memory it holds. Any error ends it."""
    with running(command) as server:
        for minute in range(minutes + 1):
            status = Path(f"/proc/{server.pid}/status").read_text("utf-8")
            own, mapped = (int(status.split(f"{kind}:")[1].split()[0]) / 1024 for kind in ("RssAnon", "RssFile"))
            done = load(PORTS["batched"], questions, users, 60) if minute < minutes else {}
            told = "  ".join(f"{key} {value:.1f}" for key, value in done.items())
            sys.stdout.write(f"minute {minute}: {own:.0f} MiB and {mapped:.0f} of mapped files  {told}\n")
            sys.stdout.flush()


def answers(command: list[str], questions: Iterator[str], users: Sequence[int], seconds: float) -> None:
    """Print for each number of people how many answers a second our service gives, and how long they took."""
    with running(command):
        load(PORTS["batched"], questions, 1, 3.0, streamed)  # what is loaded with the first answer
        for asking in users:
            told = load(PORTS["batched"], questions, asking, seconds, streamed)
            sys.stdout.write(f"{asking:>4} users" + "".join(f"  {key} {value:.1f}" for key, value in told.items()) + "\n")
            sys.stdout.flush()


@contextmanager
def running(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Our service alone, from its first answer on."""
    server = subprocess.Popen(command)
    try:
        wait(server, PORTS["batched"])
        yield server
    finally:
        server.terminate()
        server.wait(60)


def streamed(connection: http.client.HTTPConnection, question: str) -> float:
    """Ask for an answer. Returns the seconds until its first words."""
    began = time.perf_counter()
    body = json.dumps({"messages": [{"role": "user", "content": question}], "stream": True})
    connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
    reply = connection.getresponse()
    first = 0.0
    while line := reply.readline():
        if not first and line.startswith(b"data: {") and json.loads(line[6:])["choices"][0]["delta"].get("content"):
            first = time.perf_counter() - began
    assert first, reply.status
    return first


def compared(questions: Iterator[str], users: int, seconds: float, rounds: int) -> dict[str, dict[str, float]]:
    """Each service's median over alternating rounds, and the median of its ratios to the plain one."""
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in PORTS}
    for _ in range(rounds):
        for name, port in PORTS.items():
            rows[name].append(load(port, questions, users, seconds))
    found = {name: {key: round(float(np.median([row[key] for row in many])), 2) for key in many[0]} for name, many in rows.items()}
    plain = [row["per_s"] for row in rows["plain"]]
    for name, many in rows.items():
        found[name]["ratio"] = round(float(np.median([row["per_s"] / base for row, base in zip(many, plain, strict=True)])), 2)
    return found


def made(folder: Path, spans: list[str], size: int) -> Path:
    """A home, and the same passages and vectors as the plain service reads them; made once."""
    home = folder / "home"
    if (folder / "vectors.npy").exists():
        return home
    embedder = minilm("all-MiniLM-L6-v2", cache=home / "cache" / "openvino")
    real = embedder.embed(spans)
    noise = np.random.default_rng(0)
    bodies = list(dict.fromkeys(texts(spans, size, 6, seed=1)))
    passages = [Passage(passage_id("", text), "", text, (Place(f"d{at:06d}", 0, len(text)),)) for at, text in enumerate(bodies)]
    vectors = real[noise.integers(0, len(real), len(bodies))] + 0.03 * noise.standard_normal((len(bodies), real.shape[1]))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    with Store.open(home, create=True).writing("making the store") as writer:
        writer.put([(Document(one.places[0].document, one.text), [one], None) for one in passages])
        writer.add_vectors(embedder.fingerprint, [one.id for one in passages], vectors)
        writer.commit()
    (folder / "passages.jsonl").write_text("\n".join(json.dumps(one.json()) for one in passages), encoding="utf-8")
    np.save(folder / "vectors.npy", vectors)
    return home


def ask(connection: http.client.HTTPConnection, question: str) -> Any:
    body = json.dumps({"question": question, "k": 10, "by": "dense"})
    connection.request("POST", "/search", body, {"Content-Type": "application/json"})
    reply = connection.getresponse()
    told = json.loads(reply.read())
    assert reply.status == 200, told
    return told


def wait(server: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + 600
    while time.monotonic() < until and server.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(1)
    raise SystemExit(f"nothing answers at port {port}")


def overlap(questions: list[str]) -> float:
    """The share of the plain service's first ten that ours finds too."""
    sides = []
    for name in ("plain", "batched"):
        connection = http.client.HTTPConnection("127.0.0.1", PORTS[name], timeout=120)
        told = [ask(connection, question) for question in questions]
        sides.append([{hit["passage"]["id"] for hit in (one if name == "plain" else one["hits"])} for one in told])
        connection.close()
    return float(np.mean([len(one & other) / len(one) for one, other in zip(*sides, strict=True)]))


def load(
    port: int, questions: Iterator[str], users: int, seconds: float, request: Callable[[http.client.HTTPConnection, str], Any] = ask
) -> dict[str, float]:
    """Requests per second of `users` who ask one question after another, and how long they waited, in milliseconds.

    For a `request` that returns seconds those until the first words, too.
    """
    took: list[float] = []
    firsts: list[float] = []
    guard = threading.Lock()
    until = time.monotonic() + seconds

    def user() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        while time.monotonic() < until:
            with guard:
                question = next(questions)
            began = time.perf_counter()
            told = request(connection, question)
            if isinstance(told, float):
                firsts.append(1000 * told)
            took.append(1000 * (time.perf_counter() - began))
        connection.close()

    began = time.perf_counter()
    with ThreadPoolExecutor(users) as pool:
        for asking in [pool.submit(user) for _ in range(users)]:
            asking.result()  # an error of one ends the run
    per_s = len(took) / (time.perf_counter() - began)
    return {
        "per_s": per_s,
        "p50_ms": float(np.percentile(took, 50)),
        "p95_ms": float(np.percentile(took, 95)),
        "p99_ms": float(np.percentile(took, 99)),
        **({"first_p50_ms": float(np.median(firsts)), "first_p99_ms": float(np.percentile(firsts, 99))} if firsts else {}),
    }


if __name__ == "__main__":
    main()
