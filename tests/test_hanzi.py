"""Traditional and simplified Chinese are one language to search and to duplicates"""

from __future__ import annotations

import numpy as np

from selfstudy.core.hanzi import simplified
from selfstudy.core.records import Passage
from selfstudy.corpus.cleaning.dedup import near_duplicates, signature
from selfstudy.index.analyze import body

TRADITIONAL = "臺灣大學圖書館於一九二八年創立，藏書豐富，是東亞最重要的學術圖書館之一，開放時間為每日八時至二十二時。"
SIMPLIFIED = "台湾大学图书馆于一九二八年创立，藏书丰富，是东亚最重要的学术图书馆之一，开放时间为每日八时至二十二时。"


def test_characters_are_replaced_one_by_one() -> None:
    assert simplified(TRADITIONAL) == SIMPLIFIED
    assert simplified(SIMPLIFIED) == SIMPLIFIED
    assert simplified("Tea, naïve ☕ 東") == "Tea, naïve ☕ 东"


def test_both_spellings_are_the_same_words_to_the_index() -> None:
    assert body("圖書館開放時間") == body("图书馆开放时间") != body("书店开放时间")
    assert body(f"Wi-Fi {TRADITIONAL}") == body(f"Wi-Fi {SIMPLIFIED}")
    assert body("ＷｉＦｉ ｶﾞ") == body("WiFi ガ"), "widths as before"


def test_both_spellings_are_duplicates_and_other_numbers_are_none() -> None:
    assert np.array_equal(signature(TRADITIONAL), signature(SIMPLIFIED))
    texts = {"a": SIMPLIFIED, "b": TRADITIONAL, "c": TRADITIONAL.replace("八時", "九時")}
    passages = [Passage(id, "", text) for id, text in texts.items()]
    assert near_duplicates(passages) == {"b": "a"}
