"""Traditional Chinese characters as simplified ones, so that both spellings of a word are one word."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


def simplified(text: str) -> str:
    """`text` with every traditional character replaced by its usual simplified one; as long as before, other characters as they are.

    Character by character, by OpenCC's table: for comparing, not for reading.
    """
    return text if text.isascii() else text.translate(_table())


@cache
def _table() -> dict[int, int]:
    lines = (files("opencc") / "dictionary" / "TSCharacters.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("\t")[:2] for line in lines if "\t" in line)
    chosen = ((traditional, forms.split(" ")[0]) for traditional, forms in pairs)
    return {ord(traditional): ord(form) for traditional, form in chosen if len(form) == 1 and form != traditional}
