"""How good the starter model is on documents that it never learned from, beside what needs no model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from selfstudy.core.ports import Embedder
from selfstudy.core.text import stems
from selfstudy.evals.answers import abstention, auc, exact_match, token_f1
from selfstudy.models.starter.reading import StarterReader
from selfstudy.models.starter.rows import Row, sets_threshold


def reading(reader: StarterReader, rows: Sequence[Row]) -> dict[str, float]:
    """Exact match and token F1 on answerable questions, and how well those without an answer are found.

    Those without one are questions that people wrote so that their passage does not answer them, and questions beside passages that are
    near and wrong. `always`: an answer to every answerable question. The others answer from a probability on that was set on other
    held-out documents, so that the mean F1 over all questions is highest there, an abstention counting 1 where it is due (SQuAD 2, arXiv
    1806.03822). `no-answer f1` is that of abstaining as a decision, `no-answer found` the share of those without an answer that were not
    answered, `found, asked so` that of people's.
    """
    known = [row for row in rows if row.span is not None]
    found = reader.read([(row.question, row.passage) for row in known])
    said = [row.passage[one.start : one.end] for row, one in zip(known, found, strict=True)]
    there = np.array([row.span != (0, 0) for row in known])
    sure = np.array([one.answered for one in found])
    f1 = np.array([token_f1(text, row.answers) for text, row in zip(said, known, strict=True)])
    em = np.array([exact_match(text, row.answers) for text, row in zip(said, known, strict=True)])
    setting = np.array([sets_threshold(row.group) for row in known])
    threshold = best_threshold(sure[setting], f1[setting], there[setting])
    told = ~setting
    asked = np.array([row.relevant != 0 for row in known])[told]
    sure, f1, em, there = sure[told], f1[told], em[told], there[told]
    refused = sure < threshold
    told_not = abstention(refused, there)
    return {
        "questions": len(there),
        "answerable": int(there.sum()),
        "threshold": threshold,
        "f1, always": float(f1[there].mean()),
        "em, always": float(em[there].mean()),
        "f1": float((f1 * ~refused)[there].mean()),
        "em": float((em * ~refused)[there].mean()),
        "no-answer f1": told_not.f1,
        "no-answer found": told_not.recall,
        "unanswerable": int((asked & ~there).sum()),
        "found, asked so": float(refused[asked & ~there].mean()) if (asked & ~there).any() else 0.0,
        "auc": auc(sure, there),
        "auc, asked so": auc(sure[asked], there[asked]),
    }


def best_threshold(sure: Any, f1: Any, there: Any) -> float:
    """The probability from which on answering brings the highest mean F1 over all questions."""
    cuts = np.append(np.unique(sure), 1.0)
    values = [float(np.where(sure < cut, ~there, f1 * there).mean()) for cut in cuts]
    return float(cuts[int(np.argmax(values))])


def relevance(reader: StarterReader, embedder: Embedder, rows: Sequence[Row]) -> dict[str, float]:
    """Accuracy and AUC of the judge, and the AUC of the cosine and of shared words, on rows of which it is known."""
    known = [row for row in rows if row.relevant is not None and row.answer is None]
    labels = np.array([row.relevant for row in known])
    pairs = [(row.question, row.passage) for row in known]
    judged = np.array([one.relevant for one in reader.read(pairs)])
    told = {"rows": len(known), "accuracy": float(((judged > 0.5) == labels).mean()), "accuracy, commonest": _commonest(labels)}
    return told | {"auc": auc(judged, labels)} | _plain(embedder, pairs, labels)


def support(reader: StarterReader, embedder: Embedder, rows: Sequence[Row]) -> dict[str, float]:
    """Accuracy over no / partly / fully, and the AUC of "fully", beside those of the cosine and of shared words."""
    known = [row for row in rows if row.support is not None and row.answer is not None]
    labels = np.array([row.support for row in known])
    judged = reader.supported([(row.question, str(row.answer), row.passage) for row in known])
    told = {"rows": len(known), "accuracy": float((judged.argmax(1) == labels).mean()), "accuracy, commonest": _commonest(labels)}
    told |= {"auc": auc(judged[:, 2], labels == 2)}
    return told | _plain(embedder, [(str(row.answer), row.passage) for row in known], labels == 2)


def _commonest(labels: Any) -> float:
    """The accuracy of who always says the commonest label."""
    return float(np.bincount(labels).max() / len(labels))


def _plain(embedder: Embedder, pairs: Sequence[tuple[str, str]], labels: Any) -> dict[str, float]:
    """The AUC of what needs no judge."""
    first = embedder.embed([one for one, _ in pairs], "query")
    second = embedder.embed([other for _, other in pairs], "passage")
    shared = [len(stems(one) & stems(other)) / max(1, len(stems(one))) for one, other in pairs]
    return {"auc, cosine": auc((first * second).sum(1), labels), "auc, words": auc(shared, labels)}
