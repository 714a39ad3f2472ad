"""The audit of a corpus: what is in it, what is wrong with it, what to do; and its page, which loads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from selfstudy.core.records import Record
from selfstudy.evals.html import line, section, table, whole

_MOST = 50


@dataclass(frozen=True, slots=True)
class Sample(Record):
    """An example: `text` is `Document.text[start:end]` of `document`; `other` is what it repeats, contradicts or gives way to."""

    document: str
    reason: str
    text: str = ""
    start: int = 0
    end: int = 0
    other: str = ""
    other_text: str = ""
    other_start: int = 0
    other_end: int = 0


@dataclass(frozen=True, slots=True)
class Finding(Record):
    """One kind of fault: how many of it, what it means here, what a person can do, and examples, worst first."""

    name: str
    count: int
    about: str
    advice: str
    samples: tuple[Sample, ...] = ()


@dataclass(frozen=True, slots=True)
class Audit(Record):
    """What an audit found. `kinds` counts the documents of each format, `languages` those of each language;
    `rulings` is what a person has decided so far.
    """

    title: str
    created: str
    documents: int
    passages: int
    kinds: dict[str, int]
    languages: dict[str, int]
    findings: tuple[Finding, ...]
    rulings: dict[str, str] = field(default_factory=dict)
    report: str = ""


def audit_page(audit: Audit) -> str:
    """The page of an audit, as HTML that needs no network."""
    tiles = [("documents", audit.documents), ("passages", audit.passages), *((one.name, one.count) for one in audit.findings)]
    shown = "".join(
        f'<div class="tile"><div class="label">{escape(name)}</div><div class="value"><b>{count:,}</b></div></div>' for name, count in tiles
    )
    parts = [f'<div class="tiles">{shown}</div>', *(_finding(one) for one in audit.findings if one.count)]
    if clean := [one.name for one in audit.findings if not one.count]:
        parts.append(line("note", f"None found: {', '.join(clean)}."))
    formats, languages = (
        _pairs([name, "documents", "share"], [(one, f"{n:,}", f"{n / audit.documents:.0%}") for one, n in counts.items()])
        for name, counts in (("format", audit.kinds), ("language", audit.languages))
    )
    parts.append(section("What is in it", formats + languages))
    if audit.rulings:
        parts.append(section("What was decided", _pairs(["document", "ruling"], list(audit.rulings.items())), "Later runs respect this."))
    return whole(f"Audit of {audit.title}", audit.created, "\n".join(parts))


def _finding(one: Finding) -> str:
    rows = [
        f'<tr><th scope="row">{_quoted(sample.document, sample.text, sample.start, sample.end)}</th>'
        f'<td class="text">{_quoted(sample.other, sample.other_text, sample.other_start, sample.other_end)}</td>'
        f'<td class="text">{escape(sample.reason)}</td></tr>'
        for sample in one.samples[:_MOST]
    ]
    more = line("about", f"and {one.count - len(rows):,} more") if one.count > len(rows) and rows else ""
    body = line("about", one.advice) + (table(["document", "beside", "why"], rows, "pairs") if rows else "") + more
    return section(f"{one.name} ({one.count:,})", body, one.about, one.name.replace(" ", "-"))


def _quoted(document: str, text: str, start: int, end: int) -> str:
    where = f"{document}, characters {start}-{end}" if end else document
    return (f"{escape(text[:400])}<small>{escape(where)}</small>") if text else escape(where)


def _pairs(heads: Sequence[str], pairs: Sequence[tuple[str, ...]]) -> str:
    rows = [
        f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{escape(value)}</td>" for value in values)}</tr>' for name, *values in pairs
    ]
    return table(heads, rows, "numbers")
