"""Text in pictures, by programs made for it: rapidocr on OpenVINO, or tesseract where it is installed."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from statistics import median
from typing import Any, Literal

from selfstudy.core.errors import BadInput, MissingExtra
from selfstudy.core.plugs import extra, openvino
from selfstudy.core.text import is_cjk
from selfstudy.corpus.formats.decode import one_line

Engine = Literal["rapidocr", "tesseract", "off"]
LANGUAGES = "eng+chi_sim"
_COLUMN = 8
"""A column of text is at least so many times as wide as its lines are high; narrower ones are cells of a table, read row by row."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line, or a part of one, with its box in pixels and the engine's confidence in it (0 to 1)."""

    text: str
    confidence: float
    left: float
    top: float
    right: float
    bottom: float

    @property
    def height(self) -> float:
        return self.bottom - self.top


@dataclass(frozen=True, slots=True)
class Seen:
    """The text of a picture in reading order, and the mean confidence in its characters (0 to 1; 1 where there are none)."""

    text: str
    confidence: float


def see(image: Any, engine: Engine) -> Seen:
    """The text in a PIL image. Raises MissingExtra where the engine is not installed."""
    lines = [line for line in (_tesseract(image) if engine == "tesseract" else _rapidocr(image)) if line.text]
    length = sum(len(line.text) for line in lines)
    sure = sum(len(line.text) * line.confidence for line in lines) / length if lines else 1.0
    return Seen(in_order(lines), round(sure, 3))


def _rapidocr(image: Any) -> list[Line]:
    found = _rapid()(extra("numpy").asarray(image.convert("RGB"))[:, :, ::-1])  # it expects blue, green, red
    lines = []
    for box, text, confidence in zip(
        *((part if part is not None else ()) for part in (found.boxes, found.txts, found.scores)), strict=True
    ):
        xs, ys = box[:, 0].tolist(), box[:, 1].tolist()
        lines.append(Line(one_line(text), float(confidence), min(xs), min(ys), max(xs), max(ys)))
    return lines


@cache
def _rapid() -> Callable[[Any], Any]:
    """The engine with the models of its own package (PP-OCR, Chinese and English): nothing is downloaded."""
    openvino()
    made = extra("rapidocr", "ocr").RapidOCR
    typings = extra("rapidocr.utils.typings", "ocr")
    parts = {f"{part}.engine_type": typings.EngineType.OPENVINO for part in ("Det", "Cls", "Rec")}
    engine: Callable[[Any], Any] = made(params={**parts, "Global.log_level": "error"})
    return engine


def _tesseract(image: Any) -> list[Line]:
    if shutil.which("tesseract") is None:
        raise MissingExtra(
            "The program 'tesseract' is not installed.", f"Install it with its languages {LANGUAGES}, or set parse.ocr to rapidocr"
        )
    data = io.BytesIO()
    image.convert("RGB").save(data, "PNG")
    done = subprocess.run(["tesseract", "stdin", "stdout", "-l", LANGUAGES, "tsv"], input=data.getvalue(), capture_output=True, check=False)
    if done.returncode:
        raise BadInput(f"broken: tesseract cannot read it ({done.stderr.decode(errors='replace').strip()[-200:]})")
    words: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in csv.DictReader(io.StringIO(done.stdout.decode()), delimiter="\t", quoting=csv.QUOTE_NONE):
        if row["level"] == "5" and row["text"].strip():
            words.setdefault((row["block_num"], row["par_num"], row["line_num"]), []).append(row)
    return [_joined(line) for line in words.values()]


def _joined(words: list[dict[str, str]]) -> Line:
    """The words of a line as tesseract gives them; between Chinese ones there is no space."""
    text = ""
    for word in words:
        text += "" if not text or (is_cjk(text[-1]) and is_cjk(word["text"][0])) else " "
        text += word["text"]
    lefts, tops = [int(word["left"]) for word in words], [int(word["top"]) for word in words]
    rights = [left + int(word["width"]) for left, word in zip(lefts, words, strict=True)]
    bottoms = [top + int(word["height"]) for top, word in zip(tops, words, strict=True)]
    sure = sum(float(word["conf"]) for word in words) / len(words) / 100
    return Line(one_line(text), sure, min(lefts), min(tops), max(rights), max(bottoms))


def in_order(lines: Sequence[Line]) -> str:
    """Lines as a person reads them: columns from left to right, each from top to bottom, an empty line between paragraphs.

    Where boxes stand side by side and are no columns of text, they are a row: "cell | cell". After the recursive X-Y cut (Nagy, Seth and
    Viswanathan 1992).
    """
    if not lines:
        return ""
    if (at := _gutter(lines)) is not None:
        return "\n\n".join(in_order([line for line in lines if (line.left < at) == first]) for first in (True, False))
    rows = _rows(lines)
    gaps = [min(line.top for line in below) - max(line.bottom for line in above) for above, below in pairwise(rows)]
    if len(lines) > len(rows) and gaps:  # something stands side by side: columns may begin under a heading
        cut = gaps.index(max(gaps)) + 1
        parts = [[line for row in part for line in row] for part in (rows[:cut], rows[cut:])]
        if any(map(_gutter, parts)):
            return "\n\n".join(map(in_order, parts))
    high = median(line.height for line in lines)
    text = _row(rows[0])
    for row, gap in zip(rows[1:], gaps, strict=True):
        text += ("\n\n" if gap > high else "\n") + _row(row)
    return text


def _gutter(lines: Sequence[Line]) -> float | None:
    """Where the right column begins if there are two or more: text on both sides of a strip in which there is none."""
    high = median(line.height for line in lines)
    edge = None
    for line in sorted(lines, key=lambda line: line.left):
        if edge is not None and line.left - edge > high:
            sides = [other for other in lines if other.left < line.left], [other for other in lines if other.left >= line.left]
            if all(len(side) > 2 and median(one.right - one.left for one in side) > _COLUMN * high for side in sides):
                return line.left
        edge = max(edge or 0.0, line.right)
    return None


def _rows(lines: Sequence[Line]) -> list[list[Line]]:
    """Lines side by side put together, from top to bottom, each row from left to right."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: line.top + line.bottom):
        last = rows[-1][-1] if rows else None
        if last is not None and min(last.bottom, line.bottom) - max(last.top, line.top) > 0.5 * min(last.height, line.height):
            rows[-1].append(line)
        else:
            rows.append([line])
    return [sorted(row, key=lambda line: line.left) for row in rows]


def _row(row: list[Line]) -> str:
    text = row[0].text
    for before, line in pairwise(row):
        text += (" | " if line.left - before.right > line.height else " ") + line.text
    return text
