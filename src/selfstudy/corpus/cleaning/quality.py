"""How good a passage is, and how far a document may be believed: numbers from 0 to 1, each with its reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from selfstudy.core.facts.dates import first_date
from selfstudy.core.ports import Vectors
from selfstudy.core.records import Passage, Record, Scalar
from selfstudy.corpus.cleaning.noise import density, noise

_FEWEST = 20  # passages below which nothing can be said of what a corpus is about
_NEAREST = 5
_CORE = 0.7  # share of the passages that the core is made of
_BLOCK = 1024


class Trust(BaseModel):
    """How far documents are believed whose id (a path), author and format fit these patterns (`*` any characters)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = "*"
    author: str = "*"
    kind: str = "*"
    trust: float = Field(ge=0, le=1)

    def fits(self, id: str, meta: Mapping[str, Scalar]) -> bool:
        said = (id, str(meta.get("author") or meta.get("from") or ""), str(meta.get("format") or ""))
        patterns = (self.path, self.author, self.kind)
        return all(fnmatchcase(value.lower(), pattern.lower()) for value, pattern in zip(said, patterns, strict=True))


class Quality(BaseModel):
    """From where on a passage counts as bad, and whom to believe."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    trust: tuple[Trust, ...] = Field(
        (), description="whom to believe how far, like {path = 'wiki/*', trust = 0.4}; the first that fits holds, else 1"
    )
    half_life: float | None = Field(
        None, gt=0, description="years, counted back from the newest document, in which trust halves; null: age says nothing"
    )
    noisy: float = Field(0.12, ge=0, le=1, description="noise from which on no questions are written about a passage")
    foreign: float = Field(0.5, ge=0, le=1, description="relevance below which no questions are written about a passage")


@dataclass(frozen=True, slots=True)
class Grade(Record):
    """What was found of a passage, or of a document as the mean of its passages.

    `noise`: misprints and signs, of all words; `density`: different words with meaning, of all words; `relevance`: nearness to what the
    corpus is about, .95 for its middle, None where nothing can be said; `trust`: source, age, scan and noise together, of documents alone.
    """

    noise: float
    density: float
    relevance: float | None = None
    trust: float = 1.0
    age: float | None = None
    reasons: tuple[str, ...] = ()

    def facts(self) -> dict[str, Scalar]:
        """The numbers that there are, as fields for filters."""
        found = {"noise": self.noise, "density": self.density, "relevance": self.relevance, "trust": self.trust, "age": self.age}
        return {name: value for name, value in found.items() if value is not None}


def grade_passages(
    passages: Sequence[Passage], cfg: Quality, general: Sequence[str] = (), vectors: tuple[Vectors, Vectors] | None = None
) -> list[Grade]:
    """A grade for each passage. `general` are texts of everyday life; `vectors` those of the passages and of these, by one embedder."""
    relevant = relevance(*vectors, _shares(passages)) if vectors is not None else None
    grades = []
    for at, (passage, noisy) in enumerate(zip(passages, _noise(passages, general), strict=True)):
        near = None if relevant is None else round(float(relevant[at]), 3)
        reasons = [f"noisy: {noisy:.0%} of its words are misprints or signs"] if noisy >= cfg.noisy else []
        if near is not None and near < cfg.foreign:
            reasons.append("off the subject: nearer to everyday text than to what the others are about")
        grades.append(Grade(noisy, density(passage.text), near, reasons=tuple(reasons)))
    return grades


def _noise(passages: Sequence[Passage], general: Sequence[str]) -> list[float]:
    """The noise of each passage among those of its language: German words are no misprints because the rest is English."""
    told = Counter(passage.language for passage in passages if passage.language is not None)
    main = told.most_common(1)[0][0] if told else None
    places: dict[str | None, list[int]] = {}
    for at, passage in enumerate(passages):
        places.setdefault(passage.language or main, []).append(at)
    found = np.zeros(len(passages))
    for language, mine in places.items():
        known = general if language in (main, "en") else ()
        found[mine] = noise([passages[at].text for at in mine], known)
    return [float(value) for value in found]


def _shares(passages: Sequence[Passage]) -> NDArray[np.float64]:
    """What each passage counts among all: a document of so many the root of that, so that two long strangers are not the subject."""
    documents = [passage.places[0].document if passage.places else "" for passage in passages]
    parts = Counter(documents)
    return np.array([parts[one] ** -0.5 for one in documents])


def relevance(vectors: Vectors, general: Vectors, shares: NDArray[np.float64] | None = None) -> NDArray[np.float64] | None:
    """For each passage, 0 to 1, how near it is to what most are about, less how near it is to general text; None for a handful.

    The core are the 70% of the passages, by their `shares`, that are nearest to their own mean. A passage has its cosine with that mean,
    and its mean cosine with its nearest five in the core, less that with the nearest five general texts. A logistic curve goes through .95
    at the median of these, and through .5 at three robust deviations below it or at 0, whichever is higher.
    """
    if len(vectors) < _FEWEST or not len(general):
        return None
    shares = np.ones(len(vectors)) if shares is None else shares
    middle = _unit(np.average(vectors, axis=0, weights=shares).astype(np.float32))
    for _ in range(3):
        inside = _inside(vectors, middle, shares)
        middle = _unit(np.average(vectors[inside], axis=0, weights=shares[inside]).astype(np.float32))
    inside = _inside(vectors, middle, shares)
    column = np.full(len(vectors), -1)
    column[inside] = np.arange(inside.sum())
    score = np.empty(len(vectors))
    for start in range(0, len(vectors), _BLOCK):
        block, own = vectors[start : start + _BLOCK], column[start : start + _BLOCK]
        others = block @ vectors[inside].T
        others[np.flatnonzero(own >= 0), own[own >= 0]] = -1  # nobody is near because of itself
        score[start : start + len(block)] = block @ middle + _top(others) - _top(block @ general.T)
    median = _median(score, shares)
    low = median - 3 * (1.4826 * _median(np.abs(score - median), shares) + 1e-3)
    low = max(low, 0.0) if median > 0.05 else low
    found: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(3 * (score - low) / (median - low), -30, 30)))
    return found


def _inside(vectors: Vectors, middle: NDArray[np.float32], shares: NDArray[np.float64]) -> NDArray[np.bool_]:
    near = vectors @ middle
    inside: NDArray[np.bool_] = near >= np.quantile(near, 1 - _CORE, weights=shares, method="inverted_cdf")
    return inside


def _median(values: NDArray[np.float64], shares: NDArray[np.float64]) -> float:
    return float(np.quantile(values, 0.5, weights=shares, method="inverted_cdf"))


def grade_document(id: str, meta: Mapping[str, Scalar], parts: Sequence[tuple[Passage, Grade]], newest: date | None, cfg: Quality) -> Grade:
    """The grade of a document: its passages' by their lengths, its age in years before `newest`, and how far it may be believed."""
    lengths = np.array([len(passage.text) for passage, _ in parts], float)
    means = {
        name: float(np.average([getattr(grade, name) for _, grade in parts], weights=lengths)) if len(parts) else 0.0
        for name in ("noise", "density")
    }
    known = [(grade.relevance, length) for (_, grade), length in zip(parts, lengths, strict=True) if grade.relevance is not None]
    relevant = float(np.average([value for value, _ in known], weights=[length for _, length in known])) if known else None
    source = next((rule.trust for rule in cfg.trust if rule.fits(id, meta)), 1.0)
    reasons = [f"its source is believed {source:g}"] if source != 1 else []
    trust = source * (1 - means["noise"])
    if means["noise"] >= cfg.noisy:
        reasons.append(f"noise of {means['noise']:.0%}")
    scanned = meta.get("ocr_confidence")
    if isinstance(scanned, (int, float)) and 0 <= scanned < 1:
        trust *= scanned
        reasons.append(f"read from a picture with confidence {scanned:.2f}")
    stated = stated_date(meta)
    age = round((newest - stated).days / 365.25, 2) if newest is not None and stated is not None else None
    if cfg.half_life is not None and age:
        trust *= 0.5 ** (age / cfg.half_life)
        reasons.append(f"{age:.1f} years older than the newest")
    rounded = None if relevant is None else round(relevant, 3)
    return Grade(round(means["noise"], 3), round(means["density"], 3), rounded, round(trust, 3), age, tuple(reasons))


def stated_date(meta: Mapping[str, Scalar]) -> date | None:
    """The date that a document states of itself."""
    text = first_date(str(meta.get("updated") or ""), str(meta.get("date") or ""))
    return date.fromisoformat(text) if text else None


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = vector / max(float(np.linalg.norm(vector)), 1e-9)
    return unit


def _top(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    most = min(_NEAREST, scores.shape[1])
    top: NDArray[np.float32] = np.partition(scores, scores.shape[1] - most, axis=1)[:, -most:].mean(axis=1)
    return top
