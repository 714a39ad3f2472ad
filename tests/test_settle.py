"""What documents say about one another, through the engine: the same whatever the order of adding, and a person's word above it."""

from __future__ import annotations

import random
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selfstudy.core.errors import BadInput
from selfstudy.index.snapshot import Snapshot
from selfstudy.recipes.engine import Engine
from selfstudy.recipes.rulings import Rulings
from selfstudy.recipes.settle import graded, weights
from selfstudy.recipes.system import System

pytestmark = pytest.mark.usefixtures("fake")
WORDS = ["".join(random.Random(n).choices("abcdefghijklmnop", k=6)) for n in range(600)]
FOOT = "Example Ltd keeps this page for its customers only."


def text(seed: int, words: int = 60) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=words)).capitalize() + "."


def opened(folder: Path, *sets: str) -> Engine:
    return Engine.open(folder / "home", create=True, sets=["embedder=fake:64", *sets])


def write(folder: Path, **texts: str) -> Path:
    docs = folder / "docs"
    docs.mkdir(exist_ok=True)
    for name, said in texts.items():
        (docs / f"{name}.md").write_text(said)
    return docs


def test_rulings_are_noted_all_or_none(tmp_path: Path) -> None:
    engine = opened(tmp_path)
    engine.add([write(tmp_path, a=text(1), b=text(2))])
    with pytest.raises(BadInput, match=r"no document 'c\.md'"):
        engine.audit(keep=["a.md"], drop=["c.md"])
    assert Rulings(tmp_path / "home").all() == {}
    engine.audit(keep=["a.md"], drop=["b.md"])
    assert Rulings(tmp_path / "home").all() == {"a.md": "keep", "b.md": "drop"}


def test_what_documents_are_worth_stays_when_another_embedder_serves(tmp_path: Path) -> None:
    engine = opened(tmp_path)
    docs = write(tmp_path, **{f"d{n}": text(n) for n in range(30)})
    engine.add([docs])
    before = {id: dict(card.facts) for id, card in engine.store.snapshot().documents.items()}
    assert all("relevance" in facts for facts in before.values()), "it is worked out of vectors"
    other = engine.loaded.embedder("fake:1")
    engine._pointer.serve("promoted", System("fake:1", other.fingerprint, 0.5, key="k"), "a test")
    engine.add([docs])
    assert {id: dict(card.facts) for id, card in engine.store.snapshot().documents.items()} == before, "they are not studied anew"


def test_a_cache_that_a_kill_cut_short_is_never_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    truly = np.save

    def killed(file: Any, array: Any) -> None:
        made = BytesIO()
        truly(made, array)
        half = made.getvalue()[: len(made.getvalue()) // 2]
        _ = file.write_bytes(half) if isinstance(file, Path) else file.write(half)
        raise KeyboardInterrupt

    docs = write(tmp_path, a=text(1), b=text(2))
    monkeypatch.setattr(np, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        opened(tmp_path).add([docs])
    monkeypatch.undo()
    assert opened(tmp_path).add([docs]).documents == 2
    assert len(list((tmp_path / "home" / "cache").glob("general-*.npy"))) == 1
    assert opened(tmp_path).add([write(tmp_path, c=text(3))]).documents == 3, "and what is kept is read again"


def content(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "passages": [passage.json() for passage in snapshot.passages],
        "facts": {id: card.facts for id, card in snapshot.documents.items()},
    }


def test_one_file_more_comes_to_the_same_as_all_at_once(tmp_path: Path) -> None:
    pages = {f"page{n}": f"{text(n)}\n\n{FOOT}\n" for n in range(6)} | {"policy_v1": text(50, 80) + " Pay 5 euros."}
    pages |= {"policy_v2": text(50, 80) + " Pay 9 euros.", "copy": text(2) + "\n"}
    for place in ("one", "all"):
        (tmp_path / place).mkdir()
    one = opened(tmp_path / "one")
    for name, said in pages.items():
        one.add([write(tmp_path / "one", **{name: said})])
    every = opened(tmp_path / "all")
    added = every.add([write(tmp_path / "all", **pages)])
    found, once = content(one.store.snapshot()), content(every.store.snapshot())
    assert found == once
    assert added.embedded == added.passages, "what is left out was never embedded"
    assert all(FOOT not in passage["text"] for passage in once["passages"])
    assert every.add([tmp_path / "all" / "docs"]).embedded == 0
    for passage in every.store.snapshot().passages:
        for place in passage.places:
            assert every.store.snapshot().document(place.document).text[place.start : place.end] == passage.text


def test_boilerplate_that_is_none_any_more_comes_back(tmp_path: Path) -> None:
    engine = opened(tmp_path)
    engine.add([write(tmp_path, **{f"page{n}": f"{text(n)}\n\n{FOOT}\n" for n in range(5)})])
    assert engine.search(FOOT, by="lexical") == []
    engine.remove(["page0.md"])
    assert len(engine.search(FOOT, by="lexical")) == 4


def test_outdated_versions_are_found_only_when_asked_for(tmp_path: Path) -> None:
    engine = opened(tmp_path)
    shared = text(9, 80)
    old, new = f"{shared}\n\nRefunds take 30 days.\n", f"{shared}\n\nRefunds take 14 days.\n"
    engine.add([write(tmp_path, policy_v1=old, policy_v2=new, other=text(3))], sync=False)
    for by in ("lexical", "dense", "hybrid"):
        assert {place.document for hit in engine.search("Refunds take days", by=by) for place in hit.passage.places[:1]} <= {
            "policy_v2.md",
            "other.md",
        }
    every = engine.search("Refunds take days", superseded=True)
    outdated = {hit.passage.places[0].document: hit.superseded_by for hit in every}
    assert outdated["policy_v1.md"] == "policy_v2.md"
    assert outdated["policy_v2.md"] is None
    asked = engine.search("Refunds take days", where="superseded_by = 'policy_v2.md'")
    assert {hit.passage.places[0].document for hit in asked} == {"policy_v1.md"}
    assert engine.search("Refunds take days", where="title = 'nothing'", superseded=True) == []
    with pytest.raises(BadInput, match="column"):
        engine.search("Refunds take days", where="title = 'a') or (title = 'b'", superseded=True)
    cited = engine.ask("How long do refunds take?", superseded=True, where="id = 'policy_v1.md'")
    assert cited.hits
    assert all(hit.superseded_by == "policy_v2.md" for hit in cited.hits)


def test_what_stands_in_both_versions_is_cited_from_the_current_one(tmp_path: Path) -> None:
    engine = opened(tmp_path, "chunk.words=40", "chunk.min_words=0")
    shared = "\n\n".join(text(seed, 35) for seed in range(4))
    engine.add([write(tmp_path, policy_v1=f"{shared}\n\nRefunds take 30 days.\n", policy_v2=f"{shared}\n\nRefunds take 14 days.\n")])
    hit = engine.search(text(1, 35), by="lexical")[0]
    assert [place.document for place in hit.passage.places] == ["policy_v2.md", "policy_v1.md"]
    assert hit.superseded_by is None


def test_a_persons_word_is_kept(tmp_path: Path) -> None:
    engine = opened(tmp_path)
    docs = write(tmp_path, policy_v1=text(9, 80) + " Pay 5 euros.", policy_v2=text(9, 80) + " Pay 9 euros.", other=text(3))
    engine.add([docs])
    rulings = Rulings(engine.home)
    rulings.say({"policy_v1.md": "current", "other.md": "drop"}, engine.store.snapshot().documents)
    engine.add([docs])
    cards = engine.store.snapshot().documents
    assert cards["policy_v2.md"].superseded_by == "policy_v1.md"
    assert cards["policy_v1.md"].superseded_by is None
    found = {place.document for hit in engine.search(text(3)) for place in hit.passage.places}
    assert found == {"policy_v1.md"}
    assert engine.search(text(3), where="dropped = true")
    every = {place.document for hit in engine.search(text(3), superseded=True) for place in hit.passage.places}
    assert every == {"policy_v1.md", "policy_v2.md"}
    with pytest.raises(BadInput, match=r"'other\.md'"):
        rulings.say({"othr.md": "keep"}, cards)


def test_trust_is_a_filter_and_a_weight(tmp_path: Path) -> None:
    rule = 'quality.trust=[{path="rumour*", trust=0.4}]'
    engine = opened(tmp_path, rule)
    pages = {f"page{n}": text(n) for n in range(3)} | {"rumour": text(7), "copy": text(1) + " "}
    engine.add([write(tmp_path, **pages)])
    snapshot = engine.store.snapshot()
    hits = engine.search(text(7), where="trust > 0.5")
    assert hits
    assert "rumour.md" not in {place.document for hit in hits for place in hit.passage.places}
    found = weights(snapshot, graded(engine.home, snapshot, engine.settings, engine.loaded.embedder("fake:64")), {})
    by_document = {passage.places[0].document: found[passage.id] for passage in snapshot.passages}
    assert by_document["rumour.md"] == pytest.approx(0.4)
    assert by_document["page0.md"] == 1


def test_a_kill_before_settling_is_made_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import selfstudy.recipes.ingest as ingest

    docs = write(tmp_path, policy_v1=text(9, 80) + " Pay 5 euros.", policy_v2=text(9, 80) + " Pay 9 euros.")
    with monkeypatch.context() as patch:
        patch.setattr(ingest, "settle", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            opened(tmp_path).add([docs])
    engine = opened(tmp_path)
    assert engine.store.snapshot().documents["policy_v1.md"].superseded_by is None
    engine.add([docs])
    assert engine.store.snapshot().documents["policy_v1.md"].superseded_by == "policy_v2.md"
