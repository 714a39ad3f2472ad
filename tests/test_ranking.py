"""Ranking metrics against values worked out by hand, intervals, and labelled questions read from files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from fakes import Found

from selfstudy.core.errors import BadInput, NotEnough
from selfstudy.core.ports import Retriever, Vectors
from selfstudy.core.records import Document, Hit, Passage, Place, passage_id
from selfstudy.evals.labelled import Query, read_qrels, read_queries
from selfstudy.evals.ranking import METRICS, first_rank, judged, per_question, ranks_of_own, reciprocal, summary
from selfstudy.index.lexical import Lexical
from selfstudy.index.reranked import Reranked
from selfstudy.index.store import Store
from selfstudy.recipes.evaluate import measure


def ranking(*documents: str) -> dict[str, float]:
    return {document: 1 / (place + 1) for place, document in enumerate(documents)}


def one(run: dict[str, float], qrels: dict[str, int]) -> dict[str, float]:
    return {metric: float(values[0]) for metric, values in per_question({"q": run}, {"q": qrels}, ["q"]).items()}


def test_metrics_by_hand() -> None:
    found = one(ranking("x", "a", "y", "z", "w", "b"), {"a": 1, "b": 1})
    assert tuple(found) == METRICS == ("hit@1", "hit@5", "hit@10", "recall@10", "mrr@10", "ndcg@10")
    # second and sixth place: (1/log2 3 + 1/log2 7) / (1/log2 2 + 1/log2 3)
    assert found == pytest.approx({"hit@1": 0, "hit@5": 1, "hit@10": 1, "recall@10": 1, "mrr@10": 0.5, "ndcg@10": 0.6052602}, abs=1e-6)


def test_reciprocal_ranks_by_hand() -> None:
    assert [first_rank(right) for right in ((True, True), (False, False, True), (False, False), ())] == [1, 3, 0, 0]
    assert reciprocal([1, 2, 10, 11, 0]).tolist() == [1, 0.5, 0.1, 0, 0]
    questions, passages = np.array([[1, 0], [0, 1]], np.float32), np.array([[0.8, 0.6], [0.6, 0.8], [0.8, 0.6]], np.float32)
    assert ranks_of_own(questions, passages, np.array([0, 1])).tolist() == [2, 1], "what scores the same stands before the own passage"


def test_grades_count_in_ndcg_alone() -> None:
    found = one(ranking("b", "a", "c"), {"a": 2, "b": 1, "c": 0, "d": -1})
    # (1 + 2/log2 3) / (2 + 1/log2 3)
    assert found == pytest.approx({"hit@1": 1, "hit@5": 1, "hit@10": 1, "recall@10": 1, "mrr@10": 1, "ndcg@10": 0.8597187}, abs=1e-6)


def test_sixth_and_tenth_place_and_half_of_the_relevant() -> None:
    others = [f"x{n}" for n in range(9)]
    sixth = one(ranking(*others[:5], "a", *others[5:]), {"a": 1, "never": 1})
    assert (sixth["hit@5"], sixth["hit@10"], sixth["recall@10"]) == (0, 1, 0.5)
    assert sixth["mrr@10"] == pytest.approx(1 / 6)
    tenth = one(ranking(*others, "a"), {"a": 1})
    assert (tenth["hit@5"], tenth["hit@10"]) == (0, 1)
    assert tenth["mrr@10"] == pytest.approx(0.1)


def test_a_miss_counts_nothing() -> None:
    eleventh = ranking(*(f"x{n}" for n in range(10)), "a")
    questions = ["far", "empty", "absent", "hit"]
    qrels = {question: {"a": 1} for question in questions}
    values = per_question({"far": eleventh, "empty": {}, "hit": {"a": 3.0}}, qrels, questions)
    for metric in METRICS:
        assert values[metric].tolist() == [0, 0, 0, 1], metric
    nothing = per_question({}, {"q": {"a": 1}}, ["q"])
    assert [values.tolist() for values in nothing.values()] == [[0.0]] * len(METRICS)


def test_order_is_that_of_the_questions() -> None:
    qrels = {"1": {"a": 1}, "2": {"a": 1}}
    runs = {"1": ranking("a"), "2": ranking("b", "a")}
    assert per_question(runs, qrels, ["2", "1"])["mrr@10"].tolist() == [0.5, 1]


def test_equal_scores_go_by_document_id() -> None:
    tied = {"c": 1.0, "a": 1.0, "b": 1.0}
    assert [one(tied, {document: 1})["mrr@10"] for document in "abc"] == pytest.approx([1, 1 / 2, 1 / 3])
    backwards = dict(reversed(tied.items()))
    assert one(backwards, {"b": 1})["mrr@10"] == 0.5


def passage(*documents: str) -> Passage:
    """One that stands in these."""
    text = " ".join(documents)
    return Passage(text, "", text, tuple(Place(document, 0, len(text)) for document in documents))


def of(passages: Sequence[Passage], scores: Sequence[float]) -> Found:
    return Found([Hit(one, score, "found") for one, score in zip(passages, scores, strict=True)])


class Read:
    """A reranker that thinks ever more of what stands deeper."""

    fingerprint = "read"

    def score(self, pairs: Sequence[tuple[str, str]]) -> Vectors:
        return np.arange(len(pairs), dtype=np.float32)


def placed(search: Retriever, document: str) -> float:
    """1 / the place of `document`, as `evaluate` measures it."""
    return float(measure({"x": search}, ([Query("q", "what")], {"q": {document: 1}}))["x"]["mrr@10"][0])


def test_what_is_measured_is_the_order_that_is_served() -> None:
    tied = of([passage(name) for name in "cab"], [1.0] * 3)
    assert [placed(tied, document) for document in "cab"] == pytest.approx([1, 1 / 2, 1 / 3])
    reranked = Reranked(tied, Read(), 1.0)
    assert [hit.passage.text for hit in reranked.search(["what"], 3)[0]] == ["b", "a", "c"]
    assert [placed(reranked, document) for document in "bac"] == pytest.approx([1, 1 / 2, 1 / 3])
    apart = of([passage(name) for name in "cab"], [3.0, 2.0, 1.0])
    assert [placed(apart, document) for document in "cab"] == pytest.approx([1, 1 / 2, 1 / 3])


def test_a_document_stands_where_its_best_passage_does() -> None:
    found = of([passage("d", "e"), passage("a", "d"), passage("b")], [2.0, 2.0, -1.0])
    assert [placed(found, document) for document in "deab"] == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4])
    assert placed(Found([]), "d") == 0


def test_words_that_score_alike_are_measured_as_they_are_served(tmp_path: Path) -> None:
    texts = [f"{name} kettle" for name in ("one", "two", "three", "four", "five", "six")]
    made = [Passage(passage_id("", text), "", text, (Place(text, 0, len(text)),)) for text in texts]
    with Store.open(tmp_path, create=True).writing() as writer:
        writer.put([(Document(one.text, one.text), [one], None) for one in made])
        writer.commit()
    search = Lexical(Store.open(tmp_path).snapshot())
    served = [hit.passage.text for hit in search.search(["kettle"], 10)[0]]
    assert served != sorted(served)
    ranks = [measure({"x": search}, ([Query("q", "kettle")], {"q": {text: 1}}))["x"]["mrr@10"][0] for text in served]
    assert ranks == pytest.approx([1 / place for place in range(1, 7)])


def test_scores_that_single_precision_cannot_tell_apart_keep_their_order() -> None:
    for best, other in ("ab", "ba"):
        assert set(one({best: 1.0 + 1e-12, other: 1.0}, {best: 1}).values()) == {1.0}


def test_questions_without_relevant_documents_are_left_out() -> None:
    qrels = {"a": {"d": 1}, "b": {"d": 0}, "c": {}}
    assert judged(["x", "c", "b", "a"], qrels) == ["a"]
    with pytest.raises(ValueError, match="without a relevant document"):
        per_question({}, qrels, ["a", "b"])
    with pytest.raises(ValueError, match="not a number"):
        one({"d": math.nan}, {"d": 1})


def test_interval_covers_the_true_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(7)
    covered = [found.low <= 0.3 <= found.high for trial in range(300) if (found := summary(rng.random(120) < 0.3, trial, 500))]
    assert 0.90 <= np.mean(covered) <= 0.985


def test_interval_is_seeded_and_narrows_with_more_questions() -> None:
    values = np.random.default_rng(1).random(400)
    assert summary(values) == summary(values)
    assert summary(values) != summary(values, seed=1)
    few, many = summary(values[:25]), summary(values)
    assert many.low < many.value < many.high
    assert few.high - few.low > 2 * (many.high - many.low)
    assert many.high - many.low == pytest.approx(4 * values.std() / 20, rel=0.1)


def test_interval_of_one_value_equal_values_and_none() -> None:
    assert summary([0.5]).json() == {"value": 0.5, "low": 0.5, "high": 0.5}
    assert summary([0.1] * 7).high == 0.1
    with pytest.raises(NotEnough):
        summary([])
    with pytest.raises(ValueError, match="finite"):
        summary([0.5, math.nan])


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def test_queries(tmp_path: Path) -> None:
    text = (
        '\ufeff{"_id": "q1", "text": "What?", "title": "T", "metadata": {"site": "s", "title": "below"}}\r\n\r\n'
        '{"id": 7, "text": "two\u2028lines", "answers": ["a"]}\n'
    )
    assert read_queries(write(tmp_path / "queries.jsonl", text)) == [
        Query("q1", "What?", {"site": "s", "title": "T"}),
        Query("7", "two\u2028lines", {"answers": ["a"]}),
    ]


def test_every_bad_query_is_told_with_its_place(tmp_path: Path) -> None:
    rows = ['{"id": "a", "text": "x"}', "{", '["a"]', '{"text": "x"}', '{"id": "b", "text": 7}', '{"id": "a", "text": "y"}', "no", "no"]
    path = write(tmp_path / "queries.jsonl", "\n".join(rows))
    with pytest.raises(BadInput) as told:
        read_queries(path)
    assert told.value.problem.startswith("7 bad lines: ")
    for number in (2, 3, 4, 5, 6):
        assert f"{path}:{number}: " in told.value.problem
    assert f"{path}:7" not in told.value.problem
    assert told.value.problem.endswith("; and 2 more.")
    assert "second time" in told.value.problem
    assert told.value.mend


@pytest.mark.parametrize("content", [b"", b"\n \n", '{"id": "a", "text": "é"}'.encode("latin-1")])
def test_a_file_without_questions(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "queries.jsonl"
    path.write_bytes(content)
    with pytest.raises(BadInput):
        read_queries(path)
    with pytest.raises(BadInput):
        read_queries(tmp_path / "absent.jsonl")
    with pytest.raises(BadInput):
        read_queries(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "query-id\tcorpus-id\tscore\nq1\ta file.txt\t1\nq1\tb\t0\nq2\tb\t2\n",
        "q1\ta file.txt\t1.0\r\nq1\tb\t0\r\n\r\nq2\tb\t2",
        "q1\t0\ta file.txt\t1\nq1\tQ0\tb\t0\nq2 0 b 2\n",
    ],
)
def test_qrels(tmp_path: Path, text: str) -> None:
    assert read_qrels(write(tmp_path / "qrels.tsv", text)) == {"q1": {"a file.txt": 1, "b": 0}, "q2": {"b": 2}}


def test_every_bad_judgement_is_told_with_its_place(tmp_path: Path) -> None:
    rows = ["q\td\t1", "q\td", "q\te\tyes", "q\td\t2", "q\t\t1", "q x d 1", "q\tf\t0.5"]
    path = write(tmp_path / "qrels.tsv", "\n".join(rows))
    with pytest.raises(BadInput) as told:
        read_qrels(path)
    assert told.value.problem.startswith("6 bad lines: ")
    for number, fault in ((2, "2 columns"), (3, "'yes'"), (4, "score 2 here and 1 above"), (5, "empty column"), (6, "second must be 0")):
        assert f"{path}:{number}: " in told.value.problem
        assert fault in told.value.problem
    assert f"{path}:7" not in told.value.problem


def test_qrels_of_a_header_alone(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="header"):
        read_qrels(write(tmp_path / "qrels.tsv", "query-id\tcorpus-id\tscore\n"))
