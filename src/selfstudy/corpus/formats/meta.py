"""Facts about a document that can be filtered on: scalars only."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date, datetime

from selfstudy.core.records import Scalar
from selfstudy.corpus.formats.decode import clean, one_line

_INT64 = 2**63
_NO_NAME = re.compile(r"untitled|microsoft \w+ - |.*\.(?:docx?|pdf|rtf|indd|qxd|tex|dvi|pptx?|xlsx?|html?|pages)$|[\d\W_]*$", re.IGNORECASE)


def scalars(data: Mapping[str, object]) -> dict[str, Scalar]:
    """The texts, finite numbers and truth values of `data`; dates, and whole numbers beyond 64 bits, become text."""
    found: dict[str, Scalar] = {}
    for key, value in data.items():
        if isinstance(value, (date, datetime)):
            found[key] = value.isoformat()
        elif isinstance(value, str):
            found[key] = clean(value)
        elif isinstance(value, bool) or (isinstance(value, float) and math.isfinite(value)):
            found[key] = value
        elif isinstance(value, int):
            found[key] = value if -_INT64 <= value < _INT64 else str(value)
    return found


def stated_title(text: str) -> str:
    """The title that a file states in its properties; "" where that is a file's name, a number or a program's own words."""
    title = one_line(text)
    return "" if _NO_NAME.match(title) or "_" in title else title
