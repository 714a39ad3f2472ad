"""The page in a real Chromium: ask, open a citation, vote, upload, study. Skipped where no Chromium is installed: none is downloaded."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from service import Server, filled, serving

from selfstudy.apps.server.keys import Keys
from selfstudy.core.records import Difference, Interval
from selfstudy.recipes.engine import Engine
from selfstudy.recipes.system import System

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed here (Debian: apt install chromium)"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
HOSTILE = (
    "# <img src=x onerror=document.title='owned'>\n\nThe <script>document.title='owned'</script> gate <b>opens</b> at dawn 🌅 every day.\n"
)


@pytest.fixture(scope="module")
def server(plug: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(plug))
        with serving(tmp_path_factory.mktemp("page") / "home") as running:
            filled(running)
            filled(running, {"gate.md": HOSTILE})
            yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=120_000)
        yield found
        found.close()


@pytest.fixture
def page(server: Server, browser: Any) -> Iterator[Any]:
    """A page of the service whose console stays silent and which asks nobody else for anything."""
    context = browser.new_context(locale="en-US")
    context.set_default_timeout(60_000)
    opened = context.new_page()
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("console", lambda message: faults.append(message.text) if message.type in ("error", "warning") else None)
    opened.on("request", lambda request: faults.append(request.url) if not request.url.startswith((server.url, "blob:")) else None)
    opened.goto(server.url)
    yield opened
    context.close()
    assert faults == []


def ask(page: Any, question: str) -> None:
    page.get_by_role("textbox", name="Ask your documents").fill(question)
    page.keyboard.press("Enter")
    page.get_by_text("Was this right?").wait_for()


def test_ask_open_the_source_and_vote_by_keyboard(server: Server, page: Any) -> None:
    ask(page, "Who may reset the pump?")
    assert "Only the site engineer may reset the pump." in page.locator("#said").inner_text()
    mark = page.get_by_role("button", name="Source 1", exact=True)
    mark.focus()
    with page.expect_response("**/feedback"):
        page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    assert "Only the site engineer may reset the pump." in dialog.locator("mark").inner_text()
    assert "Pump manual › Reset" in dialog.inner_text()
    page.keyboard.press("Escape")
    (clicked,) = server.get("/feedback?kind=clicks").json
    assert (clicked["asked"]["question"], clicked["passage"]) == ("Who may reset the pump?", clicked["asked"]["cited"][0])
    page.get_by_role("button", name="No", exact=True).click()
    page.get_by_label("What should it have said?").fill("The site engineer alone.")
    page.get_by_role("button", name="Send").click()
    page.locator("#correct").wait_for(state="hidden")
    (vote,) = [one for one in server.get("/feedback").json if one["corrected"]]
    assert (vote["verdict"], vote["corrected"], vote["asked"]["question"]) == (
        "down",
        "The site engineer alone.",
        "Who may reset the pump?",
    )


def test_what_is_not_there_is_said_kindly(page: Any) -> None:
    ask(page, "zebra xylophone quartz")
    assert "I did not find this in your documents." in page.locator("#said").inner_text()


def test_documents_cannot_become_part_of_the_page(page: Any) -> None:
    ask(page, "When does the gate open at dawn every day?")
    said = page.locator("#said").inner_text()
    assert "<script>document.title='owned'</script>" in said
    page.locator("#said .mark").first.click()
    assert page.get_by_role("dialog").locator("mark").inner_text().endswith("at dawn 🌅 every day."), (
        "characters beyond the first plane count once"
    )
    page.get_by_role("button", name="Close").click()
    page.get_by_role("link", name="Documents").click()
    page.locator("#listed").get_by_text("gate.md").wait_for()
    assert "owned" not in page.title()
    assert page.locator("main img, main script, main b").count() == 0


def test_upload_and_remove(server: Server, page: Any) -> None:
    page.get_by_role("link", name="Documents").click()
    files = [
        {"name": "oil.md", "mimeType": "text/markdown", "buffer": b"# Oil\n\nThe gear oil is changed in autumn.\n"},
        {"name": "bad.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4 nothing"},
    ]
    page.get_by_label("Add documents").set_input_files(files)
    page.locator("#uploads").get_by_text("added").wait_for()
    page.locator("#uploads").get_by_text("not read:").wait_for()
    page.locator("#listed").get_by_text("oil.md").wait_for()
    assert "oil.md" in server.get("/documents").raw.decode()
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Remove oil.md").click()
    page.locator("#listed").get_by_text("oil.md").wait_for(state="detached")
    assert "oil.md" not in server.get("/documents").raw.decode()


def test_study_is_watched_and_a_candidate_is_promoted_and_taken_back(server: Server, page: Any) -> None:
    engine = Engine.open(server.home, sets=["embedder=fake:64"])
    system = System("fake:64", engine.base.fingerprint, 0.7, key="c0ffee00" * 4)
    before, after = Interval(0.61, 0.55, 0.67), Interval(0.74, 0.69, 0.79)
    details = {
        "metrics": {"dense": {"before": before.json(), "after": after.json()}},
        "differences": {"dense": Difference(0.13, 0.07, 0.19, 0.001, 200).json()}, "report": "",
    }  # fmt: skip
    engine.history_of.add("judged", system.key, "The gain is proven.", system, promote=True, details=details)
    (server.home / "study.json").write_text(json.dumps({"id": "x", "state": "failed", "problem": "Too little text.", "mend": "Add more."}))
    page.get_by_role("link", name="Study").click()
    page.get_by_text("It did not end well: Too little text. Add more.").wait_for()
    row = page.get_by_role("row", name="by meaning").inner_text()
    assert all(number in row for number in ("0.610", "0.740", "+0.130", "+0.070 … +0.190"))
    page.get_by_role("button", name="Let it serve").click()
    page.get_by_text("Now serving: c0ffee00").wait_for()
    assert server.get("/history").json["live"]["key"] == system.key
    page.get_by_role("button", name="Go back to what served before").click()
    page.get_by_text("Now serving: the base model").wait_for()
    assert server.get("/history").json["live"]["key"] is None


def test_a_study_that_cannot_prove_anything_says_so(server: Server, page: Any) -> None:
    page.get_by_role("link", name="Study").click()
    page.get_by_role("button", name="Study now").click()
    page.get_by_text("It did not end well: ").wait_for(timeout=120_000)
    assert server.get("/adapt").json["state"] == "failed"


def test_chinese_themes_and_small_screens(server: Server, browser: Any) -> None:
    context = browser.new_context(locale="zh-CN", color_scheme="dark", viewport={"width": 390, "height": 700})
    context.set_default_timeout(60_000)
    opened = context.new_page()
    opened.goto(server.url)
    opened.get_by_role("button", name="提问").wait_for()
    assert opened.evaluate("document.documentElement.lang") == "zh"
    for view in ("提问", "文档", "学习"):
        opened.get_by_role("link", name=view).click()
        assert opened.evaluate("document.documentElement.scrollWidth") <= 390, view
    dark = opened.evaluate("getComputedStyle(document.body).backgroundColor")
    opened.get_by_role("button", name="浅色或深色").click()
    assert opened.evaluate("getComputedStyle(document.body).backgroundColor") != dark
    opened.get_by_role("button", name="English").click()
    opened.get_by_role("link", name="Documents").wait_for()
    context.close()


def test_a_key_is_asked_for_and_then_used(plug: Path, tmp_path: Path, browser: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(plug))
    secret = Keys(tmp_path / "home").add("anna", "ask")
    with serving(tmp_path / "home") as server:
        context = browser.new_context(locale="en-US")
        context.set_default_timeout(60_000)
        opened = context.new_page()
        opened.goto(server.url)
        opened.get_by_label("Key").fill("ss_wrong")
        opened.get_by_role("button", name="Enter").click()
        opened.get_by_text("This key is not known here.").wait_for()
        opened.get_by_label("Key").fill(secret)
        opened.keyboard.press("Enter")
        opened.get_by_role("textbox", name="Ask your documents").wait_for()
        context.close()
