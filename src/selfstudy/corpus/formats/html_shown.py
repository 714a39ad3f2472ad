"""What of a page a reader gets to see: also what opens at a click, and the prose in the frames around the article."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_SKIPPED = frozenset(
    """head script style noscript template svg canvas iframe object audio video nav button select option textarea input datalist
    dialog rt rp rtc del s strike""".split()
)
_FRAMES = frozenset(("header", "footer", "aside"))
_HEADS = frozenset("h1 h2 h3 h4 h5 h6 dt summary legend".split())
_CLICKED = frozenset("button h2 h3 h4 h5 h6 dt label".split())
_PANELS = frozenset("div section article p ul ol dl dd li table tbody tr td blockquote details main pre".split())
_OUTSIDE = frozenset(("navigation", "search", "banner", "contentinfo"))
_BESIDE = frozenset("dialog alertdialog menu menubar listbox tooltip navigation search".split())
_ASIDE = re.compile(r"modal|popup|popover|cookie|consent|overlay|lightbox|tooltip|skeleton|template|\bnav|menu", re.IGNORECASE)
_SENTENCE = re.compile(r"\w[)\]\"'»”]?[.!?](?:\s|$)|[。！？]")
_SHORTEST = 15  # characters of a sentence
_RIGHTS = re.compile(r"©|\(c\)\s*\d{4}|copyright|all rights reserved|newsletter", re.IGNORECASE)
_LONG = 120  # characters of hidden prose that is the page's own, whatever opens it
_MOST = 4000  # characters of an element that are looked at
_ELEMENTS = 400  # in it that are looked at
_STEPS = 3  # from a button up to the element that its panel follows


class Shown:
    """`whole`: the page is all article, and nothing in it can be clicked, as in a book or a letter."""

    def __init__(self, tree: HtmlElement, whole: bool) -> None:
        self.articles = int(whole)  # <main> and <article> that are open
        self._whole = whole
        self._framed = next(tree.iter("main", "article"), None) is not None
        self._buttons: set[HtmlElement] = set()  # that ask or name something
        self._opened: dict[HtmlElement, bool] = {}  # hidden elements
        self._said: dict[HtmlElement, bool] = {}  # frames
        if not whole:
            self._click(tree)

    def leaves_out(self, element: HtmlElement, tag: str) -> bool:
        """Whether no reader sees `element`: scripts, menus, what is struck out, what stays hidden, and frames without prose."""
        if tag in _SKIPPED:
            return element not in self._buttons
        if tag in _FRAMES and not self.articles and not self._has_prose(element, tag):
            return True
        if element.get("role") in _OUTSIDE or "line-through" in _style(element):
            return True
        return _is_hidden(element) and not self._opens(element, tag)

    def _click(self, tree: HtmlElement) -> None:
        """Note the buttons that are headings or open a panel with text, and the hidden panels that buttons and tabs open."""
        named: dict[str, HtmlElement] = {element.get("id") or "": element for element in tree.iter() if element.get("id")}
        for control in tree.iter():
            if not (isinstance(control.tag, str) and _is_control(control)):
                continue
            target = (
                control.get("aria-controls") or control.get("data-bs-target") or control.get("data-target") or control.get("href") or ""
            )
            panel = named.get(target.removeprefix("#"))
            panel = panel if panel is not None else _following(control)
            heads = _is_alone_in_heading(control)
            stated = heads or control.get("aria-expanded") is not None or control.get("aria-controls") is not None
            opens = panel is None or (_is_answer(panel) if stated else _is_hidden(panel) and _is_answer(panel, _SHORTEST, _in_words))
            if panel is not None and opens and _is_hidden(panel):
                self._opened[panel] = True
            if heads or (opens and (stated or panel is not None)):
                self._buttons.add(control)

    def _opens(self, element: HtmlElement, tag: str) -> bool:
        """Whether a hidden element is shown at a click: something opens it, or it is a long text of its own."""
        if element not in self._opened:
            apart = self._whole or tag not in _PANELS or _ASIDE.search(f"{element.get('class')} {element.get('id')}")
            self._opened[element] = not apart and _is_answer(element, _LONG)
        return self._opened[element]

    def _has_prose(self, element: HtmlElement, tag: str) -> bool:
        """Whether a frame says something in a sentence. Around a marked article only a header does, which has the page's only <h1>."""
        if element not in self._said:
            tops = list(element.getroottree().getroot().iter("h1")) if tag == "header" and self._framed else []
            apart = self._framed and not (len(tops) == 1 and element in tops[0].iterancestors())
            self._said[element] = not apart and _is_answer(element, _SHORTEST, lambda text: _in_words(text) and not _RIGHTS.search(text))
        return self._said[element]


def _is_hidden(element: HtmlElement) -> bool:
    if element.get("aria-hidden") == "true" or element.get("hidden") is not None:
        return True
    return "display:none" in _style(element)


def _style(element: HtmlElement) -> str:
    return (element.get("style") or "").replace(" ", "").lower()


def _is_control(element: HtmlElement) -> bool:
    if (element.get("aria-haspopup") or "false") != "false" or next(element.iterancestors("form"), None) is not None:
        return False
    if element.tag in _CLICKED or element.get("role") in ("button", "tab"):
        return True
    return element.get("aria-controls") is not None or (element.get("data-bs-toggle") or element.get("data-toggle")) in ("collapse", "tab")


def _following(control: HtmlElement) -> HtmlElement | None:
    """The element after a control, or after the heading or wrapper that it ends."""
    at: HtmlElement | None = control
    for _ in range(_STEPS):
        if at is None:
            return None
        after = next((one for one in at.itersiblings() if isinstance(one.tag, str)), None)
        if after is not None:
            return after
        at = at.getparent()
    return None


def _is_alone_in_heading(button: HtmlElement) -> bool:
    above = next((above for above in islice(button.iterancestors(), _STEPS) if above.tag in _HEADS), None)
    return above is not None and _text(above)[0] == _text(button)[0]


def _is_answer(element: HtmlElement, least: int = 1, fits: Callable[[str], bool] = bool) -> bool:
    """Whether an element is text to be read, at least so many characters of it that fit, and no menu, form or dialog."""
    if element.tag in _SKIPPED or element.tag == "form" or element.get("role") in _BESIDE:
        return False
    text, linked = _text(element)
    return len(text) >= least and 2 * linked < len(text) and fits(text)


def _in_words(text: str) -> bool:
    return _SENTENCE.search(text) is not None


def _text(element: HtmlElement) -> tuple[str, int]:
    """The text in an element, as far as is looked at, and how many characters of it are links."""
    parts: list[str] = []
    size = linked = 0
    for inner in islice(element.iter(), _ELEMENTS):
        tag = inner.tag if isinstance(inner.tag, str) else ""
        if tag in ("script", "style", "nav"):
            linked += len(" ".join(inner.text_content().split())[:_MOST]) if tag == "nav" else 0
            said = ""
        else:
            said = " ".join((inner.text or "").split()) if tag else ""
        if tag == "a":
            linked += len(" ".join(inner.text_content().split())[:_MOST])
        tail = "" if inner is element else " ".join((inner.tail or "").split())
        parts += [part for part in (said, tail) if part]
        size += len(said) + len(tail)
        if size > _MOST:
            break
    return " ".join(parts), linked
