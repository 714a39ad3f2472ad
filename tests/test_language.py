"""The language of documents and their parts: told by their text, a field for filters, and counted by the audit"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Run

from selfstudy.core.language import in_another, language_of
from selfstudy.core.records import Document
from selfstudy.corpus.passages.language import with_language

SAID = {
    "en": "The pump is oiled once a week, and nobody but the engineer on duty may open its cover.",
    "de": "Die Pumpe wird einmal in der Woche geölt, und nur der diensthabende Ingenieur darf ihre Abdeckung öffnen.",
    "fr": "La pompe est graissée une fois par semaine, et seul l'ingénieur de service peut ouvrir son capot.",
    "es": "La bomba se engrasa una vez por semana y solo el ingeniero de guardia puede abrir su tapa.",
    "zh": "水泵每周加一次油，只有值班工程师才可以打开它的外壳。",
    "ja": "ポンプには週に一度油をさし、当直の技術者だけがそのカバーを開けることができます。",
    "ko": "펌프에는 일주일에 한 번 기름을 치며 당직 기술자만 덮개를 열 수 있습니다.",
    "ru": "Насос смазывают раз в неделю, и только дежурный инженер может открыть его крышку.",
}


@pytest.mark.parametrize("code", SAID)
def test_a_sentence_or_two_tell(code: str) -> None:
    assert language_of(SAID[code]) == code


def test_chinese_is_one_language_in_both_scripts_and_with_foreign_words() -> None:
    assert language_of("水泵每週加一次油，只有值班工程師才可以打開它的外殼。") == "zh"
    assert language_of("请在 Settings 里打开 Wi-Fi，然后把 pump-2 的固件升级到 v3.1，重启以后检查日志。") == "zh"
    assert language_of("佢哋話個水泵每個禮拜都要加一次油，淨係當值嘅工程師先可以打開個蓋。") == "zh"


def test_too_little_tells_nothing() -> None:
    for text in ("", "Pump", "42 17 3.5 | 99", "水泵加油"):
        assert language_of(text) is None


ASKED = {
    "en": "How many weeks pass between two oilings of the PX3?",
    "de": "Wie heißt der Cloud Service Provider im Enterprise Agreement?",
    "fr": "Qui peut ouvrir le capot de la pompe ?",
    "es": "¿Quién puede abrir la tapa de la bomba?",
    "ru": "Кто может открыть крышку насоса?",
}


def test_a_question_is_told_from_one_in_another_language() -> None:
    assert not [code for code in ASKED if in_another(ASKED[code], code)]
    assert [code for code in ASKED if in_another(ASKED["en"], code)] == ["de", "fr", "es", "ru"]
    assert [code for code in ASKED if in_another(ASKED[code], "en")] == ["fr", "es", "ru"], "the German one names English things"
    assert not in_another("Wer ist X-7?", "en"), "too short to tell"


def test_a_long_text_is_judged_by_its_parts_from_everywhere() -> None:
    menu = "Home Search Imprint Contact Products Service Help. " * 14
    assert language_of(menu + SAID["de"] * 40) == "de"


def test_what_a_document_states_stays() -> None:
    stated = Document("a", SAID["en"], meta={"language": "English", "n": 1})
    assert with_language(stated) is stated
    assert with_language(Document("a", SAID["fr"], meta={"n": 1})).meta == {"n": 1, "language": "fr"}
    bare = Document("a", "42")
    assert with_language(bare) is bare


def test_each_passage_of_a_document_in_two_languages_is_found_by_its_own(run: Run) -> None:
    english = "The pump shall be oiled once a week. Nobody but the engineer on duty may open the cover of the pump."
    chinese = "水泵每周应加一次油。除值班工程师外，任何人不得打开水泵的外壳。违反本条规定的，应当承担由此造成的一切损失。"
    parts = f"# One\n\n{english}\n\n# Two\n\n{chinese}\n\n# Three\n\nX-17 pump, B-22 pump, C-9 pump, Q-4, Z-100.\n"
    docs = Path("docs")
    docs.mkdir()
    (docs / "both.md").write_text(parts)
    (docs / "stated.md").write_text(f"---\nlanguage: English\n---\n{parts.replace('pump', 'second pump')}")
    (docs / "coded.md").write_text(f"---\nlanguage: eng\n---\n{parts.replace('pump', 'third pump')}")
    (docs / "copy.md").write_text(f"# One\n\n{english}\n")
    Path("home").mkdir()
    Path("home/config.toml").write_text('embedder = "fake:64"\nchunk.words = 30\nchunk.min_words = 5\n')
    assert run("add", "docs")[0] == 0

    def found(where: str) -> set[tuple[str, str]]:
        hits = json.loads(run("search", "pump 水泵", "--json", "--where", where)[1])
        return {(hit["passage"]["places"][0]["document"], hit["passage"]["title"].rpartition(" > ")[2]) for hit in hits}

    assert language_of(parts) == "zh", "most of its letters"
    assert found("language = 'en'") == {("both.md", "One")}, "it stands in the copy, too"
    assert found("language = 'zh'") == {("both.md", "Two"), ("both.md", "Three")}, "a list of names is in its document's language"
    for stated in ("English", "eng"):
        assert {title for _, title in found(f"language = '{stated}'")} == {"One", "Two", "Three"}, "what a document states of itself stays"
    assert found("language is null") == set()


def test_filters_and_the_audit_know_it(run: Run, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    for code, text in SAID.items():
        (docs / f"{code}.txt").write_text(text + "\n")
    (docs / "numbers.txt").write_text("17 42\n")
    Path("home").mkdir()
    Path("home/config.toml").write_text('embedder = "fake:64"\n')
    assert run("add", "docs")[0] == 0

    def found(*where: str) -> set[str]:
        hits = json.loads(run("search", "pump 水泵", "--json", *where)[1])
        return {hit["passage"]["places"][0]["document"] for hit in hits}

    assert len(found()) == 9
    assert found("--where", "language = 'zh'") == {"zh.txt"}
    assert found("--where", "language in ('en', 'de')") == {"en.txt", "de.txt"}
    assert found("--where", "language is null") == {"numbers.txt"}
    asked = json.loads(run("ask", "Who may open the cover of the pump?", "--json", "--where", "language = 'en'")[1])
    assert {hit["passage"]["places"][0]["document"] for hit in asked["hits"]} == {"en.txt"}
    told = json.loads(run("audit", "--json")[1])
    assert told["languages"] == dict.fromkeys([*sorted(SAID), "unknown"], 1)
    assert "zh 11%" in run("audit")[1]
    page = Path("home", told["report"]).read_text("utf-8")
    assert '<th scope="row">zh</th><td>1</td><td>11%</td>' in page
