"""The head, weight averages and the trainer, on vectors and on a tiny model made here."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from passages import passage
from training import WORDS, Unmoved, artifact, batches_read, examples, prompted, still

from selfstudy.core.ports import Vectors
from selfstudy.core.records import Artifact, Example, Hit
from selfstudy.core.run import Lazy, Run
from selfstudy.train.averaging import Average, average, joined, nearer
from selfstudy.train.embedder import EmbedderTraining, embedder
from selfstudy.train.head import Head, Weights, fit_head
from selfstudy.train.model import averaged, load, with_head
from selfstudy.train.rows import batched, contrastive, evidence_text, mistyped


def unit(matrix: Vectors) -> Vectors:
    return (matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).astype(np.float32)


def nothing(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(0, np.int64), np.zeros(0, np.int64)


def turned(seed: int = 0, passages: int = 80) -> tuple[Vectors, Vectors, np.ndarray]:
    """Questions that lie near a turned and noisy image of their passage, so that the base finds few of them."""
    chooser = np.random.default_rng(seed)
    searched = unit(chooser.normal(size=(passages, 32)))
    turn = np.linalg.qr(chooser.normal(size=(32, 32)))[0]
    evidence = np.repeat(np.arange(passages), 4)
    asked = unit(searched[evidence] @ (0.4 * np.eye(32) + 0.6 * turn) + 0.12 * chooser.normal(size=(len(evidence), 32)))
    return asked, searched, evidence


def found(asked: Vectors, searched: Vectors, evidence: np.ndarray) -> float:
    return float(((asked @ searched.T).argmax(axis=1) == evidence).mean())


def test_the_head_learns_what_was_turned_on_questions_it_has_not_seen() -> None:
    asked, searched, evidence = turned()
    seen = np.arange(len(asked)) % 4 != 0
    weights, losses = fit_head(Head(steps=150, hidden=64, anchor=0.5, learning_rate=3e-3), asked[seen], searched, evidence[seen], nothing)
    before = found(asked[~seen], searched, evidence[~seen])
    after = found(weights(asked[~seen]), weights(searched), evidence[~seen])
    assert losses[-1] < losses[0] / 2
    assert after > before + 0.1


def test_a_strong_anchor_keeps_vectors_where_they_were() -> None:
    asked, searched, evidence = turned()
    loose, _ = fit_head(Head(steps=40, anchor=0, learning_rate=3e-3), asked, searched, evidence, nothing)
    tight, _ = fit_head(Head(steps=40, anchor=1000, learning_rate=3e-3), asked, searched, evidence, nothing)
    drift = [float(1 - (weights(searched) * searched).sum(axis=1).mean()) for weights in (loose, tight)]
    assert drift[1] < drift[0] / 5
    assert np.allclose(tight.scaled(0)(searched), searched, atol=1e-6)


def test_known_false_negatives_are_not_pushed_away() -> None:
    asked, searched, evidence = turned(passages=12)
    twin = np.concatenate([searched, searched])  # every passage has a twin: as a negative it cancels what is learned

    def twins(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.arange(len(rows)), evidence[rows] + 12

    settings = Head(steps=60, hidden=64, anchor=0, learning_rate=3e-3)
    _, losses = fit_head(settings, asked, twin, evidence, twins)
    _, cancelled = fit_head(settings, asked, twin, evidence, nothing)
    assert losses[-1] < cancelled[-1] - 0.5, "against its own twin no softmax can fall below log 2"


def test_a_pool_smaller_than_the_corpus_still_holds_every_evidence() -> None:
    asked, searched, evidence = turned()
    weights, losses = fit_head(Head(steps=60, batch=32, pool=48, anchor=0.5, learning_rate=3e-3), asked, searched, evidence, nothing)
    assert losses[-1] < losses[0]
    assert np.isfinite(weights(asked)).all()


def test_what_was_asked_is_taken_out_of_the_evidence() -> None:
    import random

    one = passage("It rains today. The fee is   thirty euros a year. Pay in May.", "Club > Fees")
    example = Example("e", "Club: The fee is thirty euros a year.", (), (Hit(one, 1.0, "w"),), writer="sentence")
    texts = {evidence_text(example, random.Random(seed)) for seed in range(40)}
    assert texts == {one.indexed, "Club > Fees\nIt rains today.   Pay in May."}
    heading = Example("h", "Fees", (), (Hit(one, 1.0, "w"),), writer="headings")
    assert {evidence_text(heading, random.Random(seed)) for seed in range(40)} == {one.indexed, one.text}


def about(place: int, hard: Sequence[int] = (), question: int = 0) -> Example:
    """A question about passage number `place`, with passages of other numbers as its hard negatives."""
    evidence = (Hit(passage(f"text {place}"), 1.0, "w"),)
    return Example(
        f"{place}-{question}", f"question {place}-{question}", (), evidence, tuple(Hit(passage(f"text {h}"), 1.0, "d") for h in hard)
    )


def test_batches_bring_hard_negatives_in_as_other_questions() -> None:
    rows = [about(place, [(place + 10) % 20, (place + 5) % 20], question) for place in range(20) for question in range(2)]
    batches = batched(rows, 6, 40, mates=2, seed=3)
    assert len(batches) == 40
    together = 0
    for batch in batches:
        ids = [example.evidence[0].passage.id for example in batch]
        assert len(ids) == len(set(ids)) == 6, "a passage that stands twice would be its own question's negative"
        together += sum(hit.passage.id in ids for example in batch for hit in example.distractors)
    alone = batched(rows, 6, 40, mates=0, seed=3)
    apart = sum(hit.passage.id in {e.evidence[0].passage.id for e in batch} for batch in alone for e in batch for hit in e.distractors)
    assert together > 2 * apart
    assert {example.id for batch in alone[:10] for example in batch} == {row.id for row in rows}, "each comes once before any comes again"
    assert batched(rows, 6, 40, mates=2, seed=3) == batches
    assert [len(batch) for batch in batched(rows[:4], 6, 2, 2)] == [2, 2]


def test_rows_keep_the_passages_in_the_order_of_the_loss() -> None:
    bare, mined = about(0), about(1, [2])
    assert set(contrastive([[bare, mined]], 0).columns) == {"anchor", "positive"}
    rows = contrastive([[bare, mined]], 1)
    assert rows.columns == {
        "anchor": ["question 0-0", "question 1-0"], "positive": ["text 0", "text 1"], "negative_1": ["text 2", "text 2"],
    }  # fmt: skip
    assert rows.passages == [[passage(f"text {place}").id for place in (0, 1, 2, 2)]]
    assert set(contrastive([[bare], [mined]], 1).columns) == {"anchor", "positive"}, "a batch without any has none to lend"


def test_some_questions_are_mistyped() -> None:
    import random

    asked = "Which valve of the condenser is opened first?"
    typed = {mistyped(asked, random.Random(seed)) for seed in range(300)}
    assert {asked.lower(), asked.upper()} <= typed
    slips = typed - {asked.lower(), asked.upper()}
    assert len(slips) > 20
    for slip in slips:
        changed = [(old, new) for old, new in zip(asked.split(), slip.split(), strict=True) if old != new]
        assert len(changed) <= 1
        for old, new in changed:
            assert (old[0], old.rstrip("?")[-1]) == (new[0], new.rstrip("?")[-1])
            assert abs(len(old) - len(new)) <= 1
    assert mistyped("Wer?", random.Random(2)).lower() == "wer?"
    for foreign in ("被告每月支付多少生活费？", "Какой клапан открывается первым?"):
        slips = {mistyped(foreign, random.Random(seed)) for seed in range(60)} - {foreign, foreign.lower(), foreign.upper()}
        assert len(slips) > 10, "slips are made in every script"
        assert all(abs(len(slip) - len(foreign)) <= 1 for slip in slips)
    batches = [[about(place, [place + 1]) for place in range(20)]]
    whole, some = contrastive(batches, 1), contrastive(batches, 1, typos=0.5)
    differing = sum(one != other for one, other in zip(whole.columns["anchor"], some.columns["anchor"], strict=True))
    assert 4 <= differing <= 16
    assert some.columns["positive"] == whole.columns["positive"], "what else is drawn stays as it is"


def test_the_loss_mixes_what_is_right_with_what_the_teacher_thinks() -> None:
    import torch

    from selfstudy.train.losses import in_batch

    anchors, passages = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[2.0, 0.0], [0.0, 5.0]])

    def identity(features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return features

    def loss(taught: float, scores: list[list[float]], anchor: float = 0.0, base: list[list[float]] | None = None) -> float:
        columns = [{"sentence_embedding": anchors}, {"sentence_embedding": passages}]
        labels = torch.cat([torch.tensor(scores), torch.tensor(base or [[0.0, 0.0], [0.0, 0.0]]), torch.zeros(2, 2)], dim=1)
        return float(in_batch(identity, 0.5, taught, anchor)(columns, labels))  # type: ignore[arg-type]

    right = float(np.log(1 + np.exp(-2)))  # cosines 1 and 0 at temperature .5
    level, sure, wrong = [[0.0, 0.0], [0.0, 0.0]], [[99.0, 0.0], [0.0, 99.0]], [[0.0, 99.0], [99.0, 0.0]]
    assert loss(0.0, level) == pytest.approx(right, abs=1e-6)
    assert loss(1.0, level) == pytest.approx(right + 1, abs=1e-6)  # half of it on the other, 2 away in the exponent
    assert loss(0.5, sure) == pytest.approx(right, abs=1e-6)
    assert loss(0.5, wrong) == pytest.approx(right + 1, abs=1e-6)
    assert loss(0.0, level, 3.0) == pytest.approx(right + 6, abs=1e-6)  # nothing is where the base would have it
    assert loss(0.0, level, 3.0, [[1.0, 0.0], [0.6, 0.8]]) == pytest.approx(right + 3 * (2 - 0.9), abs=1e-6)


def test_the_head_as_plain_modules_is_the_head(tiny: Path, tmp_path: Path) -> None:
    chooser = np.random.default_rng(1)
    weights = Weights(chooser.normal(size=(32, 16)).astype(np.float32), 0.3 * chooser.normal(size=(16, 32)).astype(np.float32))
    texts = ["the green kettle", "what is repaired by the owner", "water"]
    base = load(tiny).encode(texts, normalize_embeddings=True)
    with_head(load(tiny), weights).save_pretrained(str(tmp_path / "model"), create_model_card=False)
    again = load(tmp_path / "model")
    assert np.allclose(again.encode(texts), weights(base), atol=1e-5)
    assert [type(module).__name__ for module in again] == ["Transformer", "Pooling", "Normalize", "Dense", "Dense", "Normalize"]
    assert not np.allclose(weights(base), base, atol=1e-2)


def test_an_average_lies_between_and_its_ends_are_the_models(tiny: Path) -> None:
    other = load(tiny)
    for weight in other.parameters():
        weight.data += 1.0
    name, first = next(iter(load(tiny).named_parameters()))
    half = dict(averaged(load(tiny), other, 0.25).named_parameters())[name]
    assert np.allclose((half - first).detach().numpy(), 0.25, atol=1e-5)


def test_training_brings_questions_to_their_passages(tiny: Path, tmp_path: Path) -> None:
    rows = examples()
    settings = EmbedderTraining(
        max_steps=120, learning_rate=5e-3, temperature=0.1, per_device_train_batch_size=8, frozen_layers=0, taught=0.1
    )
    run = Run(tmp_path / "run")
    base, teacher = Lazy("base", lambda: tiny), Lazy("teacher", Unmoved)
    trained = run.stage(embedder, settings, artifact(tmp_path / "mined", rows), base, teacher)
    texts = list({e.evidence[0].passage.id: e.evidence[0].passage.indexed for e in rows}.values())
    target = np.array([texts.index(e.evidence[0].passage.indexed) for e in rows])

    def hits(folder: Path) -> float:
        model = load(folder)
        asked, searched = (model.encode(t, normalize_embeddings=True) for t in ([e.question for e in rows], texts))
        return found(asked, searched, target)

    assert hits(trained.path / "tuned") > hits(tiny) + 0.2
    assert load(trained.path / "tuned").max_seq_length == 64
    assert not (trained.path / "checkpoints").exists()
    scores = {"0.0": 0.1, "0.5": 0.9, "1.0": 0.4}
    score = Lazy("score", lambda: lambda folder: scores[folder.name.removeprefix("share-")])
    best = run.stage(average, Average(shares=(0.0, 0.5, 1.0)), trained, base, score)
    assert run.result(best)["share"] == 0.5
    assert sorted(path.name for path in best.path.iterdir()) == ["manifest.json", "model"]
    near = run.stage(nearer, None, 0.5, best, base)
    start, far, back = (dict(load(path).named_parameters()) for path in (tiny, trained.path / "tuned", near.path / "model"))
    name = next(name for name in start if not np.allclose(start[name].detach(), far[name].detach()))
    assert np.allclose(back[name].detach(), (0.75 * start[name] + 0.25 * far[name]).detach(), atol=1e-5)
    fitted = Artifact("head", "head", tmp_path / "head")
    fitted.path.mkdir()
    chooser = np.random.default_rng(1)
    head = Weights(chooser.normal(size=(32, 16)).astype(np.float32), chooser.normal(size=(16, 32)).astype(np.float32), 0.5)
    head.save(fitted.path / "head.npz")
    whole = load(run.stage(joined, None, 0.5, near, trained, fitted).path / "model")
    assert np.allclose(
        whole.encode(texts), head.scaled(0.25)(load(near.path / "model").encode(texts, normalize_embeddings=True)), atol=1e-5
    )
    assert "0.5 of its distance" in next(tmp_path.glob("run/joined-*/model/README.md")).read_text()


def test_questions_and_passages_are_read_behind_their_prompts(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sentence_transformers import SentenceTransformer

    base = prompted(tiny, tmp_path / "prompted")
    read = batches_read(monkeypatch, base)
    given: list[str | None] = []
    preprocess = SentenceTransformer.preprocess

    def seen(self: Any, texts: Any, prompt: str | None = None, **more: Any) -> Any:
        given.append(prompt)
        return preprocess(self, texts, prompt=prompt, **more)

    monkeypatch.setattr(SentenceTransformer, "preprocess", seen)
    settings = EmbedderTraining(minutes=0.0001, negatives=1, per_device_train_batch_size=4)
    mined, teacher = artifact(tmp_path / "mined", examples()), Lazy("teacher", Unmoved)
    Run(tmp_path / "timed").stage(embedder, settings, mined, Lazy("base", lambda: base), teacher)
    assert (read, given) == ([], ["bridge bridge bridge ", "tunnel tunnel tunnel ", "tunnel tunnel tunnel "] * 4), "time is taken with them"
    Run(tmp_path / "run").stage(embedder, settings.model_copy(update={"max_steps": 2}), mined, Lazy("base", lambda: base), teacher)
    for columns in read:
        assert list(columns) == ["anchor_", "positive_", "negative_1_"]
        assert all(text.startswith("bridge bridge bridge") for text in columns["anchor_"])
        assert all(text.startswith("tunnel tunnel tunnel") for name in ("positive_", "negative_1_") for text in columns[name])
    assert len(read) == 2


def test_without_prompts_texts_are_read_as_they_stand(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = batches_read(monkeypatch, tiny)
    settings = EmbedderTraining(max_steps=1, per_device_train_batch_size=4)
    mined, teacher = artifact(tmp_path / "mined", examples()), Lazy("teacher", Unmoved)
    Run(tmp_path / "run").stage(embedder, settings, mined, Lazy("base", lambda: tiny), teacher)
    assert {text.split()[0] for text in read[0]["anchor_"]} <= {"what", "how"}
    assert {text.split()[0] for text in read[0]["positive_"]} == {"the"}


def test_a_learned_temperature_goes_on_from_its_checkpoint(tiny: Path, tmp_path: Path) -> None:
    from datasets import Dataset

    from selfstudy.train.embedder import prepared
    from selfstudy.train.fitting import fit

    rows = Dataset.from_dict(
        {"anchor": [f"what {word}" for word in WORDS[:8]] * 4, "positive": WORDS[:8] * 4, "label": np.zeros((32, 68), np.float32).tolist()}
    )

    class Watched:
        def __init__(self, stop: int = 0) -> None:
            self.folder, self.seen, self._stop = tmp_path, [], stop

        def progress(self, done: int, total: int) -> None:
            self.seen.append(float(self.loss.log_temperature.detach()))
            if done == self._stop:
                raise KeyboardInterrupt

    def run(stop: int = 0) -> list[float]:
        work: Any = Watched(stop)
        model = load(still(tiny, tmp_path / "still"))
        work.loss = prepared(EmbedderTraining(tempering="learned", taught=0.0, anchor=0.0), model)
        begun = float(work.loss.log_temperature.detach())
        with contextlib.suppress(KeyboardInterrupt):
            fit(work, model, work.loss, rows, size=4, steps=8, save_steps=3, learning_rate=1e-2, warmup_ratio=0.1)
        return [begun, *work.seen]

    killed = run(stop=5)
    again = run()
    assert abs(killed[4] - killed[0]) > 1e-3
    assert len(again) == 1 + 5
    assert again[1:3] == pytest.approx(killed[4:6], abs=1e-6), "steps 4 and 5 once more, from where step 3 left it"


def test_without_steps_the_start_is_the_model(tiny: Path, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    mined = artifact(tmp_path / "mined", examples())
    trained = run.stage(embedder, EmbedderTraining(minutes=0), mined, Lazy("base", lambda: tiny), Lazy("teacher", Unmoved))
    texts = ["the green kettle", "water"]
    assert np.allclose(load(trained.path / "tuned").encode(texts), load(tiny).encode(texts), atol=1e-6)


SCRIPT = """
import sys
from pathlib import Path
from selfstudy.core.records import Artifact
from selfstudy.core.run import Lazy, Run
from selfstudy.train.embedder import EmbedderTraining, embedder
from training import Unmoved
here, tiny = Path(sys.argv[1]), Path(sys.argv[2])
settings = EmbedderTraining(max_steps=160, learning_rate=1e-3, per_device_train_batch_size=8, save_seconds=20)
mined, teacher = Artifact("mined", "mined", here / "mined"), Lazy("teacher", Unmoved)
Run(here / "run").stage(embedder, settings, mined, Lazy("base", lambda: tiny), teacher)
"""


@pytest.mark.slow
def test_killed_in_the_middle_it_goes_on_from_its_checkpoint(tiny: Path, tmp_path: Path) -> None:
    artifact(tmp_path / "mined", examples())
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, str(tmp_path), str(tiny)]
    first = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)})
    deadline = time.monotonic() + 240
    while not (kept := list(tmp_path.glob("run/*.work/checkpoints/checkpoint-*/trainer_state.json"))) and time.monotonic() < deadline:
        assert first.poll() is None, "it ended before it could be killed"
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert kept
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)}, check=True, timeout=280)
    assert done.returncode == 0
    (finished,) = [path for path in (tmp_path / "run").iterdir() if (path / "manifest.json").exists()]
    assert '"resumed": true' in (finished / "manifest.json").read_text()
    assert len((finished / "losses.json").read_text().split(",")) == 32, "the losses before the kill are kept too"
