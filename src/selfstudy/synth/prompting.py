"""Prompts of this room, and how a passage stands in them."""

from __future__ import annotations

import re

from selfstudy.core.injection import fenced
from selfstudy.core.prompts import Prompt, prompt_of
from selfstudy.core.records import Passage
from selfstudy.core.text import is_cjk, tokens

_MOST_CHARACTERS = 6000
_NAMES = {
    "ar": "Arabic", "bg": "Bulgarian", "ca": "Catalan", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek", "en": "English",
    "es": "Spanish", "et": "Estonian", "fa": "Persian", "fi": "Finnish", "fr": "French", "he": "Hebrew", "hi": "Hindi", "hr": "Croatian",
    "hu": "Hungarian", "id": "Indonesian", "it": "Italian", "ja": "Japanese", "ko": "Korean", "lt": "Lithuanian", "lv": "Latvian",
    "nl": "Dutch", "no": "Norwegian", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sk": "Slovak",
    "sl": "Slovenian", "sr": "Serbian", "sv": "Swedish", "th": "Thai", "tr": "Turkish", "uk": "Ukrainian", "vi": "Vietnamese",
    "zh": "Chinese",
}  # fmt: skip
_ITS_OWN = "the language of the passage"
_KANA = re.compile(r"[\u3040-\u30ff]")
_HANGUL = re.compile(r"[\uac00-\ud7af]")
_TELLING = 0.1
"""The share of kana or hangul among these characters that a name in Chinese text does not reach, and a short question in Japanese does."""


def prompt(name: str) -> Prompt:
    """The prompt called `name`."""
    return prompt_of("selfstudy.synth.prompts", name)


def shown(passage: Passage) -> str:
    """A passage as a model sees it: fenced, and cut where it is very long."""
    return fenced(passage.indexed[:_MOST_CHARACTERS])


def language(passage: Passage) -> str:
    """What a prompt calls the language that questions about `passage` are written in."""
    return by_script(passage.text) or _NAMES.get(passage.language or "", _ITS_OWN)


def by_script(text: str) -> str:
    """The language of `text` as far as its script alone tells: Chinese, Japanese or Korean; "" for any other."""
    dense = sum(map(is_cjk, text))
    others = sum(word[0].isalpha() and not is_cjk(word) for word in tokens(text))
    if dense <= 2 * others:  # words, of two characters each, and not letters: a name in Latin letters may be longer than all the rest
        return ""
    least = _TELLING * dense
    if len(_HANGUL.findall(text)) > least:
        return "Korean"
    return "Japanese" if len(_KANA.findall(text)) > least else "Chinese"
