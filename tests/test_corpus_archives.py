"""Archives: every file in them is a document of its own, and whatever means harm is named."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from selfstudy.core.records import Document
from selfstudy.corpus.folder import SourceFile, walk
from selfstudy.corpus.parse import Parse, parse
from selfstudy.corpus.set_aside import SetAside


def zipped(*parts: tuple[str | zipfile.ZipInfo, bytes | str], packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", packing) as archive:
        for name, inside in parts:
            archive.writestr(name, inside)
    return data.getvalue()


def tarred(*parts: tuple[str | tarfile.TarInfo, bytes], mode: str = "w") -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode=mode) as archive:  # type: ignore[call-overload]
        for name, inside in parts:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(inside) if info.isfile() else 0
            archive.addfile(info, io.BytesIO(inside))
    return data.getvalue()


def read(folder: Path, name: str, data: bytes, cfg: Parse | None = None) -> dict[str, str]:
    """What is in an archive: texts by id, and reasons by the source, which begins with the path of the archive."""
    (folder / name).write_bytes(data)
    (file,) = walk([folder / name])
    assert isinstance(file, SourceFile)
    found = {}
    for one in parse(file, cfg or Parse()):
        assert one.source.startswith(str(folder / name))
        key = one.source.removeprefix(f"{folder}/")
        assert key not in found
        assert isinstance(one, SetAside) or one.id == key
        found[key] = one.reason if isinstance(one, SetAside) else one.text
    return found


def test_files_in_a_zip_are_documents_with_their_folders(tmp_path: Path) -> None:
    letter = b"From: a@b\nSubject: Plan\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=X\n\n--X\n\nSee there.\n--X\n"
    letter += b"Content-Disposition: attachment; filename=plan.md\n\n# The plan\n\nWait.\n--X--\n"
    data = zipped(("a/b/tea.md", "# Tea\n\nHot."), ("a/", ""), ("mail.eml", letter), ("rows.csv", "name,age\nAnn,3\n"), ("odd.xyz", "?"))
    found = read(tmp_path, "docs.zip", data)
    assert found.pop("docs.zip#odd.xyz").startswith("unknown format .xyz")
    assert found.pop("docs.zip#mail.eml").endswith("See there.")
    assert found == {
        "docs.zip#a/b/tea.md": "# Tea\n\nHot.",
        "docs.zip#mail.eml#plan.md": "# The plan\n\nWait.",
        "docs.zip#rows.csv": "name: Ann; age: 3",
    }
    (file,) = walk([tmp_path / "docs.zip"])
    assert isinstance(file, SourceFile)
    tea = next(one for one in parse(file) if isinstance(one, Document))
    assert tea.meta == {"archive": "docs.zip", "format": "markdown", "folder": "docs.zip#a/b"}


@pytest.mark.parametrize(
    ("name", "mode"), [("a.tar", "w"), ("a.tar.gz", "w:gz"), ("a.tgz", "w:gz"), ("a.tar.bz2", "w:bz2"), ("a.txz", "w:xz")]
)
def test_tars_are_read_packed_or_not(tmp_path: Path, name: str, mode: str) -> None:
    data = tarred(("./x/tea.txt", b"Hot tea."), ("y.txt", b"Cold tea."), mode=mode)
    assert read(tmp_path, name, data) == {f"{name}#x/tea.txt": "Hot tea.", f"{name}#y.txt": "Cold tea."}


def test_hidden_files_are_left_out_as_they_are_of_a_folder(tmp_path: Path) -> None:
    data = zipped((".git/a.txt", "x"), ("__MACOSX/._b.txt", "x"), ("~$c.docx", "x"), ("d.txt", "seen"))
    assert read(tmp_path, "a.zip", data) == {"a.zip#d.txt": "seen"}


def test_archives_in_archives_are_read_and_not_without_end(tmp_path: Path) -> None:
    data = zipped(("deep.txt", "words"))
    for _ in range(4):
        data = zipped(("in.zip", data), ("beside.txt", "more"))
    found = read(tmp_path, "a.zip", data)
    nested = "nested: files in files are read 3 deep"
    third = "a.zip#in.zip#in.zip"
    assert found == {
        **{f"{path}#beside.txt": "more" for path in ("a.zip", "a.zip#in.zip", third)},
        **{f"{third}#in.zip{path}": nested for path in ("#in.zip", "#beside.txt")},
    }


def test_a_bomb_is_named_before_it_is_unpacked(tmp_path: Path) -> None:
    found = read(tmp_path, "a.zip", zipped(("zeros.txt", b"\0" * 30_000_000), ("tea.txt", "Hot.")))
    assert found == {"a.zip#zeros.txt": "huge: it unpacks to over 200 times its size, as only bombs do", "a.zip#tea.txt": "Hot."}


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_what_all_files_unpack_to_is_limited_together_and_what_came_before_is_kept(tmp_path: Path, pack: Callable[..., bytes]) -> None:
    inner = pack(("x.txt", b"x" * 600), ("y.txt", b"y" * 600))
    name = "a.zip" if pack is zipped else "a.tar"
    found = read(tmp_path, name, pack(("a.txt", b"first"), (name, inner), ("z.txt", b"last")), Parse(max_unpacked=len(inner) + 1000))
    first, kept, cut, end = found.items()
    assert (first, kept) == ((f"{name}#a.txt", "first"), (f"{name}#{name}#x.txt", "x" * 600))
    limit = f"huge: with what lies in it, it unpacks to more than {len(inner) + 1000} bytes (parse.max_unpacked) or 50000 files"
    assert cut == (f"{name}#{name}", f"{limit}; left out is all from 'y.txt' on")
    assert end == (name, f"{limit}; left out is all from 'z.txt' on")


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    data = zipped(*((f"{number}.txt", "x") for number in range(50_001)), packing=zipfile.ZIP_STORED)
    assert read(tmp_path, "a.zip", data) == {"a.zip": "huge: 50001 parts in its zip archive, the limit is 50000"}


def test_a_file_behind_a_password_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    data = bytearray(zipped(("locked.txt", "secret"), ("open.txt", "words"), packing=zipfile.ZIP_STORED))
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + at] |= 1  # the flag of what is encrypted, in both directories
    assert read(tmp_path, "a.zip", bytes(data)) == {"a.zip#locked.txt": "encrypted: a password is needed", "a.zip#open.txt": "words"}


@pytest.mark.parametrize("name", ["/etc/passwd.txt", "../up.txt", "a/../../up.txt", "..\\up.txt", "C:\\up.txt", "a/.."])
def test_names_that_lead_out_are_named_and_nothing_is_written_there(tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    reasons = set()
    for archive, data in (("a.zip", zipped((name, "x"))), ("a.tar", tarred((name, b"x")))):
        reasons |= set(read(tmp_path / "in", archive, data).values())
    assert reasons == {"a name that leads out of the archive"}
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.tar", "a.zip", "in"]


def test_links_and_devices_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    link = zipfile.ZipInfo("link.txt")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    assert read(tmp_path, "a.zip", zipped((link, str(tmp_path / "secret.txt")))) == {"a.zip#link.txt": "a link, which is not followed"}
    kinds = {"soft.txt": tarfile.SYMTYPE, "hard.txt": tarfile.LNKTYPE, "pipe.txt": tarfile.FIFOTYPE}
    parts = []
    for name, kind in kinds.items():
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, str(tmp_path / "secret.txt")
        parts.append((info, b""))
    assert read(tmp_path, "a.tar", tarred(*parts)) == {
        "a.tar#soft.txt": "a link, which is not followed",
        "a.tar#hard.txt": "a link, which is not followed",
        "a.tar#pipe.txt": "not a regular file: a device or pipe",
    }


def test_of_files_with_one_name_the_last_is_good(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        both = zipped(("a.txt", "old"), ("a.txt", "new"))
    again = "replaced: another file in the archive has the same name and comes later"
    assert read(tmp_path, "a.zip", both) == {"a.zip#a.txt": again, "a.zip#a.txt (2)": "new"}
    assert read(tmp_path, "a.tar", tarred(("a.txt", b"old"), ("a.txt", b"new"))) == {"a.tar#a.txt": again, "a.tar#a.txt (2)": "new"}


def test_names_of_all_kinds_become_parts_of_an_id(tmp_path: Path) -> None:
    assert read(tmp_path, "a.zip", zipped(("two\nlines#1 🍵.txt", "tea"))) == {"a.zip#two lines_1 🍵.txt": "tea"}
    chinese = zipped(("XXXX.txt", "tea")).replace(b"XXXX", "计划".encode("gb18030"))
    assert read(tmp_path, "b.zip", chinese) == {"b.zip#计划.txt": "tea"}
    western = zipped(("KXln.txt", "tea")).replace(b"KXln", b"K\x94ln")
    assert read(tmp_path, "c.zip", western) == {"c.zip#Köln.txt": "tea"}
    unmarked = zipped(("KXXln.txt", "tea")).replace(b"KXXln", "Köln".encode())
    assert read(tmp_path, "d.zip", unmarked) == {"d.zip#Köln.txt": "tea"}


def test_damage_costs_what_is_damaged(tmp_path: Path) -> None:
    data = bytearray(zipped(("a.txt", "words that are damaged"), ("b.txt", "fine"), packing=zipfile.ZIP_STORED))
    data[data.index(b"words")] ^= 1
    found = read(tmp_path, "a.zip", bytes(data))
    assert found.pop("a.zip#a.txt").startswith("broken: the zip archive that it is made of is damaged or cut off (Bad CRC-32")
    assert found == {"a.zip#b.txt": "fine"}
    tar = tarred(("a.txt", b"fine"), ("b.txt", b"x" * 5000))
    assert "broken" in read(tmp_path, "a.tar", tar[:2600])["a.tar"]
    assert read(tmp_path, "empty.zip", zipped()) == {"empty.zip": "empty: no file in it"}


def test_files_may_be_larger_together_than_one_may_be(tmp_path: Path) -> None:
    data = zipped(("a.txt", "x" * 90), ("b.txt", "x" * 101), packing=zipfile.ZIP_STORED)
    assert read(tmp_path, "a.zip", data, Parse(max_bytes=100)) == {
        "a.zip#a.txt": "x" * 90,
        "a.zip#b.txt": "huge: 101 bytes, the limit is 100 (max_bytes)",
    }


@pytest.mark.parametrize(("name", "pack"), [("a.txt.gz", gzip.compress), ("a.txt.bz2", bz2.compress), ("A.TXT.XZ", lzma.compress)])
def test_a_packed_file_is_the_file_in_it(tmp_path: Path, name: str, pack: Callable[[bytes], bytes]) -> None:
    inside = f"{name}#{name.rpartition('.')[0]}"
    assert read(tmp_path, name, pack(b"Hot tea.")) == {inside: "Hot tea."}
    bomb = "huge: it unpacks to over 200 times its size, as only bombs do"
    assert read(tmp_path, name, pack(b"x" * 30_000_000)) == {inside: bomb}
    assert read(tmp_path, name, pack(b"Hot tea. " * 99), Parse(max_unpacked=500))[name].startswith("huge: with what lies in it")
    assert read(tmp_path, name, pack(b"Hot tea. " * 99)[:30])[name].startswith("broken: a damaged archive, or one that is cut off")
