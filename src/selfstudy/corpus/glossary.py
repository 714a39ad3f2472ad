"""Two names of one thing, mined from the documents: abbreviations, aliases, and translations in brackets.

Abbreviations are found as Schwartz and Hearst do it (A simple algorithm for identifying abbreviation definitions in biomedical text, PSB
2003), and stricter: two capitals at least, and half of its letters begin words. What is doubtful is left out: a glossary that is
mostly wrong is read by nobody.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import permutations

from selfstudy.core.records import Term
from selfstudy.core.text import STOP_WORDS, is_cjk, sentences

_HAN = "\u3400-\u9fff"
_BRACKET = re.compile(r"\s*[(（]([^()（）]{2,120})[)）]")
_SHORT = re.compile(r"(?=[^\s]*[A-Z][^\s]*[A-Z])[A-Za-z0-9][\w&./-]{1,9}")
_QUOTES = "\"'“”‘’「」『』《》 "
_LEAD = re.compile(
    r"^(?:(?:hereinafter|referred to as|abbreviated(?: as| to)?|collectively|or|the|as),?\s+)+(?=[\"“'A-Z])"
    r"|^(?:以下|下[称稱]|又[称稱]|英[文语語]?名?|全[称稱]|[简簡][称稱]|[缩縮][写寫]|[为為是])+(?:[:：]\s*|(?=[\"“「『A-Z]))"
)
_ALIAS = re.compile(
    r"(?:,\s*|\s*\(|\s+)(?:(?:also|formerly|commonly|sometimes|often|better)\s+(?:known\s+as|called|referred\s+to\s+as|termed)|a\.?k\.?a\.?)\s+",
    re.IGNORECASE,
)
_SAID_SO = re.compile(r"(?:\b(?:is|are|was|were)\s*|\b(?:which|that|who)\s+(?:is|are)\s*)$", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_][\w'’-]*")
_OTHER = re.compile(r"(?:(?:the|an?|simply|just)\s+)?[\"“‘']?((?:[\w'’-]+\s+){0,4}[\w'’-]+)[\"”’']?", re.IGNORECASE)
_END = frozenset(
    "or and which is are was were that in because when where who by for with on at to from as if but so than has have had can may".split()
)
_VERBS = frozenset(
    "is are was were be been has have had do does did can may might will would should must called known get gets got use uses used using"
    " include includes including cause causes caused causing called named develop make makes made take takes took contain contains treat"
    " receive see became become becomes develops affect affects involve involves produce produces provide provides prevent".split()
)
_CHINESE_ALIAS = re.compile(
    rf"(?:^|[，。；、（(「『“《])([{_HAN}]{{2,10}})[」』”》]?[，,（(]?(?:又|亦|也|或)(?:被?[称稱][为為作]?|名|叫做?)[「『“‘《\"]?([{_HAN}]{{2,10}})"
)
_CONNECTIVES = tuple(
    "因此 因而 所以 然而 此外 另外 同时 同時 之后 之後 当时 當時 后来 後來 现在 現在 其中 一般 通常 有时 有時 目前 最后 最後".split()
)
_CUT = re.compile(
    "[的是为為即叫称稱谓謂在由了而从從到向于於对對被把将將並并以]|指(?![标標数數南令导導示])|有(?!限)|[又亦][名作]|一[个個种種]|[和与與或及等]"
)
_JOINING = frozenset("和与與或及等")
"""What may as well stand within a name: where it comes last before a bracket, nobody knows where the name begins."""
_OPENING = re.compile(r"^[因若遇凡](?=.{3})")
_LATIN = re.compile(r"[A-Za-zÀ-ɏ][A-Za-zÀ-ɏ'’&. -]{1,58}[A-Za-zÀ-ɏ.]")
_BEFORE_LATIN = re.compile(r"[A-Za-zÀ-ɏ][A-Za-zÀ-ɏ'’&-]*(?: [A-Za-zÀ-ɏ][A-Za-zÀ-ɏ'’&-]*){0,5}$")
_NUMERAL = re.compile(r"[IVXLC]+|([A-Za-z])\1*")
_CAPITALS = re.compile(r"[A-ZÀ-Þ][\w'’&-]*(?: [A-ZÀ-Þ][\w'’&-]*)*$")
_HAN_RUN = re.compile(rf"[{_HAN}·‧]{{2,}}$")
_LONGEST_RUN = 8
# Whom a contract means, and who that is, are no translations: 甲方（ABC Ltd.）.
_COMPANY = re.compile(r"\b(?:(?:Ltd|Limited|Inc|LLC|LLP|PLC|Corp|Corporation|Company|GmbH|AG|S\.A|BV|Holdings?)\.?|Co\.)$", re.IGNORECASE)
_BODY = re.compile("(?:公司|集[团團]|[银銀]行|[厂廠社所院局会會店]|中心|大[学學]|基金|有限|企[业業])$")
_PARTY = re.compile("[甲乙丙丁戊己]方?$")
_POINTERS = frozenset("a an this that these those such another some any each".split())
"""What names a kind of thing rather than the thing: "a technique, also called ..."."""


def mined(texts: Iterable[str]) -> list[Term]:
    """The terms that `texts` explain, those that most of them explain first."""
    flat = [" ".join(text.split()) for text in texts]
    counts: Counter[tuple[str, str, str]] = Counter()
    written: dict[tuple[str, str, str], tuple[str, str]] = {}
    for text in flat:
        if "(" not in text and "（" not in text and "also" not in text and "known" not in text and not _CHINESE_ALIAS.search(text):
            continue
        found = set()
        for kind, name, means in _found(text):
            key = (kind, name if kind == "abbreviation" else name.casefold(), means.casefold())
            written.setdefault(key, (name, means))
            found.add(key)
        counts.update(found)
    terms = [Term(*written[key], key[0], seen) for key, seen in counts.items()]
    return sorted(terms, key=lambda term: (-term.seen, term.name, term.means))


def _found(text: str) -> Iterator[tuple[str, str, str]]:
    for start, end in sentences(text):
        sentence = text[start:end]
        for match in _BRACKET.finditer(sentence):
            before, inside = sentence[: match.start()], _LEAD.sub("", match[1].strip()).strip(_QUOTES)
            yield from abbreviations(before, inside)
            names = _pieces(inside)
            for one, other in permutations(names, 2):
                if _SHORT.fullmatch(one) and long_form(one, other) == other and not any(map(_SHORT.fullmatch, other.split())):
                    yield "abbreviation", one, other
            for one in names:
                yield from _translations(before, one)
        yield from _aliases(sentence)
        for match in _CHINESE_ALIAS.finditer(sentence):
            name, other = match[1], match[2]
            if not name.startswith(_CONNECTIVES) and name != other and not _CUT.search(name + other):
                yield "alias", other, name


def _pieces(inside: str) -> tuple[str, ...]:
    """What stands in a bracket: a name with its abbreviation is two, "Artificial Intelligence, AI"; "Huawei Co., Ltd." is one."""
    names = [_LEAD.sub("", name.strip()).strip(_QUOTES) for name in re.split("[,，;；、]", inside)]
    return tuple(names) if len(names) == 2 and sum(_SHORT.fullmatch(name) is not None for name in names) == 1 else (inside,)


def abbreviations(before: str, inside: str) -> Iterator[tuple[str, str, str]]:
    """What the text `before` a bracket and the words `inside` it say about an abbreviation: one of the two is short for the other."""
    short = re.split(r"[,;:，；]", inside)[0].strip(_QUOTES)
    if _SHORT.fullmatch(short):
        words = before.replace("“", "").replace("”", "").replace('"', "").split(" ")
        most = min(len(short) + 5, 2 * len(short))
        if (long := long_form(short, " ".join(words[-most:]))) is not None:
            yield "abbreviation", short, long
        return
    last = before.rsplit(" ", 1)[-1].strip(_QUOTES)
    # A number in it may count what it names: CO2, EC2.
    if _SHORT.fullmatch(last) and " " in inside and inside in (long_form(last, inside), long_form(re.sub(r"\d", "", last), inside)):
        yield "abbreviation", last, inside


def long_form(short: str, before: str) -> str | None:
    """The end of `before` that `short` may stand for, None where there is none.

    Words that begin with its letters, one after the other, else the shortest end in which these stand in order (Schwartz and Hearst 2003).
    """
    letters = [char.lower() for char in short.removesuffix("s") if char.isalnum()]
    long = _initials(letters, before) or _shortest(letters, before)
    if long is None:
        return None
    long = long.strip(_QUOTES + ",;:")
    words = long.split()
    plain = not re.search(rf"[,;:({_HAN}]", long) and len(words) <= len(letters) + 2 and words[0][:1].isalnum()
    return long if plain and len(long) > len(short) + 1 and words[0].lower() not in STOP_WORDS and short not in words else None


def _initials(letters: Sequence[str], before: str) -> str | None:
    words = list(re.finditer(r"[^\W_]+", before))
    for at in range(len(words) - 1, max(-1, len(words) - len(letters) - 4), -1):
        told = [match[0] for match in words[at:]]
        if [word[0].lower() for word in told if len(told) == len(letters) or word.lower() not in STOP_WORDS] == list(letters):
            return before[words[at].start() :]
    return None


def _shortest(letters: Sequence[str], before: str) -> str | None:
    at = len(before)
    begins = 0
    for place in range(len(letters) - 1, -1, -1):
        at -= 1
        while at >= 0 and (before[at].lower() != letters[place] or (place == 0 and at > 0 and before[at - 1].isalnum())):
            at -= 1
        if at < 0:
            return None
        begins += at == 0 or not before[at - 1].isalnum()
    return before[before.rfind(" ", 0, at + 1) + 1 :] if 2 * begins >= len(letters) else None


def _aliases(sentence: str) -> Iterator[tuple[str, str, str]]:
    for match in _ALIAS.finditer(sentence):
        before = _SAID_SO.sub("", sentence[: match.start()].rstrip(" ,(")).rstrip(" ,(")
        name, other = _noun(before), _OTHER.match(sentence, match.end())
        if name is None or other is None:
            continue
        words = other[1].split()
        cut = next((at for at, word in enumerate(words) if word.lower() in _END), len(words))
        follows = sentence[other.end() :].lstrip("\"”’' ")[:1]
        if cut == len(words) and follows.isalnum():
            continue
        said = " ".join(words[:cut])
        if len(said) > 2 and words[0].lower() not in STOP_WORDS and said.casefold() != name.casefold():
            yield "alias", said, name


def _noun(before: str) -> str | None:
    """The name that ends `before`: its last three words at most, from where a phrase must begin; a lone common word only at a beginning."""
    taken: list[str] = []
    stopped = ""
    for word in reversed(_WORD.findall(before)):
        if not before.endswith(" ".join([word, *taken])) or word.lower() in _VERBS or word.lower() in STOP_WORDS:
            stopped = word.lower()
            break
        if len(taken) == 3:
            return None
        taken.insert(0, word)
    common = len(taken) == 1 and taken[0].islower() and bool(stopped)
    return None if common or stopped == "of" or stopped in _POINTERS else " ".join(taken) or None


def _translations(before: str, inside: str) -> Iterator[tuple[str, str, str]]:
    if _LATIN.fullmatch(inside) and not _NUMERAL.fullmatch(inside) and (run := _HAN_RUN.search(before)) is not None:
        told = _OPENING.sub("", run.group())
        cuts = [match.group() for match in _CUT.finditer(told)]
        name = _CUT.split(told)[-1]
        doubtful = cuts and (cuts[-1] in _JOINING or _COMPANY.search(inside))
        if 1 < len(name) <= _LONGEST_RUN and not doubtful and not _is_party(name, inside):
            yield "translation", inside, name
    elif 2 <= len(inside) <= 12 and all(map(is_cjk, inside)) and (latin := _BEFORE_LATIN.search(before)) is not None:
        prior = before[: latin.start()].rstrip()
        name = latin.group() if not prior or is_cjk(prior[-1]) or not prior[-1].isalnum() else ""
        if not name or name.split()[0].lower() in STOP_WORDS:  # within an English sentence only capitals say where a name begins
            name = "".join(_CAPITALS.findall(latin.group()))
        if len(name) > 1 and not _is_party(inside, name):
            yield "translation", name, inside


def _is_party(han: str, latin: str) -> bool:
    """Whether a company stands beside the part that it plays, and not beside its name."""
    played = _PARTY.search(han) is not None and "party" not in latin.lower()
    return played or (_COMPANY.search(latin) is not None and not _BODY.search(han))
