"""/documents: upload, list, delete. Only bytes that the client itself sends become documents: no path or address is ever fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, UploadFile
from pydantic import BaseModel, Field

from selfstudy.apps.server.access import Asks, Writes
from selfstudy.apps.server.faults import RESPONSES
from selfstudy.apps.uploads import UPLOADS, changing, reason_of, safe_name, take_in
from selfstudy.corpus.set_aside import SetAside
from selfstudy.recipes.engine import Engine

router = APIRouter(prefix="/documents", responses=RESPONSES, tags=["documents"])


class Listed(BaseModel):
    id: str
    title: str
    meta: dict[str, str | int | float | bool]


class Listing(BaseModel):
    total: int = Field(description="Documents that match, whatever part of them is shown.")
    passages: int
    documents: list[Listed]
    set_aside: list[dict[str, Any]] = Field(description="What could not be read, and why.")


class Changed(BaseModel):
    """What an upload or a removal did."""

    documents_added: int
    documents_changed: int
    documents_unchanged: int
    documents_removed: int
    documents: int
    passages: int
    set_aside: list[dict[str, Any]]
    seconds: float


@router.get("")
async def listing(
    by: Asks,
    contains: Annotated[str, Query(max_length=200, description="Part of an id or a title.")] = "",
    offset: Annotated[int, Query(ge=0, le=2**53)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Listing:
    """The documents by their ids."""

    def listed(engine: Engine) -> Listing:
        snapshot = engine.serving().snapshot
        wanted = contains.casefold()
        found = [card for card in snapshot.documents.values() if wanted in f"{card.id}\n{card.title}".casefold()]
        shown = [Listed(id=card.id, title=card.title, meta=card.meta) for card in found[offset : offset + limit]]
        return Listing(total=len(found), passages=len(snapshot), documents=shown, set_aside=[_named(one) for one in engine.set_aside()])

    return await by.ask(listed)


@router.post("")
async def upload(request: Request, file: UploadFile, by: Writes) -> Changed:
    """Read one file into the index; one of the same name takes the place of the former, if anything of it can be read. `set_aside` says
    what could not.
    """
    name = safe_name(file.filename or "")
    if file.size is not None and file.size > by.service.settings.upload_bytes:
        raise HTTPException(413, f"The file has {file.size:,} bytes; at most {by.service.settings.upload_bytes:,} are read.")

    def added(engine: Engine) -> Changed:
        done = take_in(engine, name, file.file)
        engine.serving()  # the next question finds it
        return Changed(**done.json() | {"set_aside": [_named(one) for one in done.set_aside]})

    return await by.change(added)


@router.delete("/{document:path}")
async def remove(document: str, by: Writes) -> Changed:
    """Take a document out of the index, and its file too if it was uploaded and holds no other."""

    def removed(engine: Engine) -> Changed | None:
        cards = engine.store.snapshot().documents
        if document not in cards:
            return None
        with changing(engine.home):
            done = engine.remove([document]).json()
            file = cards[document].file
            if file is not None and Path(file.path).parent == (engine.home / UPLOADS).absolute():
                others = [id for id, card in cards.items() if id != document and card.file is not None and card.file.path == file.path]
                if not others:
                    Path(file.path).unlink(missing_ok=True)
        engine.serving()
        return Changed(**done)

    done = await by.change(removed)
    if done is None:
        raise HTTPException(404, "There is no such document here.")
    return done


def _named(one: SetAside) -> dict[str, Any]:
    """Without the path of this machine."""
    return {"source": Path(one.source).name, "reason": reason_of(one), "again": one.again}
