"""The report page: whole, safe with any text, without a line from elsewhere, and showing the numbers that it was given."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from selfstudy.core.records import Difference, Interval
from selfstudy.evals.gate import Check, Verdict
from selfstudy.evals.report import Ranked, ReportData
from selfstudy.evals.report_page import write_report

EVIL = '"><script>alert("x")</script><img src=x onerror=alert(1)>&amp;\''
GAIN = Difference(0.0712, 0.05, 0.09, 0.0004, 210)


class Page(HTMLParser):
    """What a browser would find: tags, ids, the text outside of scripts, and the scripts apart."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.ids: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.text, self.scripts = "", []  # type: str, list[str]
        self.within = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self.ids |= {value for name, value in attrs if name == "id" and value}
        self.within = tag

    def handle_endtag(self, tag: str) -> None:
        self.within = ""

    def handle_data(self, data: str) -> None:
        if self.within == "script":
            self.scripts.append(data)
        elif self.within != "style":
            self.text += data


def data(word: str = "plain") -> ReportData:
    """A report in which every text from outside holds `word`."""
    verdict = Verdict(False, f"Refused: {word}.", (Check("gain", True, GAIN, word), Check(f"guard {word}", False, None, word)))
    metrics = {"mrr@10": Interval(0.4281, 0.4, 0.45), "hit@1": Interval(0.3, 0.2, 0.4)}
    return ReportData(
        title=f"Documents {word}",
        created=word,
        verdict=verdict,
        before={word: metrics},
        after={word: {"mrr@10": Interval(0.4993, 0.47, 0.52), "hit@1": Interval(0.3, 0.2, 0.4)}},
        differences={word: {"mrr@10": GAIN, "hit@1": Difference(0.0, -0.01, 0.01, 1.0, 210)}},
        forest={f"writer: {word}": GAIN, "guard": Difference(-0.05, -0.08, -0.02, 0.001, 337)},
        asked=(
            Ranked(f"Which one fell? {word}", "cloze", 1, None),
            Ranked("Which one rose?", word, 7, 1),
            Ranked("Which one was found?", "heading", 11, 2),
            Ranked("Which one stayed?", "heading", 3, 3),
            Ranked("Which one was never there?", "heading", None, None),
        ),
        kept=90,
        dropped={word: 10},
        counts={word: {"train": 1200, "exam": 34}, "cloze": {"tune": 5}},
        loss=((1, 2.5), (2, 1.5)),
        config={"adapt.minutes": 12, word: [word]},
        versions={"torch": word},
        notes=(word,),
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_report(tmp_path_factory.mktemp("report") / "report.html", data()).read_text("utf-8")


def rendered(tmp_path: Path, shown: ReportData) -> Page:
    return Page(write_report(tmp_path / "report.html", shown).read_text("utf-8"))


def test_every_section_is_there_with_its_numbers(written: str) -> None:
    page = Page(written)
    assert {"search", "forest", "asked", "drops", "counts", "loss", "checks", "made"} <= page.ids
    assert {f"figure-{name}" for name in ("forest", "changes", "places", "drops", "loss")} <= page.ids
    text = " ".join(page.text.split())
    for shown in ("0.428", "0.499", "+0.071", "+0.050 to +0.090", "p < 0.001", "p = 1", "1,200", "1,239", "adapt.minutes"):
        assert shown in text, shown
    assert "2 won 1 lost 2 the same" in text
    assert page.text.index("Greatest gains") < page.text.index("Which one rose?") < page.text.index("Which one was found?")
    assert page.text.index("Greatest losses") < page.text.index("Which one fell?")
    assert "Which one stayed?" not in text
    assert text.count("hit@1") == 1
    assert text.index("hit@1") < text.index("mrr@10")


def test_text_from_outside_stays_text(tmp_path: Path, written: str) -> None:
    plain, evil = Page(written), rendered(tmp_path, data(EVIL))
    assert evil.tags == plain.tags  # not one element more
    assert not [name for name, _ in evil.attributes if name.startswith("on")]
    assert evil.text.count(EVIL) == plain.text.count("plain") > 12
    assert len(evil.scripts) == len(plain.scripts)
    assert not any("<script>" in script or "<img" in script for script in evil.scripts[1:])  # beside plotly.js itself


def test_nothing_is_loaded_from_elsewhere(written: str) -> None:
    page = Page(written)
    assert "link" not in page.tags
    assert not [value for name, value in page.attributes if name in ("src", "href", "action", "data")]
    policy = next(value for name, value in page.attributes if value.startswith("default-src"))
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert sum("plotly.js v" in script for script in page.scripts) == 1
    assert "prefers-color-scheme: dark" in written
    assert "width=device-width" in written


def drawn(written: str, name: str) -> str:
    found = re.search(rf'Plotly\.newPlot\(\s*"figure-{name}",(.*?)</script>', written, re.DOTALL)
    assert found
    return found.group(1)


def test_figures_hold_what_was_counted(written: str) -> None:
    changes = drawn(written, "changes")
    assert re.search(r'"x":\["lost","(↓|\\u2193)5\+"', changes)
    assert re.search(r'"text":\["1","0","0","0","2","0","0","1","1"\]', changes)  # one lost, two the same, one up by six, one found
    places = drawn(written, "places")
    assert re.search(r'"y":\[0\.2,0\.0,0\.2,0\.0,0\.2,0\.4\]', places)  # before: ranks 1, 3, 7, and two missed
    assert re.search(r'"y":\[0\.2,0\.2,0\.2,0\.0,0\.0,0\.4\]', places)  # after: 1, 2, 3, and two missed
    assert '"x":[0.05,0.09]' in drawn(written, "forest")
    assert '"x":[90,10]' in drawn(written, "drops")
    assert '"y":[2.5,1.5]' in drawn(written, "loss")


def test_promoted_and_refused_look_different(tmp_path: Path, written: str) -> None:
    assert '<div class="banner refused">' in written
    assert "Plain." in Page(written).text
    verdict = Verdict(True, "Promoted: it is better.", ())
    page = rendered(tmp_path, replace(data(), verdict=verdict))
    assert ("class", "banner promoted") in page.attributes
    assert "It is better." in page.text
    assert "checks" not in page.ids


def test_what_is_not_given_is_left_out(tmp_path: Path) -> None:
    page = rendered(tmp_path, ReportData(title="Nothing yet"))
    assert "section" not in page.tags
    assert page.text.split() == ["Nothing", "yet", "Nothing", "yet"]  # the title and the heading
    alone = rendered(tmp_path, ReportData(title="Base", before={"dense": {"mrr@10": Interval(0.5, 0.4, 0.6)}}))
    assert "0.500" in alone.text
    assert "after" not in alone.text
    same = rendered(tmp_path, ReportData(title="Same", asked=(Ranked("Why?", "cloze", 1, 1),), kept=0, dropped={"gone": 3}))
    assert "0 won 0 lost 1 the same" in " ".join(same.text.split())
    assert same.text.count("None.") == 2


def test_data_survives_json() -> None:
    assert ReportData.load(data().json()) == data()


def test_a_page_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.html"
    write_report(path, ReportData(title="old"))
    monkeypatch.setattr("os.fsync", lambda handle: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_report(path, ReportData(title="new"))
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
    assert "<title>old</title>" in path.read_text("utf-8")
