"""Which format a file has: by its suffix, unless its first bytes or the parts inside say otherwise."""

from __future__ import annotations

import re
import zlib
from lzma import LZMAError
from pathlib import Path
from tarfile import is_tarfile

from selfstudy.core.errors import BadInput
from selfstudy.corpus.formats.zips import Archive

SUFFIXES = {
    ".txt": "text",
    ".text": "text",
    ".log": "text",
    ".md": "markdown",
    ".markdown": "markdown",
    ".rst": "rst",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".pdf": "pdf",
    ".jsonl": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".docx": "docx",
    ".docm": "docx",
    ".dotx": "docx",
    ".pptx": "pptx",
    ".pptm": "pptx",
    ".ppsx": "pptx",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".xltx": "xlsx",
    ".eml": "eml",
    ".mbox": "mbox",
    ".msg": "msg",
    ".vtt": "vtt",
    ".srt": "srt",
    ".json": "json",
    ".xml": "xml",
    ".epub": "epub",
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"), "picture"),
    ".zip": "zip",
    ".tar": "tar",
    ".tgz": "tar",
    ".gz": "tar",
    ".bz2": "tar",
    ".xz": "tar",
}
"""The suffixes that are read, and their formats."""

ARCHIVES = ("zip", "tar", "gz", "bz2", "xz")
"""Formats of files that hold files."""

STREAMS = ("jsonl", "mbox", *ARCHIVES)
"""Formats that are read piece by piece, so that the limit is one for each piece."""

_PACKED = ("docx", "pptx", "xlsx", "epub")
_PAGE = re.compile(rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*(?:<!doctype\s+html|<html[\s>])", re.IGNORECASE | re.DOTALL)
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")  # the latter begins an empty one
_OLE = b"\xd0\xcf\x11\xe0"
_TAR = (b"ustar", 257)  # and where it stands
_TIGHT = {b"\x1f\x8b": "gz", b"BZh": "bz2", b"\xfd7zXZ": "xz"}  # one file each, which may be a tar
_MAGIC = (
    (b"{\\rtf", "rich text (rtf)"),
    (b"%!PS", "PostScript"),
    (b"\x89PNG", "a picture (png)"),
    (b"\xff\xd8\xff", "a picture (jpeg)"),
    (b"GIF8", "a picture (gif)"),
    (b"II*\0", "a picture (tiff)"),
    (b"MM\0*", "a picture (tiff)"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a rar archive"),
    (b"SQLite format 3", "a database (sqlite)"),
    (b"PAR1", "a table (parquet)"),
    (b"\x7fELF", "a program"),
)
# What [Content_Types].xml says of the main part; templates, slide shows and files with macros say it in these words too.
_OFFICE = (
    (re.compile(rb"word(?:processingml)?\.(?:document|template)(?:\.macroEnabled(?:Template)?)?\.main\+xml"), "docx"),
    (re.compile(rb"(?:presentationml|powerpoint)\.(?:presentation|slideshow|template)(?:\.macroEnabled)?\.main\+xml"), "pptx"),
    (re.compile(rb"(?:spreadsheetml|excel)\.(?:sheet|template)(?:\.macroEnabled)?\.main\+xml"), "xlsx"),
)
# Names in the directory of an OLE file: UTF-16, at the start of an entry of 128 bytes. What may hold other files comes first, and
# what can hold none in clear comes last.
_OLD = (
    ("__properties_version1.0", "msg"),
    ("WordDocument", "an old Word file (doc)"),
    ("PowerPoint Document", "an old PowerPoint file (ppt)"),
    ("Workbook", "an old Excel file (xls)"),
    ("Book", "an old Excel file (xls)"),
    ("EncryptedPackage", "encrypted"),
)


def pick(path: Path, size: int, max_bytes: int) -> str:
    """The format of the file at `path`, one of the values of SUFFIXES. Raises BadInput for what is empty, too large or not read."""
    if size == 0:
        raise BadInput("empty: 0 bytes")
    suffix = path.suffix.lower()
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(_ZIP):
        kind = _zipped(path, suffix, max_bytes)
    elif head.startswith(_OLE):
        kind = _old(path, suffix) if size <= max_bytes else ""
    else:
        kind = _sniff(head, suffix, path)
    if kind not in STREAMS and size > max_bytes:
        raise BadInput(f"huge: {size} bytes, the limit is {max_bytes} (max_bytes)", "Split it, or raise the limit.")
    return kind


def _sniff(head: bytes, suffix: str, path: Path) -> str:
    kind = SUFFIXES.get(suffix)
    tight = next((packing for magic, packing in _TIGHT.items() if head.startswith(magic)), "")
    if head.startswith(_TAR[0], _TAR[1]) or ((kind == "tar" or tight) and _is_tar(path)):
        return "tar"
    if tight:
        return tight
    if head.lstrip().startswith(b"%PDF-"):
        return "pdf"
    for magic, what in _MAGIC:
        if head.startswith(magic) and (kind, what[:9]) != ("picture", "a picture"):
            raise _unknown(suffix, what)
    if kind in ("text", "markdown", "pdf", "xml") and b"%PDF-" not in head and _PAGE.match(head):
        return "html"
    if kind is None:
        what = f"unknown format {suffix}" if suffix else "unknown format: the file has no suffix"
        raise BadInput(what, f"Read are {', '.join(SUFFIXES)}.")
    if kind in ARCHIVES:
        raise BadInput(f"broken: not a {kind} archive", "Get it anew.")
    if kind in _PACKED:
        raise BadInput(f"broken: not what {suffix} files begin with, a zip archive", "Open it in its program and save it anew.")
    if kind == "msg":
        raise BadInput("broken: not an Outlook message", "Save the message anew.")
    return kind


def _is_tar(path: Path) -> bool:
    try:
        return is_tarfile(path)
    except (EOFError, OSError, ValueError, zlib.error, LZMAError):  # packed, and damaged
        return False


def _zipped(path: Path, suffix: str, limit: int) -> str:
    """What is inside a zip archive."""
    try:
        with Archive(path, limit) as archive:
            types, mimetype = (archive.read(name) if name in archive.parts else b"" for name in ("[Content_Types].xml", "mimetype"))
            book = "META-INF/container.xml" in archive.parts
    except BadInput:
        if SUFFIXES.get(suffix) in (*_PACKED, "zip"):
            raise
        raise _unknown(suffix, "a zip archive or an office file (docx, xlsx, pptx)") from None
    found = [kind for pattern, kind in _OFFICE if pattern.search(types.replace(b"\0", b""))]
    if len(found) == 1:
        return found[0]
    if book and b"opendocument" not in mimetype:
        return "epub"
    if b"ms-excel.sheet.binary" in types:
        raise _unknown(suffix, "a binary Excel file (xlsb)")
    if b"opendocument" in mimetype:
        raise _unknown(suffix, "an OpenDocument file (odt, ods, odp)")
    if suffix in (".zip", ""):
        return "zip"
    raise _unknown(suffix, "a zip archive")


def _old(path: Path, suffix: str) -> str:
    """What is inside an OLE file: a message, an office file behind a password, or an old one."""
    data = path.read_bytes()
    for name, what in _OLD:
        entry = name.encode("utf-16-le") + b"\0\0"
        at = data.find(entry)
        while at >= 0 and at % 128:
            at = data.find(entry, at + 1)
        if at < 0:
            continue
        if what == "encrypted":
            raise BadInput("encrypted: a password is needed", "Save it without a password.")
        if what == "msg":
            return what
        raise _unknown(suffix, what)
    raise _unknown(suffix, "an old office file (doc, xls, ppt)")


def _unknown(suffix: str, what: str) -> BadInput:
    if suffix and suffix not in SUFFIXES:
        return BadInput(f"unknown format {suffix}: {what}", f"Read are {', '.join(SUFFIXES)}.")
    return BadInput(f"unknown format: {what}, {f'named {suffix}' if suffix else 'without a suffix'}")
