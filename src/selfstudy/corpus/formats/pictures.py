"""Pictures with text in them (png, jpeg, tiff, bmp, webp): scans, faxes, photographs of pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from selfstudy.core.errors import BadInput
from selfstudy.core.plugs import extra
from selfstudy.core.ports import Progress, silent
from selfstudy.core.records import Document, Scalar
from selfstudy.corpus.formats.decode import clean
from selfstudy.corpus.formats.ocr import Engine, Seen, see
from selfstudy.corpus.structure.blocks import Block, join, marks

KINDS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP")
_LEAST = 16  # pixels of a side; no letter is legible in less


class Picture:
    """Reads a picture as one document, a tiff of many pages as one too.

    meta: `ocr_confidence` (0 to 1) and, of several pages, that of each as `ocr_pages`, "1: 0.98, 2: 0.71". Raises BadInput where the
    file is damaged or has more than `max_pixels` pixels on a page, MissingExtra where the engine is not installed.
    """

    def __init__(self, engine: Engine = "rapidocr", max_pixels: int = 100_000_000, progress: Progress = silent) -> None:
        self.engine = engine
        self.max_pixels = max_pixels
        self.progress = progress

    def parse(self, path: Path) -> Iterator[Document]:
        if self.engine == "off":
            raise BadInput("a picture, and reading them is turned off (parse.ocr)", "Set parse.ocr to rapidocr.")
        pages = list(self._pages(path))
        blocks = [Block(clean(page.text), at=f"p. {number}") for number, page in enumerate(pages, 1) if page.text]
        meta: dict[str, Scalar] = {"pages": len(pages), **confidences(dict(enumerate(pages, 1)))}
        yield Document(path.name, join(blocks)[0], source=str(path), meta=meta, marks=marks(blocks) if len(pages) > 1 else ())

    def _pages(self, path: Path) -> Iterator[Seen]:
        pil: Any = extra("PIL.Image", "ocr")
        transposed = extra("PIL.ImageOps", "ocr").exif_transpose
        pil.MAX_IMAGE_PIXELS = None  # our own limit stands below
        try:
            with pil.open(path, formats=KINDS) as image:
                for number in range(getattr(image, "n_frames", 1)):
                    image.seek(number)
                    self.progress(number, image.n_frames if hasattr(image, "n_frames") else 1)
                    width, height = image.size
                    if width * height > self.max_pixels:
                        raise BadInput(
                            f"huge: {width} x {height} pixels, the limit is {self.max_pixels} (parse.max_pixels)", "Scale it down."
                        )
                    yield see(transposed(image), self.engine) if min(width, height) >= _LEAST else Seen("", 1.0)
        except (OSError, SyntaxError, ValueError, EOFError) as error:
            raise BadInput(f"broken: a picture that is damaged or cut off ({type(error).__name__})", "Scan it anew.") from None


def confidences(pages: dict[int, Seen]) -> dict[str, Scalar]:
    """What is kept of the confidence in pages read by OCR, by page number: the mean over all characters, and each page's."""
    length = sum(len(page.text) for page in pages.values())
    if not length:
        return {}
    mean = sum(len(page.text) * page.confidence for page in pages.values()) / length
    each = ", ".join(f"{number}: {page.confidence:.2f}" for number, page in pages.items())
    found: dict[str, Scalar] = {"ocr_confidence": round(mean, 3)}
    if len(pages) > 1:
        found["ocr_pages"] = each
    return found
