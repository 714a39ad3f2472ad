"""Which encoding bytes are in that are not UTF-8: the one under which they hold the frequent letters of some language."""

from __future__ import annotations

import re
import unicodedata

SIGNS = "‘’“”„–—…•€£¥§©®™°±²³µ·«»¿¡½¼¾†‡\xa0\xad"
"""What stands in text of every Latin script beside letters."""

_SAMPLE = 100_000  # bytes
_CLEAR = 1.5  # times as many frequent letters, for what they make up in ordinary text, as under any other encoding
_SIMPLIFIED = """的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后多定行学法所
民得经十三之进着等部度家电力里如水化高自二理起小物现实加量都两体制机当使点从业本去把性好应开它合还因由其些然前外天政四日
那社义事平形相全表间样与关各重新线内数正月公无系员及规应日请被将期第并或其名位务同条款项设保单"""
_TRADITIONAL = """的一是在不了有和人這中大為上個國我以要他時來用們生到作地於出就分對成會可主發年動同工也能下過子說產種面而方後多定行學法所
民得經十三之進著等部度家電力里如水化高自二理起小物現實加量都兩體制機當使點從業本去把性好應開它合還因由其些然前外天政四日
那社義事平形相全表間樣與關各重新線內數正月公無系員及規請被將期第並或名位務條款項設保單"""
_KANA = """のにはをたがでてとしれさいるなもかすこまりらっくあきんつうえけどせよそわみだおろじほめやちずべごびばゃゅょーンスルトリア
イラクシドレジタフロ"""
_HANGUL = """이다는을가에의로고하한지은도기사를리어서자시인나대정스보해아그부수일장원제전주과있으오들게라만동성상구비미여중국적공조선
화유마면신개용모무트업계관련등것니까세요습및년월안품터할간된되와"""
_RUSSIAN = "оеаинтс"

# Encodings of scripts with letters of their own: the frequent letters, and which share of all that is beyond ASCII these make up at least.
_SCRIPTS = (
    ("gb18030", frozenset(_SIMPLIFIED + _TRADITIONAL), 0.2),
    ("cp950", frozenset(_TRADITIONAL), 0.2),
    ("cp949", frozenset(_HANGUL), 0.3),
    ("cp932", frozenset(_KANA), 0.3),
    ("euc_jp", frozenset(_KANA), 0.3),
    ("cp1251", frozenset(_RUSSIAN), 0.3),
    ("koi8-r", frozenset(_RUSSIAN), 0.3),
    ("cp866", frozenset(_RUSSIAN), 0.3),
    ("cp1253", frozenset("αοιετσν"), 0.3),
    ("cp1255", frozenset("יוהלאר"), 0.3),
    ("cp1256", frozenset("اليمنو"), 0.3),
)
_FEWEST = 3  # different frequent letters; fewer are chance
# Encodings of Latin script: the letters beyond ASCII of each language. The first is taken where others fit no better.
_LATIN = (
    (
        "cp1252",
        """äöüßàâçéèêëîïôœùûæ áéíñóúüçàèòï áâãàçéêíóôõúü àèéìíòóùú éëïöüèêáó åäöæøéü áðéíóúýþæö""".split(),
    ),
    (
        "cp1250",
        "áčďéěíňóřšťúůýž áäčďéíĺľňóôŕšťúýž ąćęłńóśźż áéíóöőúüű čćđšž ăâîşţ".split(),
    ),
    ("cp1254", ["çğıöşüâîİ"]),
    ("cp1257", "ąčęėįšųūž āčēģīķļņšūž äõöüšž".split()),
)
_FITS = 0.95
_BETTER = 0.05
_RUN = re.compile(r"[^\x00-\x7f]{2,}")
_MISPLACED = re.compile(r"(?<=[^\W\d_])(?:[²³£¥§¼½¾±µ°](?=[^\W\d_])|[¿¡])")  # letters of Central Europe, seen through Windows-1252


def guess(data: bytes) -> str | None:
    """The name of the encoding that `data`, which is not UTF-8, is clearly in; None where there is no clear one.

    Every encoding but Windows-1252 is guessed, and that only where no other fits: it is what is left.
    """
    sample = b"\n".join(line for line in data.splitlines() if not line.isascii())[:_SAMPLE]
    found = sorted(((_share(sample, name, frequent) / least, name) for name, frequent, least in _SCRIPTS), reverse=True)
    if found[0][0] >= 1 and found[0][0] >= _CLEAR * found[1][0]:
        return found[0][1]
    western, *others = ((_latin(sample, name, alphabets), name) for name, alphabets in _LATIN)
    fit, name = max(others)
    return name if fit >= _FITS and fit > western[0] + _BETTER else None


def unmarked_utf16(data: bytes) -> str | None:
    """`data`, in which there are NULs, as UTF-16 without a mark; None where that is no text."""
    for name in ("utf-16-le", "utf-16-be"):
        try:
            text = data.decode(name)
        except UnicodeDecodeError:
            continue
        plain = sum(char.isascii() and (char.isprintable() or char in "\t\r\n\f") for char in text)
        if plain > 0.7 * len(text) or any(_frequent(text[:_SAMPLE], frequent) >= least for _, frequent, least in _SCRIPTS):
            return text
    return None


def _share(sample: bytes, name: str, frequent: frozenset[str]) -> float:
    text = sample.decode(name, "replace")
    return 0.0 if text.count("\ufffd") > 1 + len(text) / 100 else _frequent(text, frequent)


def _frequent(text: str, frequent: frozenset[str]) -> float:
    """Which share of what is beyond ASCII, punctuation aside, are frequent letters.

    Only those side by side count: letters of Latin script beyond ASCII, misread, stand alone among others.
    """
    beyond = sum(not char.isascii() and unicodedata.category(char)[0] not in "PZ" for char in text)
    found = [char for run in _RUN.findall(text) for char in run if char in frequent]
    return len(found) / beyond if len(set(found)) >= _FEWEST else 0.0


def _latin(sample: bytes, name: str, alphabets: list[str]) -> float:
    """Which share of what is beyond ASCII are signs, or letters of the language that has most of them."""
    text = _MISPLACED.sub("\ufffd", sample.decode(name, "replace"))
    beyond = [char for char in text if not char.isascii()]
    if len(beyond) > 0.3 * len(text):
        return 0.0
    return max(sum(char.lower() in alphabet or char in SIGNS for char in beyond) for alphabet in alphabets) / max(1, len(beyond))
