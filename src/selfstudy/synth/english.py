"""Questions about English passages by rule: no model, no download. Each function is a `Writer` (core/ports.py)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from selfstudy.core.records import Example, Passage
from selfstudy.core.text import STOP_WORDS, cjk_share, content_words, is_cjk, sentences, tokens
from selfstudy.synth.draft import draft, pick

_MAX_WORDS = 28

_MONTH = (
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December"
    r"|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)"
)
_DATE = re.compile(
    rf"\b(?:{_MONTH}\.?\s+\d{{1,2}},?\s+\d{{4}}|\d{{1,2}}\s+{_MONTH}\.?,?\s+\d{{4}}|{_MONTH}\.?\s+\d{{4}}|(?<![/–-])(?:1[5-9]|20)\d\d(?![/–-]\d))\b"
)
_NO_UNIT = "|".join(sorted(word for word in STOP_WORDS if len(word) > 1))
_NUMBER = re.compile(
    r"(?<![\w./–-])[$€£]?\s?\d(?:[\d,]*\d)?(?:\.\d+)?(?![,.]?\d|[/–-]\w)"  # not the parts of 10-K, 12/23 and 5-10
    rf"(?:\s?(?:%|per\s?cent\b|million\b|billion\b|(?!(?i:{_NO_UNIT})\b)[a-zA-Z]{{1,12}}\b))?"
)
_PLACE = re.compile(
    r"(?:\b(?:section|article|clause|paragraph|schedule|exhibit|annex|figure|table|chapter|page)s?|\bno\.|§)\s*$", re.IGNORECASE
)
"""Before a number that says where something stands, and not how many there are."""
_OPEN, _CLOSED = re.compile(r"[(\[{\"“”'‘`«]\s*$"), re.compile(r"\s*[)\]}\"“”'’`»]")
_ITEM = re.compile(r"^(?:(?:\(?(?:\d{1,2}|[a-z]|[ivx]{2,5})\)|\d{1,2}\.|(?:\d{1,2}\.)+\d{1,2}\.?(?=\s+[\"“(]?[A-Z]))\s+)+(?=\S)")
"""The number of an item: "7.1 The", "(a) the", "3. To"; but not that of "2.5 million people"."""
_NAME = re.compile(r"\b[A-Z][\w&'’-]+(?:\s+(?:of|and|the|for|&)\s+[A-Z][\w&'’-]+|\s+[A-Z][\w&'’-]+)+")
_TERM = re.compile(
    r"\b(?:a|an|the|any|some|all|such|these|those|this|our|your|its|their|his|her)\s+((?:[a-z][\w-]+\s+){0,2}[a-z][\w-]{3,})\b"
)

_AUXILIARY = "may|might|can|cannot|could|will|would|shall|should|must|is|are|was|were|has|have|had|does|do|did"
_DETERMINER = "the|a|an|this|these|those|our|your|its|their|each|all|any|such|no|some|most|many"
_SUBJECT = rf"(?:we|you|they|he|she|it|i|there|(?:(?:{_DETERMINER})\s+)?(?:[\w'’-]+\s+){{0,5}}?[\w'’-]+)"
_CLAUSE = re.compile(rf"^(?P<subject>{_SUBJECT})\s+(?P<aux>{_AUXILIARY})\s+(?P<not>not\s+)?(?P<rest>.+)$", re.IGNORECASE)
_IRREGULAR = (
    "am be became began broke brought built bought came chose cost cut dealt drew drove fell felt flew found gave got grew held hit kept "
    "knew lay led left let lost made meant met paid put ran read rose said sat saw sent set shot sold sought spent spoke stood struck "
    "taught thought told took went won wore wrote become begin choose click come connect enter find get give go hold keep make move open "
    "press refer see select take turn use"
).replace(" ", "|")
_VERB = re.compile(rf"\b(?:{_AUXILIARY}|{_IRREGULAR})\b|n['’]t\b|\b[a-z]\w+(?:ed|[^\Wsu]s)\b|\b(?:I|we|you|they|who|please)\s+[a-z]")
"""What may be a verb: auxiliaries, words in -s and -ed (plurals too: a question too many costs less than a kind that is never asked), the
commonest others, those of instructions, and what stands behind a pronoun."""
_LEAD_IN = re.compile(
    r"^(?:However|Therefore|In addition|Additionally|Also|Moreover|Furthermore|For example|Finally|Please note that|Note that"
    r"|And|But|So),?\s+"
)
_PURPOSE = re.compile(r"(?:^|[,;:]\s+|\b(?:in order)\s+)to\s+(?P<verb>[a-z]{2,}\s+[^,;:.]{6,90}?)(?=,|;|:|\.$|$)", re.IGNORECASE)
_CONDITION = re.compile(r"\b(?P<word>if|when|unless|until|before|after|where)\s+(?P<clause>[^,;:.]{8,90}?)(?=,|;|:|\.$|$)", re.IGNORECASE)
_CAUSE = re.compile(r"^(?P<effect>.{12,160}?),?\s+(?:because|since|due to the fact that|as a result of)\s+(?P<cause>.{6,})$", re.IGNORECASE)
_DEFINITION = re.compile(
    r"^(?:(?:the|a|an)\s+(?:term|word|phrase)\s+)?[\"“'‘]?(?P<term>(?:(?:the|a|an)\s+)?[\w][\w\s/&'’()-]{1,60}?)[\"”'’]?,?\s+"
    r"(?P<verb>is|are|means|shall mean|refers to|is defined as|denotes|consists of)\s+"
    r"(?P<body>(?:an?|the|any|all|one|to|that|those|each|when)\s+.{15,})$",
    re.IGNORECASE,
)
_POINTER = re.compile(
    r"^(?:it|this|that|these|those|there|they|he|she|we|you|which|what|who|such|here|one|both|each|all|some|another|if|as|unless|when"
    r"|check|confirm|our|my|your|his|her|their|its|above|below|underneath|behind|beside|on|in|at|by|for|from|of|with)\b"
    r"|\b(?:that|which|there|if|here)\b|^the\s+(?:first|second|third|last|next|previous|former|latter|following|other|rest|same)\s*$",
    re.IGNORECASE,
)
"""Terms that only point at something, or are no terms: "it", "if there"."""
_NO_SUBJECT = frozenset("if when and or but that which who as by in for to what how".split())
_READERS_WORD = {"may": "can", "might": "can", "cannot": "can", "shall": "will"}

_FLIP = {
    "we": "you", "us": "you", "our": "your", "ours": "yours", "ourselves": "yourselves",
    "you": "I", "your": "my", "yours": "mine", "yourself": "myself",
    "i": "you", "me": "you", "my": "your", "mine": "yours", "myself": "yourself",
}  # fmt: skip
_FLIP_OBJECT = _FLIP | {"you": "me"}
_PREPOSITIONS = "about|by|for|from|in|of|on|to|with|at|against|between|through|via|under|over|without"
_WORDS = re.compile(r"[A-Za-z]+(?:['’][a-z]+)?|[^A-Za-z]+")


def headings(passages: Sequence[Passage]) -> Iterator[Example]:
    """A heading asks for its section; a long title path asks once with its document's name before it."""
    shared = Counter(passage.title for passage in passages)
    for passage in passages:
        path = [part.strip() for part in passage.title.split(" > ") if part.strip()]
        if not path or shared[passage.title] > 3 or len(content_words(path[-1])) < 2:
            continue
        if len(path) > 1 and " | " in path[-1]:  # the header of a table, which its later passages carry
            continue
        yield draft(passage, path[-1], (), "section", "headings")
        if len(path) > 1:
            yield draft(passage, f"{path[0]}: {path[-1]}", (), "section", "headings")


def sentence(passages: Sequence[Passage]) -> Iterator[Example]:
    """A sentence taken out of its passage asks for what stood around it (inverse cloze, arXiv 1906.00300)."""
    for passage in passages:
        spans = [span for span in sentences(passage.text) if 6 <= len(tokens(passage.text[span[0] : span[1]])) <= 40]
        for start, end in pick(spans, 2, passage.id + "sentence"):
            yield draft(passage, _flat(passage.text[start:end]), (), "text", "sentence")


def cloze(passages: Sequence[Passage]) -> Iterator[Example]:
    """A number, date or name is taken out of its sentence and asked for with the wh-word of its type (arXiv 1906.04980)."""
    for passage in passages:
        found = [item for text in _sentences(passage) for item in _clozes(text)]
        for question, answer, kind in pick(found, 3, passage.id + "cloze"):
            yield draft(passage, question, (answer,), kind, "cloze")


def terms(passages: Sequence[Passage]) -> Iterator[Example]:
    """The passage's rarest telling words, as people type them into a search box; those of a Chinese one are `chinese_terms`."""
    counts = Counter(word for passage in passages for word in set(content_words(passage.indexed)))
    for passage in passages:
        if cjk_share(passage.text) >= 0.5:
            continue
        words = [word for word in dict.fromkeys(content_words(passage.text)) if not is_cjk(word)]
        known = [word for word in words if not word.isdigit() and 2 <= counts[word] <= max(3, len(passages) // 4)]
        chosen = sorted(known, key=lambda word: (counts[word], words.index(word)))[:6]
        if len(chosen) >= 2:
            size = 2 + int(passage.id[:4], 16) % 3
            yield draft(passage, " ".join(sorted(pick(chosen, size, passage.id + "terms"), key=words.index)), (), "term", "terms")


def definitions(passages: Sequence[Passage]) -> Iterator[Example]:
    """ "X is a ..." asks "What is X?"."""
    for passage in passages:
        for text in _sentences(passage):
            match = _DEFINITION.match(text)
            if (
                match is None
                or _POINTER.search(match["term"])
                or not 1 <= len(match["term"].split()) <= 6
                or not content_words(match["term"])
            ):
                continue
            term, body = match["term"].strip(), match["body"].rstrip(".")
            yield draft(
                passage, pick(_DEFINITION_FORMS, 1, passage.id + term)[0].format(term=_lower_first(term)), (body,), "text", "definitions"
            )


_DEFINITION_FORMS = ("What is {term}?", "What does {term} mean?", "define {term}", "What is meant by {term}?")


def statements(passages: Sequence[Passage]) -> Iterator[Example]:
    """A statement turned into the question that it answers, asked by its reader: "We may share your data" -> "Can you share my data?"."""
    for passage in passages:
        found = [question for text in _sentences(passage) if (question := _ask_whether(text))]
        for question in pick(found, 3, passage.id + "statements"):
            yield draft(passage, question, (), "text", "statements")


def reasons(passages: Sequence[Passage]) -> Iterator[Example]:
    """Purposes, conditions and causes: "To reset the clock, ..." -> "How do I reset the clock?"."""
    for passage in passages:
        found = [question for text in _sentences(passage) for question in _ask_why(text)]
        for question in pick(found, 3, passage.id + "reasons"):
            yield draft(passage, question, (), "text", "reasons")


def phrases(passages: Sequence[Passage]) -> Iterator[Example]:
    """Noun phrases of the passage in the open forms in which people ask: "What about ...", "Tell me about ..."."""
    counts = Counter(word for passage in passages for word in set(content_words(passage.indexed)))
    for passage in passages:
        found = sorted({match[1] for match in _TERM.finditer(passage.text) if len(content_words(match[1])) >= 2})
        found.sort(key=lambda phrase: min(counts[word] for word in content_words(phrase)))
        for first, second in zip(found[:6:2], found[1:6:2], strict=False):
            form = pick(_PHRASE_FORMS, 1, passage.id + first)[0]
            yield draft(passage, form.format(first=first, second=second), (), "text", "phrases")


_PHRASE_FORMS = (
    "What is said about {first} and {second}?", "How does {first} relate to {second}?", "{first} and {second}",
    "Is there information on {first}, {second}?", "What are the rules for {first} and {second}?", "How is {first} affected by {second}?",
    "Summarize {first} and {second}", "Tell me about {first}", "What happens with {first} in case of {second}?",
    "Why {first} and {second}?", "Who is concerned with {first} and {second}?",
)  # fmt: skip


def _sentences(passage: Passage) -> list[str]:
    """What the passage states: a question in it is asked as it is, by `found`, and Chinese has writers of its own."""
    if cjk_share(passage.text) >= 0.5:
        return []
    told = (_ITEM.sub("", _flat(passage.text[start:end])) for start, end in sentences(passage.text))
    return [text for text in told if 5 <= len(text.split()) <= 60 and not text.endswith("?")]


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip(" -*•\t")


def _lower_first(text: str) -> str:
    """Lower the first letter unless the word looks like a name or an acronym."""
    first = text.split(" ", 1)[0]
    ordinary = (first.lower() in STOP_WORDS and not first[1:].isupper()) or (first[1:].islower() and first.endswith(("ing", "tion", "s")))
    return text[0].lower() + text[1:] if ordinary else text


def _clozes(text: str) -> Iterable[tuple[str, str, str]]:
    dated = [match.span() for match in _DATE.finditer(text)]
    for pattern, kind in ((_DATE, "date"), (_NUMBER, "number"), (_NAME, "name")):
        for match in pattern.finditer(text):
            answer = match.group().strip()
            if kind == "name" and match.start() == 0:
                continue
            if kind != "date" and any(match.start() < end and start < match.end() for start, end in dated):
                continue
            if _OPEN.search(text, 0, match.start()) and _CLOSED.match(text, match.end()):  # what is left says nothing of it: "known as ()"
                continue
            if kind == "number" and _PLACE.search(text, 0, match.start()):
                continue
            question = _wh_question(text, match.start(), match.end(), kind, answer)
            if question:
                yield question, answer, kind


def _wh_question(text: str, start: int, end: int, kind: str, answer: str) -> str | None:
    """Front the wh-word, drop the asked span with the preposition before it, and keep the clause that held it."""
    left, right = text[:start].rstrip(), text[end:].strip(" .;:")
    cut = max(left.rfind(";"), left.rfind(". "), left.rfind(":"))
    left, right = _ITEM.sub("", left[cut + 1 :].strip()), re.split(r"[;:]", right)[0].strip(" ,")
    before = re.search(rf"\b({_PREPOSITIONS})$", left, re.IGNORECASE)
    preposition = before.group(1).lower() if before else ""
    if before:
        left = left[: before.start()].rstrip(" ,")
    head = _wh_words(kind, answer, preposition)
    clause = _tail(f"{left} {right}".strip(), _MAX_WORDS)
    if len(content_words(clause)) < 3 or not _VERB.search(clause):
        return None
    asked = _invert(clause) if kind in {"date", "number"} else None
    return f"{head} {asked or _lower_first(clause)}?"


def _wh_words(kind: str, answer: str, preposition: str) -> str:
    unit = re.sub(r"[\d$€£.,\s%]", "", answer)
    if kind == "date":
        return "When"
    if kind == "name":
        return f"{preposition.capitalize()} which" if preposition in {"in", "at", "on"} else "Who or what"
    if "%" in answer or unit == "percent":
        return "What percentage"
    if answer[0] in "$€£":
        return "How much"
    return f"How many {unit}" if len(unit) > 2 else "What number"


def _tail(text: str, most: int) -> str:
    parts = text.split()
    return " ".join(parts[-most:])


def _invert(clause: str) -> str | None:
    """Subject-auxiliary inversion: "the lease will end" -> "will the lease end"; None where there is no auxiliary."""
    match = _CLAUSE.match(clause)
    if match is None or len(match["subject"].split()) > 7 or match["subject"].split()[0].lower() in {"if", "when", "and", "or", "but"}:
        return None
    return f"{match['aux'].lower()} {_lower_first(match['subject'])} {match['not'] or ''}{match['rest']}"


def _ask_whether(text: str) -> str | None:
    clause = _LEAD_IN.sub("", text)
    match = _CLAUSE.match(clause)
    if match is None:
        return None
    subject, auxiliary, rest = match["subject"], match["aux"].lower(), match["rest"].rstrip(".!;: ")
    if subject.split()[0].lower() in _NO_SUBJECT or len(rest.split()) < 2:
        return None
    auxiliary = _READERS_WORD.get(auxiliary, auxiliary)
    rest = " ".join(re.split(r";|, (?:and|but|or|which|including|such)\b|\(", rest)[0].split()[:18])
    flipped = _flip(subject, _FLIP)
    if flipped.lower() == "i" and auxiliary in {"are", "were"}:
        auxiliary = {"are": "am", "were": "was"}[auxiliary]
    question = f"{auxiliary.capitalize()} {_lower_first(flipped)} {_flip(rest, _FLIP_OBJECT)}".strip(" ,")
    return f"{question}?" if len(content_words(question)) >= 3 else None


def _ask_why(text: str) -> Iterator[str]:
    if (match := _PURPOSE.search(text)) and match["verb"].split()[0].lower() not in STOP_WORDS:
        yield f"How do I {_flip(_short(match['verb']), _FLIP_OBJECT)}?"
        yield f"How to {_flip(_short(match['verb']), _FLIP_OBJECT)}"
    if match := _CONDITION.search(text):
        clause = _short(match["clause"])
        if len(content_words(clause)) >= 2 and match["word"].lower() in {"if", "when", "unless"}:
            yield f"What happens {match['word'].lower()} {_flip(clause, _FLIP)}?"
    if match := _CAUSE.match(text):
        effect = _short(match["effect"], 20)
        asked = _invert(effect)
        yield f"Why {_flip(asked, _FLIP)}?" if asked else f"What is the reason that {_flip(_lower_first(effect), _FLIP)}?"
    match = _CLAUSE.match(text)
    if match and match["subject"].lower() == "you" and match["aux"].lower() in {"can", "may", "could"} and len(match["rest"].split()) >= 3:
        yield f"How can I {_flip(_short(re.split(r' by | using | through | via |, ', match['rest'])[0]), _FLIP_OBJECT)}?"


def _short(text: str, most: int = 16) -> str:
    return " ".join(text.split()[:most]).strip(" ,.;:")


def _flip(text: str, table: dict[str, str]) -> str:
    """Turn the writer's view into the reader's: we -> you, your -> my."""
    return "".join(table.get(part.lower(), part) for part in _WORDS.findall(text))
