"""Questions that lean on the passage that they were written from: whoever asks has not seen it."""

from __future__ import annotations

import re

from selfstudy.core.hanzi import simplified

_OF_IT = r"(?:passage|text|document|article|excerpt|paragraph|context|section|author)\b(?!\s+\d)"
_SAYS = (
    r"says?|said|states?|stated|mentions?|mentioned|describes?|described|gives?|lists?|names?|calls?|tells?|speaks?|talks?|refers?|covers?"
    r"|defines?|explains?|discuss(?:es)?|suggests?|implies|claims?|argues?|recommends?|specif(?:y|ies)|provides?|contains?|compares?"
    r"|thinks?|believes?|uses?"
)
_NAMED = "named|mentioned|described|stated|listed|shown|given|said|told|discussed|explained|cited|quoted"
_ENGLISH = re.compile(
    rf"\b(?:this\s+(?:\w+\s+)?|that\s+|(?:given|above|following|provided|preceding)\s+){_OF_IT}"
    rf"|\bthe\s+(?:first|second|third|last|whole|entire|short)\s+{_OF_IT}|\bthe\s+{_OF_IT}(?:['’]s\b|\s+(?:{_SAYS})\b|\s+about\W*$)"
    rf"|\b(?:according\s+to|(?:{_NAMED})\s+(?:in|by)|(?:topic|theme|title|purpose|subject|point|idea)\s+of)\s+the\s+{_OF_IT}"
    r"|\b(?:mentioned|described|stated|listed|shown)\s+(?:above|here|below)\b",
    re.IGNORECASE,
)
_BARE = re.compile(
    rf"\bthe\s+(?P<thing>{_OF_IT})(?=\W*$|\s*[^\w\s'’-]"
    r"|\s+(?:is|are|was|were|do|does|did|has|have|and|or|as|about|that|which|what|who|how|when|where|why)\b)",
    re.IGNORECASE,
)
_PIECE = "文章|文本|文段|段落|段文字|短文|文档|材料|资料|文字|选段|节选"
_CHINESE = re.compile(
    r"(?<![日资基根版剧样])本文(?![件化明学字])|(?:(?<!上)下|上|(?<![当目以之])前)文(?![件档章字化本])|这篇|[这该此上下前后本]一?段(?:文字|话|内容|文本|材料|资料|描述|叙述|介绍|落|[中里]|规定|提到|指出)"
    rf"|(?:这[篇份个些]?|该|此|(?<![日资基根版剧样])本)(?:{_PIECE}|文件)|(?:上述|以上|上面|前述|所给|给定)的?(?:{_PIECE}|文件|内容|信息)"
    rf"|(?:根据|依据|按照|据)(?:{_PIECE}|原文)(?=[，,：:中里内]|所[述说给]|可知|内容|提|描|介|叙|什么|谁|哪|如何|为什么)"
    rf"|(?:{_PIECE}|原文|作者)[中里内]?(?:所|主要|曾)?(?:提到|提及|指出|认为|描述|介绍|说(?!明)|讲(?!义)|叙述|列出|列举|给出|强调|谈到|规定|写道)"
    r"|(?<![论条英中日法德俄韩藏梵古课作公电碑铭经序祭诗散征行外国语天人范])文中|(?<!篇)(?:文章|段落|短文)[中里]"
)


def leans(question: str, passage: str) -> bool:
    """Whether `question` speaks of its passage: "the document says", 文中.

    "Who signs the document?" does not where the passage itself speaks of a document as of a thing.
    """
    if _ENGLISH.search(question) or _CHINESE.search(simplified(question)):
        return True
    bare = _BARE.search(question)
    return bare is not None and not re.search(rf"(?<!\bthis ){bare['thing']}s?\b(?!\s+\d)", passage, re.IGNORECASE)
