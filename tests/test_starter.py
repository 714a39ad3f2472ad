"""The starter model: rows to labels, a network that learns them, files to ship."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from selfstudy.core.errors import BadInput, BadModel
from selfstudy.core.run import Run, Work, stage
from selfstudy.models.starter import deltas, load
from selfstudy.models.starter.heads import OpenVino, Torch
from selfstudy.models.starter.network import ABSENT
from selfstudy.models.starter.reading import StarterReader
from selfstudy.models.starter.rows import Row, from_answers, held_out, sets_threshold
from selfstudy.recipes.starter import padded, padded_lists

PASSAGE = "The kettle holds 1.7 litres. Its cord is 75 cm long, and the lid is made of steel."
ROWS = [
    Row("own", "a", "How much does the kettle hold?", PASSAGE, span=(17, 27), relevant=1, answers=("1.7 litres",)),
    Row("own", "a", "What is the lid made of?", PASSAGE, span=(76, 81), relevant=1, answers=("steel",)),
    Row("own", "a", "Who invented the kettle?", PASSAGE, span=(0, 0), relevant=1),
    Row("own", "a", "How tall is the tower?", PASSAGE, span=(0, 0), relevant=0),
    Row("own", "a", "How long is the cord?", PASSAGE, answer="75 cm", support=2),
    Row("own", "a", "How long is the cord?", PASSAGE, answer="two metres", support=0),
]


@pytest.fixture(scope="module")
def learned() -> Any:
    """A network that has seen `ROWS` a few times."""
    import torch

    model = load.fresh()
    batch = padded(load.prepared(ROWS))
    optimizer = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], lr=3e-4)
    model.train()
    for _ in range(30):
        optimizer.zero_grad()
        model(**batch)["loss"].backward()
        optimizer.step()
    return model


def test_labels_mark_the_answers_tokens() -> None:
    items = load.prepared(ROWS)
    assert load.tokenizer().decode(items[0]["input_ids"][items[0]["start"] : items[0]["end"] + 1]) == "1. 7 litres"
    assert (items[2]["start"], items[2]["end"], items[2]["relevant"]) == (0, 0, 1)
    assert (items[4]["start"], items[4]["relevant"], items[4]["support"]) == (ABSENT, ABSENT, 2)


def test_an_answer_beyond_the_cut_is_not_learned_as_absent() -> None:
    long = "A word or two about nothing at all. " * 60 + PASSAGE
    start = long.index("steel")
    (item,) = load.prepared([Row("own", "a", "What is the lid made of?", long, span=(start, start + 5), relevant=1)])
    assert (item["start"], item["end"], item["relevant"]) == (ABSENT, ABSENT, 1)


def test_what_was_learned_is_read_back_in_order(learned: Any) -> None:
    reader = StarterReader(Torch(learned), load.tokenizer())
    found = reader.read([(row.question, row.passage) for row in ROWS[:4]])
    assert [PASSAGE[one.start : one.end] for one in found[:2]] == ["1.7 litres", "steel"]
    assert min(one.answered for one in found[:2]) > 0.5 > max(one.answered for one in found[2:])
    assert found[2].relevant > 0.5 > found[3].relevant
    judged = reader.supported([(row.question, str(row.answer), row.passage) for row in ROWS[4:]])
    assert judged.argmax(1).tolist() == [2, 0]
    assert np.allclose(judged.sum(1), 1, atol=1e-5)


def test_an_answer_stands_in_the_passage_and_is_not_longer_than_allowed() -> None:
    def later_is_better(ids: Any, mask: Any, kinds: Any) -> Any:
        """All tokens but the first alike to start with, and to end with the better the later; "no answer" is the worst."""
        span = np.zeros((*ids.shape, 2), np.float32)
        span[:, :, 1] = np.arange(ids.shape[1])
        span[:, 0] = -9
        return span, np.zeros(len(ids), np.float32), np.zeros((len(ids), 3), np.float32)

    for longest, whole in ((1, "."), (3, "three four.")):
        reader = StarterReader(later_is_better, load.tokenizer(), longest=longest)
        short, long = reader.read([("Where?", "One two three four."), ("Where is it then?", "One two three, four five six seven eight.")])
        assert "One two three four."[short.start :] == whole
        assert (short.end, long.end) == (19, 41), "neither the marks around the passage nor what fills up a batch"
    assert short.answered > 0.99


def test_a_list_counts_once_and_wants_its_own_passage_first() -> None:
    import torch

    model = load.fresh().eval()
    for head in (model.span, model.relevant, model.support):
        torch.nn.init.zeros_(head.weight)
    alone, wrong = load.prepared([replace(row, span=None) for row in (ROWS[0], ROWS[3])])

    def cost(*lists: list[dict[str, Any]]) -> float:
        return float(model(**padded_lists([{"rows": rows} for rows in lists]))["loss"].item())

    # With nothing learned a row's relevance costs ln 2, two wrong rows together as much as one, and the place among three ln 3.
    assert cost([alone]) == pytest.approx(math.log(2))
    assert cost([alone, wrong, wrong]) == pytest.approx(2 * math.log(2) + math.log(3))
    assert cost([alone, wrong, wrong], [alone]) == pytest.approx((3 * math.log(2) + math.log(3)) / 2)
    torch.nn.init.normal_(model.relevant.weight)
    with torch.no_grad():
        first, second = model.heads(*(padded([alone, wrong])[name] for name in load.NAMES))[1].tolist()
    alone["relevant"] = wrong["relevant"] = ABSENT
    assert (cost([alone, wrong]) < cost([wrong, alone])) == (first > second), "the first of a list is its own"


def test_the_reader_runs_converted_as_it_runs_in_torch_and_opens_without_torch(tmp_path: Path) -> None:
    cut = "The ferry was built by Ada Brook. " + "It takes forty minutes to cross the lake, and nobody hurries. " * 30
    pairs = [
        ("How much does the kettle hold?", PASSAGE), ("Who built the ferry?", cut), ("", ""),
        ("量子力学描述什么？", "量子力学描述微观世界。"), ("word " * 300, PASSAGE), ("Who wrote the opera?", "🙂 naïve café"),
    ]  # fmt: skip
    converted = load.reader(cache=tmp_path)
    assert isinstance(converted.heads, OpenVino)
    plain = StarterReader(Torch(load.trained()), load.tokenizer())
    for one, other in zip(converted.read(pairs), plain.read(pairs), strict=True):
        assert one.answered == pytest.approx(other.answered, abs=0.03)
        assert one.relevant == pytest.approx(other.relevant, abs=0.03)
    spans = [[(one.start, one.end) for one in reader.read(pairs[:2])] for reader in (converted, plain)]
    assert spans[0] == spans[1]
    assert cut[slice(*spans[0][1])] == "Ada Brook"
    triples = [("How long is the cord?", answer, PASSAGE) for answer in ("75 cm", "two metres")]
    assert np.allclose(converted.supported(triples), plain.supported(triples), atol=0.03)
    again = (
        "import sys; from pathlib import Path; from selfstudy.models.starter import load;"
        f"found = load.reader(cache=Path({str(tmp_path)!r})).read([('How much does the kettle hold?', {PASSAGE!r})]);"
        "print(found[0].start, found[0].end, 'torch' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", again], capture_output=True, text=True, check=True).stdout.split()
    assert told == [*map(str, spans[0][0]), "False"]


def test_a_network_that_cannot_be_converted_runs_in_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from selfstudy.models.starter import heads

    pairs = [(row.question, row.passage) for row in ROWS[:4]]
    expected = load.reader().read(pairs)
    truly = heads._graph

    def without_mask(model: Any) -> Any:
        model.heads, given = (lambda ids, mask, kinds: given(ids, mask * 0 + 1, kinds)), model.heads
        try:
            return truly(model)
        finally:
            model.heads = given

    monkeypatch.setattr(heads, "_graph", without_mask)
    found = load.reader(cache=tmp_path)
    assert isinstance(found.heads, Torch), "its scores differ"
    assert [one.answered for one in found.read(pairs)] == pytest.approx([one.answered for one in expected], abs=0.03)
    monkeypatch.setattr(heads, "_graph", lambda model: pytest.fail("that it cannot be done is kept"))
    assert isinstance(load.reader(cache=tmp_path).heads, Torch)


def test_shipped_files_are_small_and_give_the_model_back(learned: Any, tmp_path: Path) -> None:
    load.ship(learned, tmp_path / "reading.safetensors", {"rows": "6"})
    assert (tmp_path / "reading.safetensors").stat().st_size < 11.5e6  # eight bits for each of the 10.6 million weights over the words
    pairs = [(row.question, row.passage) for row in ROWS[:4]]
    before, after = StarterReader(Torch(learned), load.tokenizer()).read(pairs), load.reader(tmp_path / "reading.safetensors").read(pairs)
    for one, other in zip(before, after, strict=True):
        assert other.answered == pytest.approx(one.answered, abs=0.02)
        assert other.relevant == pytest.approx(one.relevant, abs=0.02)
    assert [(one.start, one.end) for one in before[:2]] == [(other.start, other.end) for other in after[:2]]


def test_a_broken_file_is_a_bad_model(tmp_path: Path) -> None:
    (tmp_path / "reading.safetensors").write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00{}")
    with pytest.raises(BadModel, match="cannot be read"):
        load.reader(tmp_path / "reading.safetensors")


def test_equal_weights_are_not_written(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    base = {"same": torch.ones(3, 4), "other": torch.zeros(3, 4)}
    tuned = {"same": torch.ones(3, 4), "other": torch.arange(12.0).reshape(3, 4), "new": torch.full((2,), 0.5)}
    deltas.save(tmp_path / "d", tuned, base, {})
    assert set(load_file(tmp_path / "d")) == {"other", "other.scale", "new"}
    found = deltas.load(tmp_path / "d", base)
    assert torch.allclose(found["other"], tuned["other"], atol=0.05)
    assert torch.equal(found["same"], base["same"])
    assert torch.equal(found["new"], tuned["new"])


def test_wrong_answers_for_support_come_from_the_same_passage() -> None:
    made = from_answers(ROWS[:4], 10, seed=1)
    assert {row.question for row in made} == {ROWS[0].question, ROWS[1].question}  # what has no answer supports none
    for row in made:
        right = row.answer in row.answers
        assert row.support == (2 if right else 0)
        assert right or row.answer in {"1.7 litres", "steel"}


def test_the_split_goes_by_document() -> None:
    groups = [f"set:{number}" for number in range(4000)]
    held = [group for group in groups if held_out(group)]
    assert 400 < len(held) < 600
    setting = [group for group in groups if sets_threshold(group)]
    assert set(setting) < set(held)
    assert 180 < len(setting) < 320


def test_a_stopped_training_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    from selfstudy.core.artifacts import manifest
    from selfstudy.train.labelled import Fit, fit

    steps: list[int] = []
    stop_at = 12

    @stage("test.fit")
    def run_fit(work: Work, config: Fit) -> dict[str, float]:
        truly = work.progress

        def progress(done: int, total: int) -> None:
            steps.append(done)
            if done == stop_at:
                raise KeyboardInterrupt
            truly(done, total)

        work.progress = progress  # type: ignore[method-assign]
        losses = fit(work, config, load.fresh(config.seed), load.prepared(ROWS), padded)
        return {"first": losses[0], "last": losses[-1]}

    config = Fit(max_steps=24, per_device_train_batch_size=6, learning_rate=3e-4, save_steps=5)
    with pytest.raises(KeyboardInterrupt):
        Run(tmp_path).stage(run_fit, config)
    stop_at = 10**6
    made = Run(tmp_path).stage(run_fit, config)
    assert steps == [*range(1, 13), *range(11, 25)], "the ten steps before the last checkpoint are not made again"
    told = manifest(made).result
    assert told["last"] < told["first"] / 2, "the losses before the stop are kept too"


def test_the_build_trains_measures_and_fills_in_the_card(tmp_path: Path) -> None:
    from selfstudy.core.artifacts import manifest
    from selfstudy.recipes import starter
    from selfstudy.train.labelled import Fit

    data = sets(tmp_path / "data")
    config = Fit(max_steps=2, per_device_train_batch_size=4)
    read, measured = starter.build(Run(tmp_path / "work"), data, config, config)
    told = manifest(read).result
    assert told["lists"] > 100
    assert told["rows"] > 4 * told["lists"], "rows that have no list are learned again"
    assert told["deceiving"] > 10, "so are questions that their passage only seems to answer"
    one, other = (next((tmp_path / "work").glob(f"{name}-*/{load.READING}")) for name in ("reading", "ranking"))
    first, second, mean = (load.trained(path).state_dict() for path in (one, other, read.path / load.READING))
    way = [((mean[name] - first[name]).flatten(), (second[name] - first[name]).flatten()) for name in first]
    done = sum(float(gone @ whole) for gone, whole in way) / sum(float(whole @ whole) for _, whole in way)
    assert done == pytest.approx(0.5, abs=0.05), "half of the way from the first to the second, as far as eight bits tell"
    starter.publish(read, measured, tmp_path / "weights")
    card = (tmp_path / "weights" / "README.md").read_text()
    assert "{" not in card, "every figure is filled in"
    assert len(load.reader(tmp_path / "weights" / load.READING).read([("What is it?", PASSAGE)])) == 1
    again = starter.build(Run(tmp_path / "work"), data, config, config)
    assert again == (read, measured)
    (data / "squad_dev" / "queries.jsonl").write_text((data / "squad_dev" / "queries.jsonl").read_text().replace("How", "Why"))
    changed, _ = starter.build(Run(tmp_path / "work", planning=True), data, config, config)
    assert changed.key != read.key, "another text of the same length is another set"
    with pytest.raises(BadInput, match="lacks squad_dev"):
        starter.build(Run(tmp_path / "work"), tmp_path / "nowhere", config, config)


def test_abstention_is_measured_over_every_passage_that_holds_no_answer() -> None:
    from selfstudy.recipes.starter_measures import reading

    groups = sorted((f"g{n}" for n in range(40)), key=sets_threshold)  # the last ones set the threshold
    sure = {"right": 0.9, "meant": 0.6, "wrong": 0.2}  # of an answer that is there, of one that seems there, beside a wrong passage

    class Known:
        def read(self, pairs: Any) -> Any:
            return [SimpleNamespace(start=0, end=3, answered=sure[question]) for question, _ in pairs]

    rows = [
        row for group in groups for row in (
            Row("s", group, "right", "red and blue", span=(0, 3), relevant=1, answers=("red",)),
            Row("s", group, "meant", "red and blue", span=(0, 0)),
            Row("s", group, "wrong", "red and blue", span=(0, 0), relevant=0),
            Row("s", group, "unknown", "red and blue", span=None, relevant=1),
        )
    ]  # fmt: skip
    told = reading(Known(), rows)  # type: ignore[arg-type]
    count = sum(not sets_threshold(group) for group in groups)
    assert (told["questions"], told["answerable"], told["unanswerable"]) == (3 * count, count, count)
    assert (told["f1, always"], told["no-answer f1"], told["found, asked so"], told["auc"]) == (1.0, 1.0, 1.0, 1.0)
    sure["meant"] = 0.95
    told = reading(Known(), rows)  # type: ignore[arg-type]
    assert told["found, asked so"] == 0.0
    assert told["no-answer found"] == 0.5
    assert told["auc, asked so"] == 0.0
    assert told["auc"] == 0.5


def sets(data: Path) -> Path:
    """Labelled sets of a few rows in the layout of the real ones."""
    rows: dict[str, list[dict[str, object]]] = {"corpus": [], "queries": []}
    for name in ("squad_dev", "pubmedqa", "medquad", "boolq"):
        (data / name).mkdir(parents=True)
        rows = {"corpus": [], "queries": []}
        for n in range(60):
            rows["corpus"].append({"id": f"d{n}", "title": f"Kettle {n}", "text": f"Kettle number {n} holds {n} litres. It is red."})
            there = n % 3 > 0 or name != "squad_dev"
            kind = {"squad_dev": "extractive"}.get(name, "yes_no") if there else "unanswerable"
            asked = {"id": f"q{n}", "text": f"How much does kettle {n} hold?", "type": kind, "answers": [f"{n} litres"] if there else []}
            rows["queries"].append(asked | ({} if there else {"context_id": f"d{n}"}))
        for file, lines in rows.items():
            (data / name / f"{file}.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
        qrels = [f"q{n}\td{n}\t1" for n in range(60) if n % 3 > 0 or name != "squad_dev"]
        (data / name / "qrels.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *qrels]) + "\n")
    pairs = [{"doc_id": f"d{n}", "question": f"What of kettle {n}?", "answer": "It is red."} for n in range(60)]
    (data / "medquad" / "medquad_pairs.jsonl").write_text("\n".join(map(json.dumps, pairs)) + "\n")
    (data / "critic_support").mkdir()
    judged = [
        {
            "source": source, "question": "What of it?", "passage": f"The {source} number {n} was painted red by the people of the valley.",
            "response": "It is red." if n % 2 else "It is blue.", "label": "supported" if n % 2 else "not_supported",
        }
        for source in ("begin", "wice", "healthver") for n in range(60)
    ]  # fmt: skip
    (data / "critic_support" / "critic.jsonl").write_text("\n".join(map(json.dumps, judged)) + "\n")
    return data


def test_rows_say_what_the_sets_say(tmp_path: Path) -> None:
    from selfstudy.models.starter.rows import labelled, support
    from selfstudy.testing import FakeEmbedder

    data = sets(tmp_path / "data")
    found = labelled(data, "squad_dev", FakeEmbedder())
    asked = [row for row in found if row.relevant != 0]
    assert len(asked) == 60
    for row in asked:
        n = int(row.question.split()[4])
        assert row.span == (0, 0) if n % 3 == 0 else row.passage[slice(*(row.span or ()))] == f"{n} litres"
    wrong = [row for row in found if row.relevant == 0]
    assert len(wrong) == 40 // 3
    for row in wrong:
        assert row.span == (0, 0)
        assert f"number {row.question.split()[4]} " not in row.passage
        assert held_out(row.group) == held_out(f"squad_dev:{row.passage.split(chr(10))[0]}"), "of the same side of the split"
    judged = support(data)
    assert {row.source for row in judged} == {"begin", "wice"}, "the third may not be published"
    assert {row.question for row in judged} == {"", "What of it?"}
    assert all(row.support == (2 if "red" in str(row.answer) else 0) for row in judged)


def test_lists_hold_near_passages_of_their_own_side(tmp_path: Path) -> None:
    from selfstudy.models.starter.rows import listed
    from selfstudy.testing import FakeEmbedder

    found = listed(sets(tmp_path / "data"), "squad_dev", FakeEmbedder())
    assert len(found) == 40, "of those that have an answer"
    for one in found:
        own, *wrong = one.rows()
        assert (own, [row.passage for row in wrong]) == (one.row, list(one.wrong))
        assert {(row.question, row.span, row.relevant) for row in wrong} == {(own.question, (0, 0), 0)}
        assert own.passage not in one.wrong
        assert len(set(one.wrong)) == 4
        assert {held_out(f"squad_dev:{text.split(chr(10))[0]}") for text in one.wrong} == {held_out(own.group)}


KETTLE = "The Marlow kettle is made in Quillan. Its lid is made of brass and weighs 300 grams. The kettle boils a litre in 140 seconds."


def test_the_shipped_reader_finds_answers_and_knows_where_there_is_none() -> None:
    reader = load.reader()
    asked = [("How heavy is the lid of the kettle?", KETTLE), ("Where is the Marlow kettle made?", KETTLE)]
    asked += [("Who wrote the town's first opera?", KETTLE), ("How heavy is the lid of the kettle?", "Bees like gardens in May.")]
    found = reader.read(asked)
    assert [text[one.start : one.end] for (_, text), one in zip(asked[:2], found[:2], strict=True)] == ["300 grams", "Quillan"]
    assert min(one.answered for one in found[:2]) > 0.5 > max(one.answered for one in found[2:])
    assert min(one.relevant for one in found[:2]) > 0.5 > max(one.relevant for one in found[2:])


def test_ask_shows_the_readers_answer_unless_the_settings_want_none(tmp_path: Path) -> None:
    from selfstudy.recipes.engine import Engine

    others = ("Bees like gardens in May.", "The town council meets on Mondays.", "Trains leave at noon.", "Snow fell all night.")
    (tmp_path / "texts").mkdir()
    for place, text in enumerate((KETTLE, *others)):
        (tmp_path / "texts" / f"{place}.txt").write_text(text)
    engine = Engine.open(tmp_path / "home", create=True)
    engine.add([tmp_path / "texts"])
    found = engine.ask("How heavy is the lid of the kettle?")
    assert (found.short, found.abstained) == ("300 grams", False)
    assert "300 grams" in found.citations[0].quote
    without = Engine.open(tmp_path / "home", sets=("reader.on=false",)).ask("How heavy is the lid of the kettle?")
    assert (without.short, without.abstained) == ("", False)
