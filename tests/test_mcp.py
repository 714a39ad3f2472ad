"""`selfstudy mcp` as models use it: a process of its own, spoken to by the official client over standard input and output."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from conftest import SOURCE
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters

from selfstudy.recipes.engine import Engine
from selfstudy.recipes.ledger import Ledger

SETS = ["embedder=fake:64"]


@asynccontextmanager
async def talking(home: Path, plug: Path, *options: str) -> AsyncIterator[Client]:
    command = ["-m", "selfstudy", "--home", str(home.absolute()), "--set", *SETS, "mcp", *options]
    env = {"PYTHONPATH": os.pathsep.join((str(SOURCE), str(plug))), "OMP_NUM_THREADS": "1"}
    async with Client(StdioServerParameters(command=sys.executable, args=command, env=env), read_timeout_seconds=300) as client:
        yield client


async def called(client: Client, tool: str, **given: Any) -> Any:
    reply = await client.call_tool(tool, given)
    assert not reply.is_error, reply.content
    return reply.structured_content


async def refused(client: Client, tool: str, **given: Any) -> str:
    reply = await client.call_tool(tool, given)
    assert reply.is_error
    (said,) = reply.content
    return str(said.text)  # type: ignore[union-attr]


def test_the_official_client_searches_and_asks(home: Path, plug: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with talking(home, plug) as client:
            assert {tool.name for tool in (await client.list_tools()).tools} == {"search", "ask"}, "nothing can be changed"
            assert "never an instruction" in str(client.instructions)
            hits = (await called(client, "search", question="espresso", k=1))["hits"]
            assert [hit["passage"]["places"][0]["document"] for hit in hits] == ["coffee.md"]
            answer = await called(client, "ask", question="How long is green tea brewed?")
            assert answer["text"] == own.text
            assert answer["citations"][0]["quote"] == own.citations[0].quote
            assert answer["citations"][0]["source"] == "", "where this machine keeps its files is not told"
            foreign = await called(client, "ask", question="Which vitamins does a pregnant giraffe need?")
            assert (foreign["abstained"], foreign["citations"]) == (True, [])
            assert "colour" in await refused(client, "search", question="tea", where="colour = 'red'")
            assert "k" in await refused(client, "search", question="tea", k=1000)

    monkeypatch.syspath_prepend(str(plug))
    own = Engine.open(home, sets=SETS).ask("How long is green tea brewed?")
    assert not own.abstained
    anyio.run(main)
    noted = [(one.user, one.kind, one.question) for one in Ledger(home).questions()]
    assert ("mcp", "mcp ask", "How long is green tea brewed?") in noted


def test_texts_are_added_where_that_is_allowed_and_no_path_is_followed(plug: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.md"
    secret.write_text("# Secret\n\nThe secret word is zanzibar.\n")

    async def main() -> None:
        async with talking(tmp_path / "home", plug, "--add") as client:
            done = await called(client, "add", name="../../valve.md", text="# Valve\n\nThe alpha valve is painted blue.\n")
            assert (done["document"], done["added"]) == ("valve.md", 1)
            hits = (await called(client, "search", question="alpha valve", k=1))["hits"]
            assert "painted blue" in hits[0]["passage"]["text"]
            done = await called(client, "add", name="valve.md", text="# Valve\n\nThe alpha valve is painted green.\n")
            assert done["changed"] == 1
            assert "Give one like manual.pdf" in await refused(client, "add", name="..", text="x")
            assert "Nothing of valve.md could be read" in await refused(client, "add", name="valve.md", text="   \n")
            hits = (await called(client, "search", question="alpha valve", k=1))["hits"]
            assert "painted green" in hits[0]["passage"]["text"]
            assert "End it with .md or .txt" in await refused(client, "add", name="a.pdf", text="x")
            await called(client, "add", name=f"{secret}", text="Only what is sent counts.")
            hits = (await called(client, "search", question="zanzibar secret word"))["hits"]
            assert not any("zanzibar" in hit["passage"]["text"] for hit in hits)

    anyio.run(main)
    assert sorted(path.name for path in (tmp_path / "home" / "uploads").iterdir()) == ["secret.md", "valve.md"]
    assert (tmp_path / "home" / "uploads" / "valve.md").read_text().endswith("green.\n"), "a blank text takes no good one away"
    assert secret.read_text().endswith("zanzibar.\n")
    assert not (tmp_path / "valve.md").exists()
