"""Search and answers over what serves at one moment; what is found says where in its source it stands, and what took its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from selfstudy.core.errors import BadInput
from selfstudy.core.fold import fold
from selfstudy.core.ports import LLM, Critic, Reader
from selfstudy.core.records import WAYS, Answer, Citation, Hit, Message, Mode, file_name
from selfstudy.core.text import normal
from selfstudy.corpus.passages.surroundings import surroundings
from selfstudy.index.filters import parse
from selfstudy.index.question import check_question
from selfstudy.index.snapshot import ANY, Snapshot
from selfstudy.recipes.reflected import reflected, reflects
from selfstudy.recipes.serving import Serving
from selfstudy.recipes.settings import Settings


def search(
    now: Serving, settings: Settings, question: str, *, k: int, by: str, where: str | None, superseded: bool, exact: bool, around: bool
) -> list[Hit]:
    """As `Engine.search`."""
    if by not in WAYS:
        raise BadInput(f"by is {by!r}; it is one of {', '.join(WAYS)}.", "Use hybrid if in doubt.")
    most, where = k + 20 if isinstance(k, int) and k > 0 else k, _let_through(where, superseded, now.snapshot)
    found = [_dated(now.snapshot, hit) for hit in fold(now.retrievers[by].search([question], most, where)[0], k)]
    if not (exact or around):
        return found
    from selfstudy.answer.locating import located

    best = located(question, found, None if by == "lexical" else now.embedder, settings.extract)
    placed = iter(list(_placed(now.snapshot, [one for one in best if one is not None], around)))
    return [hit if one is None else replace(hit, best=next(placed)) for hit, one in zip(found, best, strict=True)]


def ask(
    now: Serving,
    settings: Settings,
    question: str,
    *,
    llm: LLM | None,
    reader: Reader | None,
    critic: Critic | None,
    where: str | None,
    superseded: bool,
    mode: Mode | None,
    choices: Sequence[str],
    conversation: Sequence[Message],
    around: bool,
) -> Answer:
    """As `Engine.ask`; `llm` is the generator that was tuned here, where one serves, else that of the settings; `critic` who judges it."""
    from selfstudy.answer.ask import answer
    from selfstudy.answer.prompted_critic import PromptedCritic
    from selfstudy.answer.standalone import standalone
    from selfstudy.recipes.calibrate import calibration_of

    question = check_question(question)
    if len({normal(choice) for choice in choices}) < len(choices) or not all(normal(choice).strip() for choice in choices):
        raise BadInput("Two choices are equal, or one has no words.", "Give each choice once, in words or numbers.")
    if where is not None:
        parse(where, now.snapshot.fields)  # before a model is paid for anything
    retriever, where = now.retrievers["hybrid"], _let_through(where, superseded, now.snapshot)
    cfg = settings.reflect.model_copy(update={"mode": mode} if mode is not None else {})
    if llm is None and (cfg.mode != "plain" or conversation or choices):
        asked = "a conversation" if conversation else "a choice" if choices else f"--mode {cfg.mode}"
        raise BadInput(
            f"There is no model for {asked}.",
            "Name one: selfstudy ask ... --set llm=openai:<model>, or hf:<name or folder>.",
        )
    if llm is not None and conversation:
        question = standalone(llm, conversation, question)
    if llm is not None and (cfg.mode != "plain" or choices or reflects(llm)):
        found = reflected(question, retriever, llm, cfg, where, choices, critic)
    else:
        # A generator of one's own is not judged by an API that may be set as well: its passages stay here.
        entailment = PromptedCritic(llm) if llm is not None and not now.live.generator and settings.judged.on else None
        found = answer(question, retriever, now.embedder, calibration_of(now.live), where, settings.extract, llm, entailment, reader)
    hits = tuple(_dated(now.snapshot, hit) for hit in found.hits)
    return replace(found, citations=tuple(_placed(now.snapshot, found.citations, around)), hits=hits)


def _let_through(where: str | None, superseded: bool, snapshot: Snapshot) -> str | None:
    """The filter `where`, which with `superseded` lets outdated versions through. Raises BadInput for one that is none by itself."""
    if not superseded or where is None:
        return ANY if superseded else where
    parse(where, snapshot.fields)
    return f"({where}) and {ANY}"


def _dated(snapshot: Snapshot, hit: Hit) -> Hit:
    """What took the place of the hit's document; a passage that stands in a current one too has that first among its places."""
    return replace(hit, superseded_by=snapshot.documents[hit.passage.places[0].document].superseded_by)


def _placed(snapshot: Snapshot, citations: Sequence[Citation], around: bool) -> Iterator[Citation]:
    """Citations with what only the documents know: their titles, sources, where in them a person finds the quotes, and what is around."""
    cited = {citation.document for citation in citations} & snapshot.documents.keys()
    documents = {document.id: document for document in snapshot.load_documents(sorted(cited))}
    for citation in citations:
        if (document := documents.get(citation.document)) is None:
            yield citation
            continue
        shown = slice(*surroundings(document, citation.start, citation.end)) if around else slice(0)
        title = document.title or citation.title or file_name(document.id)
        yield replace(
            citation, title=title, source=document.source, where=document.where(citation.start),
            superseded_by=snapshot.documents[document.id].superseded_by, around=document.text[shown],
        )  # fmt: skip
