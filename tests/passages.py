"""A passage as tests write one."""

from __future__ import annotations

from selfstudy.core.records import Passage, Place, passage_id


def passage(text: str, title: str = "", document: str = "", start: int = 0, near: str | None = None) -> Passage:
    """`text` as it stands in `document`, which has the name of its title where none is given, from character `start` on."""
    return Passage(passage_id(title, text), title, text, (Place(document or title or "d", start, start + len(text)),), near)
