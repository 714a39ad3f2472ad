"""The audit of a home: everything that was found about its documents, put together for a person."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path

from selfstudy.core.files import make_folder, write_atomic
from selfstudy.core.ports import Embedder, Entailment
from selfstudy.core.records import LANGUAGE, Passage
from selfstudy.corpus.cleaning.boilerplate import left_out
from selfstudy.corpus.cleaning.contradictions import Contradiction, contradictions
from selfstudy.corpus.cleaning.quality import Grade
from selfstudy.corpus.cleaning.versions import Family
from selfstudy.corpus.set_aside import SetAside
from selfstudy.evals.audit import Audit, Finding, Sample, audit_page
from selfstudy.index.snapshot import DROPPED, Snapshot
from selfstudy.recipes.rulings import Rulings
from selfstudy.recipes.settings import Settings
from selfstudy.recipes.settle import boilerplate_of, families_of, graded, readable_vectors, standing

MOST = 200
"""Examples of one kind that are listed."""
_SHOWN = 300
_DISTRUST = 0.5


def audit(
    home: Path,
    snapshot: Snapshot,
    settings: Settings,
    embedder: Embedder,
    set_aside: Sequence[SetAside],
    entailment: Entailment | None = None,
) -> Audit:
    """Look at everything and write the page `reports/audit.html`. Nothing in the index changes."""
    families = families_of(home, snapshot, settings)
    grades = graded(home, snapshot, settings, embedder)
    found = Audit(
        title=home.resolve().name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        documents=len(snapshot.documents),
        passages=len(snapshot),
        kinds=_counted(snapshot, "format", "other"),
        languages=_counted(snapshot, LANGUAGE, "unknown"),
        findings=(
            _set_aside(set_aside),
            _duplicates(snapshot),
            _versions(families),
            _contradictions(disagreeing(snapshot, families, settings, embedder, entailment)),
            _graded("off the subject", "off the subject", snapshot, grades),
            _graded("noisy", "noisy", snapshot, grades),
            _boilerplate(home, snapshot, settings),
            _distrusted(snapshot),
            _dropped(snapshot),
        ),
        rulings=dict(Rulings(home).all()),
        report="reports/audit.html",
    )
    make_folder(home / "reports")
    write_atomic(home / found.report, audit_page(found))
    return found


def _counted(snapshot: Snapshot, field: str, otherwise: str) -> dict[str, int]:
    """How many documents have each value of a field, the most frequent first."""
    return dict(Counter(str(card.meta.get(field, otherwise)) for card in snapshot.documents.values()).most_common())


def disagreeing(
    snapshot: Snapshot, families: Sequence[Family], settings: Settings, embedder: Embedder, entailment: Entailment | None = None
) -> list[Contradiction]:
    """Contradictions between passages of current documents; what repeats another is compared once, versions not with one another."""
    vectors = readable_vectors(snapshot, embedder)
    visible = snapshot.mask(None)
    rows = [row for row, passage in enumerate(snapshot.passages) if not passage.repeats and (visible is None or visible[row])]
    apart = {frozenset(pair) for family in families for pair in combinations(family.members, 2)}
    passages = snapshot.passages.take(rows)
    return contradictions(passages, vectors[rows] if vectors is not None else None, settings.contradictions, apart, entailment)


def _set_aside(found: Sequence[SetAside]) -> Finding:
    samples = tuple(Sample(one.source, one.reason) for one in found[:MOST])
    return Finding("set aside", len(found), "Inputs that could not be read.", "Mend these files, or leave them out.", samples)


def _duplicates(snapshot: Snapshot) -> Finding:
    exact = [passage for passage in snapshot.passages if len(passage.places) > 1]
    near = [passage for passage in snapshot.passages if passage.near is not None]
    inside = [passage for passage in snapshot.passages if passage.near is None and passage.within]
    samples = [_sample(passage, "nearly repeats", _passage(snapshot, passage.near)) for passage in near[: MOST // 2]]
    samples += [_sample(passage, "stands inside", _passage(snapshot, passage.within[0])) for passage in inside[: MOST - len(samples)]]
    samples += [
        Sample(
            first.document, f"word for word in {len(passage.places)} places", passage.text[:_SHOWN], first.start, first.end, other.document
        )
        for passage in exact[: MOST - len(samples)]
        for first, other in [passage.places[:2]]
    ]
    whole = sum(all(passage.repeats for passage in parts) for parts in standing(snapshot).values())
    about = (
        f"{len(near):,} passages nearly repeat another with the same facts, {len(inside):,} stand inside another document; {len(exact):,} "
        f"stand word for word in several places. {whole:,} documents say nothing else."
    )
    advice = "Nothing has to be done: they are shown once and asked about once."
    return Finding("duplicates", len(near) + len(inside) + len(exact), about, advice, tuple(samples))


def _passage(snapshot: Snapshot, id: str | None) -> Passage:
    return snapshot.passages[snapshot.row(str(id))]


def _versions(families: Sequence[Family]) -> Finding:
    samples = []
    for family in families:
        for id in family.members:
            if id != family.current:
                why = f"ordered by {family.why}" if family.current else family.why
                samples.append(Sample(id, why, other=family.current or ", ".join(one for one in family.members if one != id)))
    unclear = sum(family.current is None for family in families)
    about = f"{len(families):,} documents in several versions; of {unclear:,} it is not clear which is the current one."
    advice = "Outdated versions are found only with --superseded. --current ID says which counts; --keep ID says that it is no version."
    return Finding("versions", len(samples), about, advice, tuple(samples[:MOST]))


def _contradictions(found: Sequence[Contradiction]) -> Finding:
    samples = []
    for one in found[:MOST]:
        a, b = one.place, one.other_place
        why = "the opposite" if one.kind == "negation" else f"another {one.kind}"
        why += "" if one.confirmed is None else f"; unsupported with probability {one.confirmed:.2f}"
        samples.append(Sample(a.document, why, one.quote, a.start, a.end, b.document, one.other_quote, b.start, b.end))
    about = "Pairs of sentences with the same words that differ in a number, a date or a denial. Some speak of different things."
    return Finding("contradictions", len(found), about, "Mend the wrong one at its source, or --drop its document.", tuple(samples))


def _graded(name: str, begins: str, snapshot: Snapshot, grades: Mapping[str, Grade]) -> Finding:
    bad = [(passage, reason) for passage in snapshot.passages for reason in grades[passage.id].reasons if reason.startswith(begins)]
    bad.sort(key=lambda pair: (grades[pair[0].id].relevance or 0) if begins != "noisy" else -grades[pair[0].id].noise)
    about = {
        "noisy": "Passages with many words that look like misprints: bad scans, broken files, code.",
        "off the subject": "Passages that are nearer to everyday text than to what most documents are about.",
    }[name]
    samples = tuple(_sample(passage, reason) for passage, reason in bad[:MOST])
    return Finding(
        name,
        len(bad),
        about,
        "No questions are written about them. --keep ID writes them all the same; --drop ID hides a document.",
        samples,
    )


def _boilerplate(home: Path, snapshot: Snapshot, settings: Settings) -> Finding:
    marks = boilerplate_of(home) if settings.boilerplate.on else frozenset()
    counts: Counter[str] = Counter()
    first: dict[str, Sample] = {}
    ids = list(snapshot.documents)
    for start in range(0, len(ids) if marks else 0, MOST):
        for document in snapshot.load_documents(ids[start : start + MOST]):
            for begin, end in left_out(document, marks):
                text = document.text[begin:end]
                counts[same := re.sub(r"\d+", "0", text)] += 1
                first.setdefault(same, Sample(document.id, "", text, begin, end))
    samples = tuple(replace(first[same], reason=f"{count} times") for same, count in counts.most_common(MOST))
    about = f"Lines that many documents repeat at their edges, {counts.total():,} in all. They stand in the documents and not in the index."
    return Finding("boilerplate", len(counts), about, "Set boilerplate.on=false where these lines matter.", samples)


def _distrusted(snapshot: Snapshot) -> Finding:
    bad = [card for card in snapshot.documents.values() if float(card.facts.get("trust", 1.0)) < _DISTRUST]
    bad.sort(key=lambda card: (float(card.facts["trust"]), card.id))
    samples = tuple(Sample(card.id, f"trust {card.facts['trust']}") for card in bad[:MOST])
    about = f"Documents whose trust (source, age, scan and noise together) is below {_DISTRUST}."
    return Finding(
        "little trusted", len(bad), about, "Leave them out with --where 'trust > 0.5'; quality.trust says whom to believe.", samples
    )


def _dropped(snapshot: Snapshot) -> Finding:
    ids = [card.id for card in snapshot.documents.values() if DROPPED in card.facts]
    samples = tuple(Sample(id, "dropped by a person") for id in ids[:MOST])
    return Finding("dropped", len(ids), "Documents that a person dropped.", "--keep ID brings one back.", samples)


def _sample(passage: Passage, reason: str, other: Passage | None = None) -> Sample:
    place = passage.places[0]
    found = Sample(place.document, reason, passage.text[:_SHOWN], place.start, place.end)
    if other is None:
        return found
    there = other.places[0]
    return Sample(found.document, reason, found.text, place.start, place.end, there.document, other.text[:_SHOWN], there.start, there.end)
