"""Reflection tokens (Self-RAG, arXiv 2310.11511): what a generator writes between its sentences to judge them, and how that reads.

Here since training and answering must render alike and may not import each other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from selfstudy.core.records import Critique, Message

RETRIEVE = ("[Retrieval]", "[No Retrieval]", "[Continue to Use Evidence]")
RELEVANT = ("[Relevant]", "[Irrelevant]")
SUPPORTED = ("[Fully supported]", "[Partially supported]", "[No support / Contradictory]")
USEFUL = ("[Utility:1]", "[Utility:2]", "[Utility:3]", "[Utility:4]", "[Utility:5]")
BEGIN, END = "<paragraph>", "</paragraph>"
TOKENS = (*RETRIEVE, *RELEVANT, *SUPPORTED, *USEFUL, BEGIN, END)
WOVEN = "reflection"
"""The kind of a conversation whose answer has tokens in it; in any other what reads like one is a word."""
_ANY = re.compile("|".join(re.escape(token) for token in TOKENS))
_LONGEST = 2000


def asked(question: str, choices: Sequence[str] = ()) -> list[Message]:
    """The conversation that a generator with reflection tokens answers."""
    listed = "".join(f"\n({letter}) {choice}" for letter, choice in zip("ABCDEFGHIJ", choices, strict=False))
    return [Message("user", harmless(question + listed))]


def evidence(passage: str, same: bool = False) -> str:
    """What stands before a sentence that rests on `passage`; with `same` on the one that was shown last."""
    return RETRIEVE[2] if same else f"{RETRIEVE[0]}{BEGIN}{harmless(passage[:_LONGEST])}{END}"


def judged(text: str, critique: Critique) -> str:
    """A sentence between its judgements, each the likeliest of its group; those that nobody made are left out."""
    before = after = ""
    if critique.relevant is not None:
        before = RELEVANT[0 if critique.relevant >= 0.5 else 1]
    if (found := critique.supported) is not None:
        levels = (found.fully, found.partly, found.no)
        after = SUPPORTED[levels.index(max(levels))]
    return f"{before}{harmless(text)}{after}"


def useful(critique: Critique) -> str:
    """The mark that ends an answer."""
    return "" if critique.useful is None else USEFUL[critique.useful.index(max(critique.useful))]


def harmless(text: str) -> str:
    """`text` without anything that would read as a reflection token: a document must not judge itself."""
    return _ANY.sub(lambda match: f" {match.group()[1:-1]} ", text)
