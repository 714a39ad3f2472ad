"""Questions about terms: what an abbreviation stands for, and how else a thing is called, where the documents explain it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from selfstudy.core.ports import Writer
from selfstudy.core.records import Example, Passage, Term
from selfstudy.core.text import cjk_share, contains, normal
from selfstudy.synth.draft import draft

_NEAR = 80
"""Signs that may stand between two names of one thing where they are explained."""


def explained(terms: Sequence[Term]) -> Writer:
    """A writer that asks about `terms`, each of the first passage that has both of its names side by side."""

    def write(passages: Sequence[Passage]) -> Iterator[Example]:
        by_word: dict[str, list[tuple[Passage, str]]] = defaultdict(list)
        wanted = {normal(term.means).split()[0] for term in terms}
        for passage in passages:
            text = normal(passage.text)
            for word in wanted.intersection(text.split()):
                by_word[word].append((passage, text))
        for term in terms:
            name, means = normal(term.name), normal(term.means)
            for passage, text in by_word[means.split()[0]]:
                if contains(text, name) and contains(text, means) and abs(text.index(name) - text.index(means)) <= _NEAR + len(means):
                    yield _asked(passage, term)
                    break

    return write


def _asked(passage: Passage, term: Term) -> Example:
    if cjk_share(term.means) > 0.5:
        asked = f"{term.means}又称什么？" if cjk_share(term.name) > 0.5 else f"{term.means}的外文名称是什么？"
        return draft(passage, asked, (term.name,), "term", "glossary")
    if term.kind == "abbreviation":
        return draft(passage, f"What does {term.name} stand for?", (term.means,), "term", "glossary")
    return draft(passage, f"What else is {term.means} called?", (term.name,), "term", "glossary")
