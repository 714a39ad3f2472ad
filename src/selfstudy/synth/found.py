"""Questions that the documents themselves ask: FAQ headings and lines that end in a question mark, with what follows them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from selfstudy.core.records import Example, Passage
from selfstudy.core.text import content_words, sentences, tokens
from selfstudy.synth.draft import draft

_LABEL = re.compile(
    r"""^(?: (?i:Q|Question|FAQ|问题?)\s*\d*\s*[:.：)] | [-*•] | \d+[.)、](?!\d) | \d+(?:\.\d+){2,}[.)]?(?=\s)
    | \d+\.\d+[.)]?\s+(?= [A-Z][a-z]{2} | (?:I|Is|Do|Am|If|My)\s | (?![毫厘公千英米克元万亿倍寸度伏瓦吨升])[㐀-鿿] ) )\s*""",
    re.VERBOSE,
)
"""What numbers a question. Of 1.2 and 3.5 the one before a word that begins a question is a section's number; 3.5 mm is a size."""


def found(passages: Sequence[Passage]) -> Iterator[Example]:
    """A question in the text or in the last heading, answered by what follows it: people's own words, the best there are."""
    for passage in passages:
        last = passage.title.rsplit(" > ", 1)[-1].strip()
        if _is_question(last):
            yield draft(passage, _LABEL.sub("", last), (), "text", "found")
        spans = sentences(passage.text)
        for start, end in spans[:-1]:
            text = re.sub(r"\s+", " ", passage.text[start:end])
            if _is_question(text) and len(passage.text) - end > 40:
                yield draft(passage, _LABEL.sub("", text), (), "text", "found")


def _is_question(text: str) -> bool:
    return text.endswith(("?", "？")) and 4 <= len(tokens(text)) <= 40 and len(content_words(text)) >= 2
