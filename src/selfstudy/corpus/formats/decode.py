"""Bytes in, clean text out: encodings found by evidence, control characters dropped, line ends made one."""

from __future__ import annotations

import re
import unicodedata
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, BOM_UTF32_LE
from pathlib import Path

from selfstudy.core.errors import BadInput
from selfstudy.corpus.formats.encodings import SIGNS, guess, unmarked_utf16

# UTF-32 comes first: its little-endian mark begins with that of UTF-16.
_MARKS = (
    (BOM_UTF8, "utf-8-sig"),
    (BOM_UTF32_LE, "utf-32"),
    (BOM_UTF32_BE, "utf-32"),
    (BOM_UTF16_LE, "utf-16"),
    (BOM_UTF16_BE, "utf-16"),
)
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r\b\x1b"))
_LINE_ENDS = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
# Controls, invisible marks (zero width space, soft hyphen, byte order mark) and the marks that turn the direction of writing.
_INVISIBLE = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u200b\u2060\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]")
# Bytes of Windows-1252 that were read as Latin-1, where they are controls that no text has.
_MISREAD = re.compile("[\x80-\x84\x86-\x9f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_HANZI_SIGNS = "，。、；：？！“”‘’（）《》「」『』【】—…·　"
_MEND = "Save it as UTF-8."
_REALLY = {"iso-8859-1": "cp1252", "latin-1": "cp1252", "us-ascii": "cp1252", "ascii": "cp1252", "gb2312": "gb18030", "gbk": "gb18030"}


def read_text(path: Path) -> str:
    """The clean text of the file at `path`. Raises BadInput where it is empty, binary or in an unknown encoding."""
    return clean(decode(path.read_bytes()))


def clean(text: str) -> str:
    """`text` with line ends \\n, in NFC, without control characters, invisible marks and lone surrogates.

    Controls that only a misread "€" or "–" makes are these again.
    """
    text = _MISREAD.sub(_reread, text) if not text.isascii() else text
    text = _INVISIBLE.sub("", _LINE_ENDS.sub("\n", text))
    if not text.isascii():
        text = unicodedata.normalize("NFC", _SURROGATE.sub("\ufffd", text))
    return text


def _reread(match: re.Match[str]) -> str:
    return match[0].encode("latin-1").decode("cp1252", "ignore")


def one_line(text: str) -> str:
    """`clean(text)` on one line, all white space a single space."""
    return " ".join(clean(text).split())


def really(name: str) -> str:
    """The encoding that is meant where `name` is stated: that with more characters, as browsers do (WHATWG, Encoding Standard)."""
    name = name.strip().lower().replace("_", "-")
    return _REALLY.get(name.replace("latin1", "latin-1").replace("iso8859", "iso-8859"), name)


def decode(data: bytes) -> str:
    """`data` as text: by its byte order mark, else as UTF-8, else in the encoding under which it clearly is text of some language.

    Raises BadInput where it is binary or there is no such encoding.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                return data.decode(encoding)
            except UnicodeDecodeError:
                name = encoding.removesuffix("-sig").upper()
                raise BadInput(f"wrongly encoded: it begins with the mark of {name} and is not {name}", _MEND) from None
    wide = unmarked_utf16(data) if b"\0" in data else None
    if wide is not None:
        return wide
    if len(data) - len(data.translate(None, _CONTROLS)) > len(data) / 100:
        raise BadInput("unknown format: binary data, no text", "Convert it to text.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        for attempt in (_damaged_utf8, _guessed, _gb18030, _windows_1252):
            text = attempt(data)
            if text is not None:
                return text
    raise BadInput("wrongly encoded: not UTF-8, nor clearly in any other encoding", _MEND)


def _damaged_utf8(data: bytes) -> str | None:
    """UTF-8 of which a few characters are cut: at most one of a hundred characters beyond ASCII."""
    text = data.decode("utf-8", "replace")
    return text if text.count("\ufffd") * 100 <= sum(not char.isascii() for char in text) else None


def _guessed(data: bytes) -> str | None:
    encoding = guess(data)
    return None if encoding is None else data.decode(encoding, "replace")


def _gb18030(data: bytes) -> str | None:
    """Chinese, if most characters beyond ASCII are of the 3,755 common ones; other encodings read as GB 18030 give rare ones."""
    try:
        text = data.decode("gb18030")
    except UnicodeDecodeError:
        return None
    beyond = [char for char in text if not char.isascii()]
    return text if sum(map(_common, beyond)) > 0.7 * len(beyond) else None


def _common(char: str) -> bool:
    if char in _HANZI_SIGNS:
        return True
    try:
        lead = char.encode("gb2312")[0]
    except UnicodeEncodeError:
        return False
    return 0xB0 <= lead <= 0xD7 or 0xA1 <= lead <= 0xA3


def _windows_1252(data: bytes) -> str | None:
    """Western text: letters and typographic signs, and fewer than three in ten characters beyond ASCII."""
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        return None
    beyond = [char for char in text if not char.isascii()]
    known = sum(char.isalpha() or char in SIGNS for char in beyond)
    return text if len(beyond) < 0.3 * len(text) and known >= 0.9 * len(beyond) else None
