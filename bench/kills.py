"""Kills -9 real `selfstudy add` and `selfstudy adapt` processes in the middle of their work, and looks at what is left.

    python bench/kills.py [--adds 20] [--adapts 20] [--passages 600] [--minutes 0.5] [--dir DIR] [--seed 0]

`add`: before each kill the documents get a new edition, so that every passage is a new one. After each kill every document
must be there, whole, in its old or its new edition and never in an older one than seen before, and the next `add` must go on. At the end
the index must be the one that an undisturbed `add` makes.

`adapt`: one undisturbed run (in a copy of the home) says which stages there are and how long each takes; the kills are spread over them.
After each kill every finished stage must still be there, never made a second time; what serves and what is indexed must be as before, or
what the undisturbed run let serve on its way; and the next `adapt` must go on. At the end the outcome must be that of the undisturbed run.

Prints a table of the kills; exits with 1 where anything was lost.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from selfstudy.apps.stdlib_docs import chosen, markdown
from selfstudy.core.artifacts import artifacts, manifest
from selfstudy.core.files import read_json
from selfstudy.index.store import LOCK, Store

POLL = 0.01
PATIENCE = 1800.0
SWAP = "judging and swapping"


@dataclass
class Kill:
    """One kill: what was at work, after how many seconds of it, and what was found wrong."""

    verb: str
    stage: str
    after: float
    found: str
    losses: list[str] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--adds", type=int, default=20)
    parser.add_argument("--adapts", type=int, default=20)
    parser.add_argument("--passages", type=int, default=600, help="how large the corpus is, about")
    parser.add_argument("--minutes", type=float, default=0.5, help="the time budget of the training that is killed")
    parser.add_argument("--dir", type=Path, help="work here and keep it")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    folder = given.dir or Path(tempfile.mkdtemp(prefix="kills-"))
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(given.seed)
    texts = corpus(given.passages)
    kills = kill_adds(folder / "add", texts, given.adds, rng) if given.adds else []
    kills += kill_adapts(folder / "adapt", texts, given.adapts, given.minutes, rng) if given.adapts else []
    show(kills)
    if given.dir is None:
        shutil.rmtree(folder)
    sys.exit(1 if any(kill.losses for kill in kills) else 0)


def corpus(passages: int) -> dict[str, str]:
    """Documentation of some of the standard library's modules, by file name: about so many passages (of some 85 words each)."""
    texts: dict[str, str] = {}
    words = 0
    for module in sorted(chosen(), key=lambda one: random.Random(one.name).random()):
        text = markdown(module)
        if words < passages * 85 and len(text.split()) < 3000:
            texts[f"{module.name}.md"] = text
            words += len(text.split())
    return texts


def write(docs: Path, texts: dict[str, str]) -> None:
    docs.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (docs / name).write_text(text, encoding="utf-8")


def edition(text: str, number: int) -> str:
    """The text under another title: all of its passages are new ones."""
    first, _, rest = text.partition("\n")
    return f"{first} edition {number}\n{rest}"


# Processes


def start(home: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "selfstudy", "--home", str(home), *arguments]
    with open(home.parent / "stderr.log", "a", encoding="utf-8") as errors:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)


def finish(home: Path, *arguments: str) -> Any:
    """Run a verb to its end and give its JSON. Fails loudly."""
    process = start(home, *arguments, "--json")
    out, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"selfstudy {' '.join(arguments)} failed with {process.returncode}: {out}\nsee {home.parent / 'stderr.log'}")
    return json.loads(out)


def holds(lock: Path, process: subprocess.Popen[str]) -> bool:
    """Whether this process holds the lock now."""
    try:
        return bool(json.loads(lock.read_bytes())["pid"] == process.pid)
    except (OSError, ValueError, KeyError):
        return False


def wait_for(condition: Any, process: subprocess.Popen[str]) -> bool:
    """Wait until the condition holds; False where the process ended before."""
    until = time.monotonic() + PATIENCE
    while process.poll() is None:
        if condition():
            return True
        if time.monotonic() > until:
            process.kill()
            raise SystemExit("waited too long")
        time.sleep(POLL)
    return False


def kill(process: subprocess.Popen[str]) -> bool:
    """Kill -9. False where the process had ended by itself."""
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return process.returncode == -signal.SIGKILL


# add


def kill_adds(folder: Path, texts: dict[str, str], count: int, rng: random.Random) -> list[Kill]:
    docs, home = folder / "docs", folder / "home"
    write(docs, texts)
    finish(home, "add", str(docs))
    editions = dict.fromkeys(texts, 0)
    length = calm_seconds(docs, home, texts)
    print(f"undisturbed: add {length:.1f} s", file=sys.stderr)
    kills: list[Kill] = []
    number = 1
    while len(kills) < count:
        number += 1
        write(docs, {name: edition(text, number) for name, text in texts.items()})
        process = start(home, "add", str(docs))
        wait_for(lambda p=process: holds(home / LOCK, p), process)
        began = time.monotonic()
        wait = rng.uniform(0, length)
        wait_for(lambda b=began, w=wait: time.monotonic() - b >= w, process)
        after = time.monotonic() - began
        if not kill(process):
            length = 0.9 * after  # the machine is less busy than it was: it was over before
            continue
        losses = [*unreadable(home), *torn(home, texts, editions)]
        state = f"{sum(found == number for found in editions.values())} of {len(texts)} documents in the new edition"
        kills.append(Kill("add", "add", after, state, losses))
        tell(kills, count)
    finish(home, "add", str(docs))
    losses = torn(home, texts, editions)
    whole = folder / "whole"
    finish(whole, "add", str(docs))
    if contents(home) != contents(whole):
        losses.append("the index is not the one that an undisturbed add makes")
    kills.append(Kill("add", "the run after", 0.0, f"{len(contents(home)[0])} documents", losses))
    return kills


def calm_seconds(docs: Path, home: Path, texts: dict[str, str]) -> float:
    """How long an undisturbed `add` of a new edition holds the lock."""
    write(docs, {name: edition(text, 1) for name, text in texts.items()})
    process = start(home, "add", str(docs))
    wait_for(lambda: holds(home / LOCK, process), process)
    began = time.monotonic()
    wait_for(lambda: not holds(home / LOCK, process), process)
    seconds = time.monotonic() - began
    process.communicate()
    return seconds


def unreadable(home: Path) -> list[str]:
    """What `status` and `search` cannot do right after a kill."""
    losses = []
    for arguments in (("status",), ("search", "how to copy a file")):
        process = start(home, *arguments, "--json")
        out, _ = process.communicate()
        if process.returncode or not json.loads(out):
            losses.append(f"{arguments[0]} failed: {out}")
    return losses


def torn(home: Path, texts: dict[str, str], editions: dict[str, int]) -> list[str]:
    """What is wrong with the documents: gone, half, older than seen before. Notes in `editions` what is there now."""
    snapshot = Store.open(home).snapshot()
    held = {place.document for passage in snapshot.passages for place in passage.places}
    losses = [f"{name} is gone" for name in texts if name not in snapshot.documents]
    for document in snapshot.load_documents([name for name in texts if name in snapshot.documents]):
        first = document.text.partition("\n")[0]
        number = int(first.rpartition(" edition ")[2]) if " edition " in first else 0
        if document.text != (edition(texts[document.id], number) if number else texts[document.id]):
            losses.append(f"{document.id} is no whole edition")
        if number < editions[document.id]:
            losses.append(f"{document.id} went back from edition {editions[document.id]} to {number}")
        editions[document.id] = number
        if document.id not in held:
            losses.append(f"{document.id} has no passages")
    whole = {document.id: document.text for document in snapshot.load_documents(list(snapshot.documents))}
    for passage in snapshot.passages:
        if any(whole.get(place.document, "")[place.start : place.end] != passage.text for place in passage.places):
            losses.append(f"passage {passage.id} does not stand where it says")
    return losses


def contents(home: Path) -> tuple[list[str], list[tuple[str, str, Any]]]:
    snapshot = Store.open(home).snapshot()
    return list(snapshot.documents), [(passage.id, passage.text, passage.places) for passage in snapshot.passages]


# adapt


def kill_adapts(folder: Path, texts: dict[str, str], count: int, minutes: float, rng: random.Random) -> list[Kill]:
    docs, home, calm = folder / "docs", folder / "home", folder / "calm"
    write(docs, texts)
    finish(home, "add", str(docs))
    finish(home, "search", "how to copy a file")  # converts the model, once for both
    shutil.copytree(home, calm, dirs_exist_ok=True)
    verb = ("adapt", "--set", f"training.minutes={minutes}", "--set", "training.save_seconds=5")
    expected = finish(calm, *verb)
    stages = [(made.path.name, manifest(made).stage, manifest(made).seconds) for made in artifacts(calm / "artifacts")]
    print("undisturbed: " + ", ".join(f"{stage} {seconds:.1f} s" for _, stage, seconds in stages), file=sys.stderr)
    told = [read_json(path) for path in (calm / "history").glob("*.json")]  # the parts of a study go live one after the other
    serving = [read_json(home / "state.json")["live"], *(event["system"] for event in told if event["event"] != "judged")]
    indexed = contents(home)
    created: dict[str, str] = {}
    kills: list[Kill] = []
    for name, stage, seconds in spread([*stages, (SWAP, SWAP, 2.0)], count):
        process = start(home, *verb)
        if name == SWAP:
            begun = wait_for(lambda: any((home / "history").glob("*.json")), process)
        else:
            begun = wait_for(lambda p=process, n=name: holds(home / "artifacts" / ".locks" / n, p), process)
        began = time.monotonic()
        if begun:
            wait = rng.uniform(0, max(0.1, 0.9 * seconds))
            wait_for(lambda b=began, w=wait: time.monotonic() - b >= w, process)
        at_work = [n for n, _, _ in stages if holds(home / "artifacts" / ".locks" / n, process)]
        after = time.monotonic() - began
        killed = kill(process)
        named = next((s for n, s, _ in stages if n in at_work), "between stages") if killed else "ended before"
        losses = [*unreadable(home), *remade(home, created)]
        if read_json(home / "state.json")["live"] not in serving:
            losses.append("something else serves")
        if contents(home) != indexed:
            losses.append("the index changed")
        kills.append(Kill("adapt", f"{stage}: {named}", after, f"{len(created)} stages kept", losses))
        tell(kills, count)
    kills.append(Kill("adapt", "the run after", 0.0, "", at_the_end(home, expected, verb, created, calm)))
    return kills


def spread(stages: list[tuple[str, str, float]], count: int) -> list[tuple[str, str, float]]:
    """`count` aims in the order of the stages: one for each, the rest for those that take longest."""
    aims = Counter(dict.fromkeys(range(len(stages)), 1))
    while sum(aims.values()) < count:
        aims[max(aims, key=lambda at: stages[at][2] / aims[at])] += 1
    while sum(aims.values()) > count:
        aims[min((at for at in aims if aims[at]), key=lambda at: stages[at][2])] -= 1
    return [stage for at, stage in enumerate(stages) for _ in range(aims[at])]


def remade(home: Path, created: dict[str, str]) -> list[str]:
    """Finished stages that are gone or were made a second time. Notes in `created` what is there now."""
    now = {made.path.name: manifest(made).created for made in artifacts(home / "artifacts")}
    losses = [f"{name} is gone" for name in created if name not in now]
    losses += [f"{name} was made again" for name, when in created.items() if now.get(name, when) != when]
    created.update(now)
    return losses


def at_the_end(home: Path, expected: Any, verb: tuple[str, ...], created: dict[str, str], calm: Path) -> list[str]:
    outcome = finish(home, *verb)
    losses = remade(home, created)
    if outcome["key"] != expected["key"]:
        losses.append("another candidate came out than in the undisturbed run")
    missing = {made.path.name for made in artifacts(calm / "artifacts")} - {made.path.name for made in artifacts(home / "artifacts")}
    losses += [f"{name} was never finished" for name in missing]
    left = [path.name for path in (home / "artifacts").iterdir() if path.name.endswith(".work")]
    losses += [f"{name} was left behind" for name in left]
    judged = [event for event in finish(home, "history") if event["event"] == "judged" and event["key"] == outcome["key"]]
    if len(judged) != 1:
        losses.append(f"the candidate was judged {len(judged)} times")
    live = read_json(home / "state.json")["live"]
    if outcome["promoted"] != (live is not None and live["key"] == outcome["key"]):
        losses.append(f"the verdict was {outcome['promoted']}, and {live} serves")
    return losses


def tell(kills: list[Kill], count: int) -> None:
    """The last kill, as soon as it is judged."""
    print(f"{len(kills)}/{count}: {line(kills[-1])}", file=sys.stderr, flush=True)


def show(kills: list[Kill]) -> None:
    for one in kills:
        print(line(one))
    real = Counter(one.verb for one in kills if one.after and not one.stage.endswith("ended before"))
    print(f"{real['add']} kills of add, {real['adapt']} of adapt; {sum(len(one.losses) for one in kills)} losses")


def line(one: Kill) -> str:
    return f"{one.verb:6} {one.stage:58} {one.after:7.2f} s  {one.found}{''.join(f'  LOST: {loss}' for loss in one.losses)}"


if __name__ == "__main__":
    os.environ.setdefault("PYTHONPATH", str(Path(__file__).parent.parent / "src"))
    main()
