"""What must not be kept or sent on, where it stands: mail addresses, telephone numbers, numbers of persons and accounts, keys.

Shapes are looked for, and what only looks like one is told apart: by a checksum where there is one, else by the words before it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Literal

Kind = Literal["email", "phone", "id", "key"]
Found = list[tuple[int, int, Kind]]

_ZEROS = (0x0660, 0x06F0, 0x0966, 0x09E6, 0x0E50, 0xFF10)
_AS_ASCII: dict[int, int | str] = {
    **{code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)},
    **dict.fromkeys((0xA0, 0x202F, 0x3000, *range(0x2000, 0x200B)), " "),
    **dict.fromkeys((*range(0x2010, 0x2016), 0x2212), "-"),
    **{zero + digit: str(digit) for zero in _ZEROS for digit in range(10)},
}
"""Wide letters and signs, digits of other scripts, spaces and dashes: each becomes one character, so that all places stay."""

# No \b and no \w before or after: Chinese sets no space before a number or an address, and DB_PASSWORD is one word to them.
_LEFT, _RIGHT = r"(?<![A-Za-z0-9])", r"(?![A-Za-z0-9])"
_DAY, _MONTH = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])"
_YEAR = r"(?:19|20)\d\d"
_DATE = rf"(?:{_YEAR}[ ./-]{_MONTH}[ ./-]{_DAY}|{_DAY}[ ./-]{_DAY}[ ./-]{_YEAR})(?!\d)"

_CJK = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_PART = rf"[^\W{_CJK}]"
_AT, _DOT = r"(?:@|%40|\s?[\[(]at[\])]\s?)", r"(?:\.|\s?[\[(]dot[\])]\s?)"
_EMAIL = re.compile(
    rf"(?:(?<![\w.+-])|(?<=[{_CJK}]))(?<!\w['’])(?:[.+-]|{_PART}|(?<=\w)['’](?=\w))+"
    rf"{_AT}(?:(?:{_PART}|-)+|[{_CJK}]+)(?:{_DOT}(?:{_PART}|-)+)*{_DOT}(?!\d)(?:{_PART}|-)*{_PART}"
)

_TOKEN = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    rf"|{_LEFT}(?:eyJ[\w-]{{8,}}\.[\w-]{{8,}}\.[\w-]{{8,}}|(?:sk|pk|rk)[-_][\w-]{{20,}}|(?:AKIA|ASIA)[0-9A-Z]{{16}}(?![0-9A-Za-z])"
    r"|gh[oprsu]_\w{36,}|github_pat_\w{22,}|glpat-[\w-]{20,}|hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{36}|xox[abeprs]-[\w-]{10,}"
    r"|AIza[\w-]{35}|ya29\.[\w-]{20,}|SG\.[\w-]{16,}\.[\w-]{16,})",
    re.DOTALL | re.ASCII,
)
_BEARER = re.compile(r"(?i:bearer|basic)\s+(?P<value>[\w.~+/-]{16,}=*)", re.ASCII)
_IN_URL = re.compile(r"(?<=://)[^\s/:@]{0,99}:(?P<value>[^\s/@]{1,99})@")
_NAME_OF_KEY = (
    r"(?:(?i:password|passwd|passphrase|passcode|pwd|secret(?:[_ -]?(?:access[_ -]?)?key)?|token"
    r"|(?:api|access|auth|account|private|shared|encryption)[_ -]?key)|密码|密碼|口令|密钥|密鑰|令牌)"
)
_QUOTED = re.compile(_NAME_OF_KEY + r"[\"']?\]?\s{0,4}(?:=>|[:=])\s{0,4}([\"'])(?P<value>(?:(?!\1)[^\n]){4,200})\1")
_SET = re.compile(
    _NAME_OF_KEY
    + r"[\"']?\]?(?P<by>\s{0,4}(?:=>|[:=]|\b(?:is|was)\s|[是为為])\s{0,4})[\"“]?(?P<value>[!#-&(-+\--:=-~]{3,199}[!#-&*+/\w=?@\\^~])",
    re.ASCII,
)
_PLACEHOLDER = re.compile(r"(?:<|your\b|\$[{(A-Z_]|\{\{|\*{3}|\.{3}|%\w+%$|https?:|x{4,}$)", re.IGNORECASE)
_NO_KEYS = frozenset("none null true false string password secret required optional changeme".split())
_NUMBERS = re.compile(r"[\d.:/~-]*[.:/~-][\d.:/~-]*|\d{1,3}[A-Za-z]{0,2}-[A-Za-z-]+", re.ASCII)  # "8-16", "3.11", "12-character"

_PROVINCE = r"(?:1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3]|91)"
_BORN = r"(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_RESIDENT = re.compile(rf"{_LEFT}[1-9](?:[ -]?\d){{16}}[ -]?[\dXx]{_RIGHT}")
_RESIDENT_18 = re.compile(rf"{_PROVINCE}\d{{4}}(?:18|19|20)\d\d{_BORN}\d{{3}}[\dXx]")
_RESIDENT_15 = re.compile(rf"(?<![A-Za-z0-9.-]){_PROVINCE}\d{{4}}\d\d{_BORN}\d{{3}}(?![A-Za-z0-9-])")
_IBAN = re.compile(rf"{_LEFT}[A-Z]{{2}}\d{{2}}(?:[ -]?[A-Z0-9]{{4}}){{2,7}}(?:[ -]?[A-Z0-9]{{1,3}})?{_RIGHT}", re.IGNORECASE)
_CARD = re.compile(
    r"(?<![A-Za-z0-9+.-])(?:\d{4}([ .-]?)\d{4}\1\d{4}\1\d{1,4}(?:\1\d{1,3})?|3\d{3}([ .-])\d{6}\2\d{4,5}|\d{6}[ -]\d{13})(?![A-Za-z0-9-])"
)
_ISSUED = re.compile(r"[3-6]|2[2-7]|81|82|9558")
_SSN = re.compile(r"(?<![\w-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])", re.ASCII)
_NAMED_ID = re.compile(
    r"(?:(?<![A-Za-z])(?i:passport|SSN|social[ -]security|national[ -]insurance|NINO|driv(?:er'?s?|ing)[ -]licen[cs]e|tax(?:payer)?[ -]id"
    r"|IBAN|(?:account|acct|(?:credit|debit|bank|identity|id)[ -]card|card)(?=[ _-]?(?:no|nr|num|#)))"
    r"|护照|護照|身份证|身份證|证件|社保卡?|医保卡?|银行卡|银行账户|卡号|卡號|[账帐]号|帳號|驾驶证|通行证)"
    r"(?i:[ _-]?(?:number|no\.?|nr\.?|num|#|[号號]?[码碼]?))?[\"']?\s{0,3}(?:[:=#]|\bis\b|[是为為])?\s{0,3}[\"']?"
    rf"(?!{_DATE})(?P<value>\d{{2,8}}(?:[ .-](?!{_DATE})\d{{2,8}}){{1,6}}[Xx]?|[A-Z]{{2}}(?: ?\d\d){{3}} ?[A-D]"
    rf"|[A-Za-z]{{0,3}}\d[A-Za-z0-9]{{5,24}}){_RIGHT}",
    re.ASCII,
)

_CALLED = (
    r"(?:(?<![A-Za-z])(?i:tel|telephone|telefon|phone|ph|mobile|fax|facsimile|telecopy|hotline|whatsapp|sms|call|ring|dial)(?![A-Za-z])"
    r"|手机|手機|电话|電話|传真|傳真|致电|拨打|热线)"
    r"(?:[ .:=#]|(?i:us|me|him|her|them|at|on|now|no|nr|number|is|under)(?![A-Za-z])|号码?|號碼?|是|为|\([^()\d]{1,12}\)){0,6}"
)
_BEGINS = rf"(?<![A-Za-z0-9+])(?<!\d\.)(?<![\w-]-)(?<![A-Za-z/]/)(?!{_DATE})"
_ENDS = r"(?: ?(?:x|ext\.?|转|轉) ?\d{1,5})?(?![A-Za-z0-9]|-\w|\.\d|/(?!\d{6}))"
_PHONE = re.compile(
    rf"(?=[\d+(]){_BEGINS}(?:"
    r"\+\d{1,3}[ ./-]?(?:\(\d{1,4}\)[ .-]?)?\d(?:(?:[ .-]|/(?=\d{3}))?\d){6,12}"
    r"|00[1-9]\d{0,2}[ ./-]\d(?:(?:[ .-]|/(?=\d{3}))?\d){6,12}"
    rf"|\((?!{_YEAR}\))\d{{2,5}}\)[ -]?\d(?:[ .-]?\d){{5,9}}"
    r"|(?:86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}"
    r"|(?:1[.-])?\d{3}[.-]\d{3}[.-]\d{4}"
    r"|(?<!\d )(?:1 )?[2-9]\d\d [2-9]\d\d \d{4}(?! \d)"
    r"|400(?!-?0{3})-?(?:\d-?){6}\d"
    r"|0[1-9](?:([ .-])\d\d)(?:\1\d\d){3}"
    r"|0[1-9][ -]\d{3,4}[ -]\d{4}"
    r"|0[1-9][ /-]\d{7,8}"
    r"|(?<!\d\d\d[ -])0[1-9]\d{1,3}(?: ?[/-] ?| )\d(?:[ -]?\d){5,9}"
    rf"|0[1-9]\d{{8,9}}){_ENDS}",
    re.ASCII,
)
_CALLED_PHONE = re.compile(rf"{_CALLED}(?P<value>{_BEGINS}\(?\d(?:[ .()/-]{{0,3}}\d){{6,13}}{_ENDS})", re.ASCII)
_CALLED_BEFORE = re.compile(rf"{_CALLED}$", re.ASCII)
_COUNTED_BEFORE = re.compile(
    r"(?:(?<![A-Za-z])(?i:order|part|item|article|art|invoice|serial|ticket|case|room|model|sku|batch|lot|version|patent|figure|isbn|issn"
    r"|ref|reference)|订单|單號|单号|编号|編號|零件|型号|型號|房间|批号|发票|序列|第)(?i:\s?(?:nos?|nr|#|number|num|id|code|号码?|號碼?))?[\s.:#]*$"
)
_WITHIN_URL = re.compile(r"(?:://|www\.)\S*/$")
_LOOKED_BACK = 60

_Place = tuple[int, int]
_Reads = Callable[[re.Match[str]], _Place | None]


def found(text: str, kinds: Sequence[Kind]) -> Found:
    """Where something of `kinds` stands in `text`, in order: start, end and kind. What an earlier kind has found no later one finds."""
    plain = text if text.isascii() else text.translate(_AS_ASCII)
    taken: Found = []
    for kind, shapes in _SHAPES.items():
        for shape, reads in shapes if kind in kinds else ():
            for match in shape.finditer(plain):
                if (place := reads(match)) is not None:
                    _take(taken, (*place, kind))
    return taken


def _take(taken: Found, one: tuple[int, int, Kind]) -> None:
    """Put `one` in its place, unless it overlaps with what is there."""
    at = bisect_left(taken, one)
    if (at == 0 or taken[at - 1][1] <= one[0]) and (at == len(taken) or one[1] <= taken[at][0]):
        taken.insert(at, one)


def _whole(match: re.Match[str]) -> _Place:
    return match.span()


def _value(match: re.Match[str]) -> _Place:
    return match.span("value")


def _bearer(match: re.Match[str]) -> _Place | None:
    mixed = any(map(str.isdigit, match["value"])) and any(map(str.isalpha, match["value"]))
    return match.span("value") if mixed else None


def _quoted(match: re.Match[str]) -> _Place | None:
    said = match["value"]
    return None if _PLACEHOLDER.match(said) or said.lower() in _NO_KEYS else match.span("value")


def _set(match: re.Match[str]) -> _Place | None:
    """A value that is no word of the sentence: of letters and digits, or with signs in it; any, where it is set without a space (A=b)."""
    said = match["value"]
    mixed = any(map(str.isalpha, said)) and any(map(str.isdigit, said))
    signs = re.search(r"\w.*[!@#$%^&*+=~|\\].*\w|[a-z][A-Z].*[a-z][A-Z]", said) is not None and len(said) > 7
    assigned = match["by"] == "=" and said.isalpha() and said.lower() not in _NO_KEYS
    pin = said.isdigit() and match[0][0] in "pP密口"
    if _PLACEHOLDER.match(said) or _NUMBERS.fullmatch(said):
        return None
    return match.span("value") if mixed or signs or assigned or pin else None


def _luhn(match: re.Match[str]) -> _Place | None:
    digits = [int(char) for char in match[0] if char.isdigit()][::-1]
    holds = sum(digits[::2]) % 10 == -sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2]) % 10
    return match.span() if holds and _ISSUED.match(match[0]) else None


def _iban(match: re.Match[str]) -> _Place | None:
    """Up to where the checksum (ISO 7064, MOD 97-10) holds: the words that follow may look like more groups."""
    breaks = [place.start() for place in re.finditer(r"[ -]", match[0])]
    for end in (len(match[0]), *reversed(breaks)):
        packed = re.sub(r"[ -]", "", match[0][:end])
        likely = 15 <= len(packed) <= 34 and sum(map(str.isdigit, packed)) >= 8
        if likely and int("".join(str(int(char, 36)) for char in packed[4:] + packed[:4])) % 97 == 1:
            return match.start(), match.start() + end
    return None


def _resident(match: re.Match[str]) -> _Place | None:
    """A place, a day of birth, and a check digit: ISO 7064, MOD 11-2, as GB 11643 has it."""
    packed = re.sub(r"[ -]", "", match[0])
    check = "10X98765432"[sum(int(char) * 2 ** (17 - place) for place, char in enumerate(packed[:17])) % 11]
    return match.span() if check == packed[17].upper() and _RESIDENT_18.fullmatch(packed) else None


def _named_id(match: re.Match[str]) -> _Place | None:
    return match.span("value") if sum(map(str.isdigit, match["value"])) >= 5 else None


def _phone(match: re.Match[str]) -> _Place | None:
    """A number that is not said to be one of an order, a part or a room, and is no part of a URL."""
    before = match.string[max(0, match.start() - _LOOKED_BACK) : match.start()]
    counted = _COUNTED_BEFORE.search(before) and not _CALLED_BEFORE.search(before)
    return None if match[0][0] != "+" and (counted or _WITHIN_URL.search(before)) else match.span()


def _called(match: re.Match[str]) -> _Place | None:
    return None if match["value"].endswith("00000") else match.span("value")


_SHAPES: dict[Kind, tuple[tuple[re.Pattern[str], _Reads], ...]] = {
    "key": ((_TOKEN, _whole), (_BEARER, _bearer), (_IN_URL, _value), (_QUOTED, _quoted), (_SET, _set)),
    "email": ((_EMAIL, _whole),),
    "id": (
        (_IBAN, _iban), (_RESIDENT, _resident), (_CARD, _luhn), (_RESIDENT_15, _whole), (_SSN, _whole), (_NAMED_ID, _named_id),
    ),
    "phone": ((_PHONE, _phone), (_CALLED_PHONE, _called)),
}  # fmt: skip
"""What each kind looks like, and what tells it from other things, the surest first."""
