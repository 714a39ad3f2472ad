"""An office file as its libraries may read it, and what it states of itself: title, author, date."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from selfstudy.core.errors import BadInput
from selfstudy.core.facts.dates import first_date
from selfstudy.core.records import Scalar
from selfstudy.corpus.formats.decode import clean
from selfstudy.corpus.formats.meta import stated_title
from selfstudy.corpus.formats.xml_text import xml_tree
from selfstudy.corpus.formats.zips import Archive

_PROPERTIES = "docProps/core.xml"


def opened(path: Path, limit: int) -> tuple[BytesIO, str, dict[str, Scalar]]:
    """The checked copy of an office file for a library to read, and what the file states of itself.

    `limit`: bytes that its text may unpack to. Raises BadInput as Archive does.
    """
    with Archive(path, limit) as archive:
        title, meta = _facts(archive)
        return archive.plain_copy(), title, meta


def _facts(archive: Archive) -> tuple[str, dict[str, Scalar]]:
    """The title of an office file, "" where it states none, and its `author` and `updated`. A file may do without any of them."""
    if _PROPERTIES not in archive.parts:
        return "", {}
    data = archive.read(_PROPERTIES)
    try:
        properties = xml_tree(data)
    except BadInput:
        return "", {}
    stated = {str(element.tag).rpartition("}")[2]: clean(element.text or "") for element in properties}
    meta: dict[str, Scalar] = {}
    if author := " ".join(stated.get("creator", "").split()):
        meta["author"] = author
    if updated := first_date(stated.get("modified", ""), stated.get("created", "")):
        meta["updated"] = updated
    return stated_title(stated.get("title", "")), meta
