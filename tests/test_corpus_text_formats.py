"""Plain text, Markdown, reStructuredText: text as written, titles, sections, meta."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.core.records import Document
from selfstudy.corpus.formats.markdown import Markdown
from selfstudy.corpus.formats.plain import Plain
from selfstudy.corpus.formats.rst import Rst


def read(parser: Plain | Markdown | Rst, folder: Path, text: str) -> Document:
    path = folder / "document"
    path.write_text(text, encoding="utf-8")
    (document,) = parser.parse(path)
    return document


def under(document: Document) -> dict[tuple[str, ...], str]:
    return {section.path: document.text[section.start : section.end].strip() for section in document.sections}


def test_plain_text_with_a_title_line(tmp_path: Path) -> None:
    document = read(Plain(), tmp_path, "Holiday rules\n\nEverybody has 30 days.\n")
    assert document.title == "Holiday rules"
    assert document.text == "Holiday rules\n\nEverybody has 30 days.\n"
    assert under(document) == {(): "Everybody has 30 days."}


@pytest.mark.parametrize(
    "text",
    [
        "A sentence stands here.\n\nAnother.",
        "one line",
        "line one\nline two\n\nmore",
        "1234\n\ntext",
        "Title alone\n\n",
        "x" * 99 + "\n\ny",
    ],
)
def test_plain_text_without_a_title(tmp_path: Path, text: str) -> None:
    document = read(Plain(), tmp_path, text)
    assert (document.title, document.sections, document.text) == ("", (), text)


CONTRACT = """采购合同

甲方：清源公司

第一条 标的
甲方购买水泵。
第二条 交货
乙方应于六月交货。第三条规定付款，
第三条的款项除外。
第三条
甲方应付款。
"""

HANDBOOK = """Handbook

1. Hours

The week has 38 hours.

1.1 Overtime
It is paid.

1. Press the button.

2 Leave

There are 28 days.

7. A lone item
"""


def test_numbered_headings_of_plain_text_are_sections(tmp_path: Path) -> None:
    assert under(read(Plain(), tmp_path, CONTRACT)) == {
        (): "甲方：清源公司",
        ("第一条 标的",): "甲方购买水泵。",
        ("第二条 交货",): "乙方应于六月交货。第三条规定付款，\n第三条的款项除外。",
        ("第三条",): "甲方应付款。",
    }
    assert under(read(Plain(), tmp_path, HANDBOOK)) == {
        ("1. Hours",): "The week has 38 hours.",
        ("1. Hours", "1.1 Overtime"): "It is paid.\n\n1. Press the button.",
        ("2 Leave",): "There are 28 days.\n\n7. A lone item",
    }
    chapters = under(read(Plain(), tmp_path, "第一章 总则\n第一条 目的\n为了规范。\n第二章 附则\n第二条 生效\n自今日起。\n"))
    assert list(chapters) == [("第一章 总则", "第一条 目的"), ("第二章 附则", "第二条 生效")]


@pytest.mark.parametrize(
    "text",
    ["第三条 付款\n甲方付款。\n", "It is so.\n\n1. Hours\n\nThe week.\n", "Do:\n1. Press\n2. Wait\n", "第一条的规定\n第二条的规定\n"],
)
def test_a_lone_heading_or_a_list_is_no_section(tmp_path: Path, text: str) -> None:
    assert read(Plain(), tmp_path, text).sections == ()


MARKDOWN = """# The `run` command

Intro.

## Options ##

Text *one*.

```
# no heading
```

<!--
# commented out
-->

### See [the docs](http://x.y)

Deep.

Second part
-----------

End.
"""


def test_markdown_headings_become_paths_and_the_text_stays(tmp_path: Path) -> None:
    document = read(Markdown(), tmp_path, MARKDOWN)
    assert document.text == MARKDOWN
    assert document.title == "The run command"
    top = "The run command"
    assert under(document) == {
        (top,): "Intro.",
        (top, "Options"): "Text *one*.\n\n```\n# no heading\n```\n\n<!--\n# commented out\n-->",
        (top, "Options", "See the docs"): "Deep.",
        (top, "Second part"): "End.",
    }


def test_markdown_setext_of_level_one_and_what_is_no_heading(tmp_path: Path) -> None:
    text = "Top\n===\n\ntwo lines\nof text\n---\n\n- item\n---\n\n    code\n    ---\n\n#tag\n\n| a |\n---\n"
    document = read(Markdown(), tmp_path, text)
    assert document.title == "Top"
    assert {section.path for section in document.sections} == {("Top",)}


def test_markdown_a_heading_with_nothing_under_it_is_text(tmp_path: Path) -> None:
    document = read(Markdown(), tmp_path, "# Colours\n\n## Red\n\n## Blue\n\n## Green\n\nLike grass.\n")
    assert under(document) == {("Colours",): "## Red\n\n## Blue", ("Colours", "Green"): "Like grass."}
    alone = read(Markdown(), tmp_path, "# Only this\n")
    assert under(alone) == {(): "# Only this"}


def test_markdown_front_matter_becomes_meta(tmp_path: Path) -> None:
    front = "title: Leave policy\ndate: 2023-05-04\nlastmod: 2024-01-31\nowner: HR\npages: 3\ndraft: false\ntags: [a, b]\nnothing:\n"
    text = f"---\n{front}---\n# Leave\n\nText.\n"
    document = read(Markdown(), tmp_path, text)
    assert document.title == "Leave policy"
    assert document.meta == {
        "date": "2023-05-04",
        "lastmod": "2024-01-31",
        "owner": "HR",
        "pages": 3,
        "draft": False,
        "updated": "2024-01-31",
    }
    assert document.text == "# Leave\n\nText.\n"


def test_markdown_toml_front_matter(tmp_path: Path) -> None:
    document = read(Markdown(), tmp_path, '+++\ntitle = "T"\nupdated = 2024-02-03\n+++\nText.\n')
    assert (document.title, document.meta["updated"], document.text) == ("T", "2024-02-03", "Text.\n")


@pytest.mark.parametrize(
    "text",
    [
        *("---\n: [broken\n---\ntext", "---\njust words\n---\ntext", "+++\nno = = toml\n+++\ntext", "---\nnever closed\n"),
        *(f"---\na: {'[' * 3000}\n---\ntext", f"+++\na = {'[' * 3000}\n+++\ntext", "---\na: &a {b: 1}\nc: {<<: *a}\n---\ntext"),
    ],
)
def test_markdown_broken_front_matter_stays_text(tmp_path: Path, text: str) -> None:
    document = read(Markdown(), tmp_path, text)
    assert (document.text, document.meta) == (text, {})


def test_markdown_front_matter_that_grows_is_no_date(tmp_path: Path) -> None:
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 11))
    document = read(
        Markdown(), tmp_path, f"---\nowner: &me Ann\neditor: *me\na0: &a0 lol\n{levels}updated: *a10\ndate: 2024-02-03\n---\nText.\n"
    )
    assert document.meta == {"owner": "Ann", "editor": "Ann", "a0": "lol", "date": "2024-02-03", "updated": "2024-02-03"}


def test_markdown_pictures_inside_the_text_are_dropped(tmp_path: Path) -> None:
    document = read(Markdown(), tmp_path, f"See ![logo](data:image/png;base64,{'QUJD' * 500}) here.")
    assert document.text == "See ![logo](data:) here."


RST = """======
Manual
======

:Author: A. Writer
:Date: 2024-03-05

Intro.

Install
=======

Steps::

    Not a title
    -----------

The ``pip`` way
---------------

Deep.

Use
===

End.
"""


def test_rst_adornments_become_levels_and_fields_meta(tmp_path: Path) -> None:
    document = read(Rst(), tmp_path, RST)
    assert document.text == RST
    assert document.title == "Manual"
    assert document.meta == {"author": "A. Writer", "date": "2024-03-05", "updated": "2024-03-05"}
    found = under(document)
    assert set(found) == {("Manual",), ("Manual", "Install"), ("Manual", "Install", "The pip way"), ("Manual", "Use")}
    assert found["Manual", "Install"].endswith("    Not a title\n    -----------")
    assert found["Manual", "Use"] == "End."


def test_rst_a_short_underline_or_a_rule_is_no_title(tmp_path: Path) -> None:
    document = read(Rst(), tmp_path, "A long line of text\n----\n\nText\n\n--------\n\nmore\n")
    assert (document.title, document.sections) == ("", ())


def test_rst_roles_are_taken_out_of_titles(tmp_path: Path) -> None:
    document = read(Rst(), tmp_path, ":mod:`json` --- JSON encoder\n============================\n\nText.\n")
    assert document.title == "json --- JSON encoder"
