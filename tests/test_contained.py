"""Contained duplicates: a text inside a longer one, with the same facts, told wherever passages begin and end."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from passages import passage

from selfstudy.core.records import Passage
from selfstudy.corpus.cleaning.contained import contained
from selfstudy.evals.audit import Audit
from selfstudy.recipes.engine import Engine
from selfstudy.recipes.fitting import _alike
from selfstudy.recipes.settle import graded, weights
from selfstudy.recipes.study import Study

pytestmark = pytest.mark.usefixtures("fake")
VOCABULARY = ["".join(random.Random(n).choices("abcdefghijklmnop", k=7)) for n in range(3000)]


def words(count: int, seed: int) -> list[str]:
    return random.Random(seed).choices(VOCABULARY, k=count)


def said(count: int, seed: int) -> str:
    return " ".join(words(count, seed)).capitalize() + "."


def inside(container: str, *texts: str) -> list[bool]:
    """Which of `texts`, each a document of its own, stands inside the document `container`."""
    whole = passage(container)
    found = contained([[whole], *([passage(text)] for text in texts)], {})
    assert all(held == (whole.id,) for held in found.values())
    return [passage(text).id in found for text in texts]


def test_a_part_is_told_and_neither_another_text_nor_the_whole() -> None:
    before, part, after = said(80, 1), said(40, 2), said(80, 3)
    long, short, other = passage(f"{before} {part} {after}"), passage(part, "Elsewhere"), passage(said(40, 4))
    assert contained([[long], [short], [other]], {}) == {short.id: (long.id,)}
    assert contained([[short], [other], [long]], {}) == {}, "only an earlier document holds"
    assert contained([[], [long]], {}) == {}
    assert inside(f"{before} {part} {after}", part.upper(), said(15, 2)) == [True, False], "15 words say too little"


def test_a_part_that_stands_across_passages_names_them_all_in_their_order() -> None:
    text = words(120, 5)
    parts = [passage(" ".join(text[start : start + 40])) for start in (0, 40, 80)]
    across = passage(" ".join(text[20:100]))
    assert contained([parts, [across]], {}) == {across.id: tuple(part.id for part in parts)}


def test_what_holds_is_never_itself_a_repetition() -> None:
    text = words(200, 6)
    edited = ["edited" if at in (95, 105) else word for at, word in enumerate(text)]
    whole, middle, small = passage(" ".join(text)), passage(" ".join(edited[50:150])), passage(" ".join(edited[80:120]))
    assert contained([[whole], [small]], {}) == {}
    assert contained([[whole], [middle], [small]], {}) == {middle.id: (whole.id,), small.id: (whole.id,)}
    assert contained([[whole], [middle], [small]], {middle.id: whole.id}) == {small.id: (whole.id,)}
    small = passage(" ".join(text[80:120]))
    twin = passage(" ".join([*text[80:99], "changed", *text[100:120]]))
    found = contained([[whole], [small], [twin]], {twin.id: small.id})
    assert found == {small.id: (whole.id,), twin.id: (whole.id,)}, "what nearly repeats a part stands where that does"


@pytest.mark.parametrize(("changed", "told"), [(1, True), (3, False)])
def test_nearly_all_of_it_must_be_there(changed: int, told: bool) -> None:
    part = words(60, 7)
    edited = ["edited" if at in range(9, 9 + 20 * changed, 20) else word for at, word in enumerate(part)]
    assert inside(f"{said(50, 8)} {' '.join(edited)}. {said(50, 9)}", " ".join(part)) == [told]


def test_the_words_must_stand_together_and_in_order() -> None:
    part = words(60, 10)
    apart = " ".join(part[:30]) + f". {said(60, 11)} " + " ".join(part[30:])
    assert inside(apart, " ".join(part)) == [False]
    long = words(200, 19)
    swapped = long[:80] + long[100:120] + long[80:100] + long[120:]
    assert inside(f"{' '.join(swapped)}. {said(60, 11)}", " ".join(long), " ".join(swapped)) == [False, True]


@pytest.mark.parametrize(
    ("part", "there"),
    [
        ("wait 30 s", "wait 60 s"),
        ("wait 30 s", "wait 30 min"),
        ("guests pay 5 euros", "guests pay $5 euros"),
        ("guests may enter", "guests may not enter"),
        ("the club has 30", "the club has 30 million members"),
        ("it opens in March", "it opens in May"),
        ("会员提前十天通知本会", "会员提前二十天通知本会"),
        ("a plant of 500 MW", "a plant of 500 mW"),
        ("guests pay USD 5", "guests pay EUR 5"),
        ("there are 10⁶ guests", "there are 106 guests"),
        ("as in version II", "as in version III"),
    ],
)
def test_other_facts_are_no_duplicate(part: str, there: str) -> None:
    frame = said(50, 12)
    for edge in (f"{frame} {{}}", f"{{}} {' '.join(words(50, 12))}."):
        text = f"{said(60, 13)} {edge.format(there)}\n{said(60, 14)}"
        assert inside(text, edge.format(there), edge.format(part)) == [True, False]


def test_the_same_facts_in_another_spelling_are_one() -> None:
    edge = " ".join(words(50, 12))
    for part, there in (("for 30 seconds", "for 30 s"), ("会员提前三十天通知", "会员提前30天通知"), ("İzmir pays 10⁶", "izmir pays 10^6")):
        assert inside(f"{said(60, 13)} {edge} {there}. {said(60, 14)}", f"{edge} {part}.") == [True]


def test_a_condition_in_the_same_sentence_is_a_fact_too() -> None:
    clause = " ".join(words(30, 15))
    assert inside(f"{said(40, 16)} Since 2024, {clause}. {said(40, 17)}", clause) == [False]
    assert inside(f"{said(40, 16)} It is 2024. {clause.capitalize()}. {said(40, 17)}", clause) == [True]


def test_chinese_is_read_by_characters_and_both_scripts_are_one() -> None:
    part = "本合同自双方签字之日起生效有效期为三年任何一方可以提前三十天书面通知对方解除本合同并结清全部款项"
    frame = "甲方应当按照附件所列的规格和数量交付货物乙方应当在收到货物之后及时验收并且出具书面的验收证明"
    assert inside(f"{frame}。{part}。{frame[::-1]}", part, part.replace("三年", "五年")) == [True, False]
    assert inside(f"{frame}。{part}。{frame[::-1]}", part.replace("签字", "簽字").replace("书面", "書面")) == [True]


def test_texts_that_everybody_repeats_stay_cheap_and_right() -> None:
    frame = words(60, 18)
    rows = [[passage(" ".join([*frame[:30], f"{n} euros", *frame[30:]]))] for n in range(400)]
    assert contained(rows, {}) == {}
    assert len(contained([[passage(" ".join(frame * 2))], *([passage(" ".join(frame[n:]))] for n in range(30))], {})) == 30


def test_what_a_part_and_its_whole_are_to_each_other() -> None:
    whole, other = Passage("whole", "", "a b c"), Passage("other", "", "x")
    part, across = Passage("part", "", "a", within=("whole",)), Passage("across", "", "c d", within=("whole", "next"))
    copy, rest = Passage("copy", "", "a b  c", near="whole"), Passage("rest", "", "b", within=("whole",))
    everything = [whole, part, across, copy, other, rest]
    assert [one.id for one in everything if whole.holds(one)] == ["whole", "part", "copy", "rest"]
    assert [one.id for one in everything if copy.holds(one)] == ["whole", "part", "copy", "rest"]
    assert [one.id for one in everything if part.holds(one)] == ["part"]
    assert [one.id for one in everything if whole.shares(one)] == ["whole", "part", "across", "copy", "rest"]
    assert [one.id for one in everything if part.shares(one)] == ["whole", "part", "copy"]
    rows = {one.id: row for row, one in enumerate(everything)}
    assert _alike([whole, other], rows, everything) == {0: [1, 2, 3, 5]}, "none of these is a negative of a question about the whole"


def opened(folder: Path, *sets: str, **texts: str) -> Engine:
    docs = folder / "docs"
    docs.mkdir()
    for name, text in texts.items():
        (docs / f"{name}.md").write_text(text)
    engine = Engine.open(folder / "home", create=True, sets=["embedder=fake:64", *sets])
    engine.add([docs])
    return engine


def documents(engine: Engine, question: str, where: str | None = None) -> list[str]:
    return [hit.passage.places[0].document for hit in engine.search(question, where=where)]


def study(engine: Engine) -> Study:
    return engine.studies.study(planning=True)


def test_a_home_shows_a_part_once_asks_about_it_once_and_splits_it_with_its_whole(tmp_path: Path) -> None:
    part = said(50, 20)
    others = {f"page{n}": said(60, 30 + n) for n in range(4)}
    engine = opened(tmp_path, memo=part + "\n", handbook=f"{said(70, 21)} {part} {said(70, 22)}\n", **others)
    snapshot = engine.store.snapshot()
    by_document = {passage.places[0].document: passage for passage in snapshot.passages}
    memo, book = by_document["memo.md"], by_document["handbook.md"]
    assert memo.within == (book.id,)
    assert [passage.id for passage in snapshot.passages if passage.repeats] == [memo.id]
    assert documents(engine, part)[0] == "handbook.md"
    assert "memo.md" not in documents(engine, part)
    assert documents(engine, part, "id = 'memo.md'") == ["memo.md"], "a filter that leaves the whole out shows the part"
    asked = weights(snapshot, graded(engine.home, snapshot, engine.settings, engine.loaded.embedder("fake:64")), {})
    assert (asked[memo.id], asked[book.id]) == (0, 1)
    assert study(engine).examples.groups[memo.id] == study(engine).examples.groups[book.id]
    added = engine.add([tmp_path / "docs"])
    assert (added.near_duplicates, added.contained) == (0, 1)
    assert engine.status()["contained"] == 1
    found: Audit = engine.audit()
    duplicates = next(one for one in found.findings if one.name == "duplicates")
    assert (duplicates.count, duplicates.samples[0].document, duplicates.samples[0].other) == (1, "memo.md", "handbook.md")
    assert "1 stand inside another document" in duplicates.about
    assert "1 documents say nothing else" in duplicates.about
    engine.remove(["handbook.md"])
    assert not any(passage.repeats for passage in engine.store.snapshot().passages)


def test_what_search_shows_repeats_nothing_that_it_hides(tmp_path: Path) -> None:
    part = said(50, 23)
    sides = {name: f"{said(70, 24)} {part} {said(70, 25)} Refunds take {days} days.\n" for name, days in (("a_v1", 30), ("a_v2", 14))}
    engine = opened(tmp_path, memo=part + "\n", **sides)
    engine.audit(drop=["a_v2.md"])
    assert engine.store.snapshot().documents["a_v2.md"].hidden
    shown = {passage.places[0].document: passage for passage in engine.store.snapshot().passages}
    assert [shown[id].within for id in ("a_v1.md", "memo.md")] == [(), (shown["a_v1.md"].id,)]
    engine.audit(drop=["a_v1.md"])
    assert not any(passage.repeats for passage in engine.store.snapshot().passages if passage.places[0].document == "memo.md")


def test_a_home_whose_one_long_document_holds_the_others_is_split_by_passages(tmp_path: Path) -> None:
    parts = [said(60, 40 + n) for n in range(8)]
    engine = opened(tmp_path, "chunk.words=130", all=" ".join(parts), **{f"part{n}": parts[n] for n in range(8)})
    groups = study(engine).examples.groups
    passages = engine.store.snapshot().passages
    assert sum(passage.repeats for passage in passages) == 8
    assert len(set(groups.values())) == len(passages) - 8 == 4
