"""The page in a real Chromium: ask, open a citation, vote, upload, study. Skipped where no Chromium is installed: none is downloaded."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import endpoint
import pytest
from service import Server, filled, serving

from selfstudy.apps.server.keys import Keys, Scope
from selfstudy.core.records import Difference, Interval
from selfstudy.evals.report import Ranked, ReportData
from selfstudy.evals.report_page import write_report
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


class Own:
    """A home, a service and a page of a test's own."""

    def __init__(self, home: Path, browser: Any) -> None:
        self.home, self.browser = home, browser

    def key(self, name: str, scope: Scope) -> str:
        return Keys(self.home).add(name, scope)

    @contextmanager
    def serving(self, **settings: Any) -> Iterator[tuple[Server, Any]]:
        with serving(self.home, **settings) as server:
            context = self.browser.new_context(locale="en-US")
            context.set_default_timeout(60_000)
            opened = context.new_page()
            opened.goto(server.url)
            yield server, opened
            context.close()


@pytest.fixture
def own(plug: Path, tmp_path: Path, browser: Any, monkeypatch: pytest.MonkeyPatch) -> Own:
    monkeypatch.syspath_prepend(str(plug))
    return Own(tmp_path / "home", browser)


def enter(page: Any, secret: str) -> None:
    page.get_by_label("Key").fill(secret)
    page.keyboard.press("Enter")


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


def test_a_key_is_asked_for_and_then_used(own: Own) -> None:
    secret = own.key("anna", "ask")
    with own.serving() as (_, opened):
        alert = opened.get_by_role("alert")
        opened.get_by_label("Key").fill("ss_wrong")
        opened.get_by_role("button", name="Enter").click()
        alert.get_by_text("This key is not known here.").wait_for()
        busy = json.dumps({"error": {"message": "Not able now."}})
        opened.route("**/v1/models", lambda route: route.fulfill(status=503, body=busy))
        enter(opened, secret)
        alert.get_by_text("Not able now.").wait_for()
        opened.unroute("**/v1/models")
        enter(opened, "ss_wrong")
        alert.get_by_text("This key is not known here.").wait_for()
        enter(opened, secret)
        opened.get_by_role("textbox", name="Ask your documents").wait_for()
        assert alert.count() == 0, "what was wrong is over"


def test_a_key_is_offered_only_what_it_may(own: Own) -> None:
    secret, admin = own.key("anna", "ask"), own.key("bea", "admin")
    with own.serving() as (server, opened):
        filled(server, key=admin)
        enter(opened, secret)
        opened.get_by_role("link", name="Study").click()
        opened.get_by_text("This key may ask, but not study.").wait_for()
        assert not opened.get_by_role("button", name="Study now").is_visible()
        assert opened.get_by_role("alert").count() == 0
        opened.get_by_role("link", name="Documents").click()
        opened.get_by_role("button", name="Remove tea.md").wait_for()
        opened.get_by_label("Add documents").set_input_files([{"name": "oil.md", "mimeType": "text/markdown", "buffer": b"# Oil"}])
        opened.get_by_text("This key may ask, but not change the documents.").wait_for()
        assert not opened.get_by_label("Add documents").is_visible()
        assert opened.get_by_role("button", name="Remove tea.md").count() == 0
        opened.evaluate("sessionStorage.clear()")
        opened.get_by_role("link", name="Ask").click()
        opened.get_by_role("link", name="Documents").click()
        enter(opened, admin)
        opened.get_by_role("button", name="Remove tea.md").wait_for()
        opened.get_by_role("link", name="Study").click()
        opened.get_by_role("button", name="Study now").wait_for()


def test_show_more_twice_shows_every_document_once(own: Own) -> None:
    with own.serving() as (server, opened):
        rows = (json.dumps({"_id": f"doc{n:03}", "title": f"Doc {n}", "text": f"Engine {n} turns {n} times."}) for n in range(250))
        assert server.upload("many.jsonl", "\n".join(rows).encode()).json["documents"] == 250
        opened.get_by_role("link", name="Documents").click()
        more = opened.get_by_role("button", name="Show more")
        more.wait_for()
        assert more.evaluate("more => { more.click(); more.click(); return more.disabled; }")
        opened.locator("[data-remove=doc199]").wait_for()
        more.click()
        opened.locator("[data-remove=doc249]").wait_for()
        shown = opened.locator("[data-remove]").evaluate_all("all => all.map(one => one.dataset.remove)")
        assert shown == [f"doc{n:03}" for n in range(250)]


def test_a_judged_sentence_shows_how_far_its_passage_supports_it(own: Own, monkeypatch: pytest.MonkeyPatch) -> None:
    def script(body: dict[str, Any], place: int) -> str:
        shown = json.loads(body["messages"][-1]["content"])
        if "sentence" in shown:
            return json.dumps({"relevant": True, "supported": "partly", "useful": 5})
        if "said" in shown:
            return json.dumps({"search": "yes"})
        return "DONE" if shown["answer so far"] else "The site engineer alone may reset the pump."

    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-only-1234")
    with endpoint.serving(script) as model:
        sets = ("embedder=fake:64", "llm=openai:m", f"api.base_url={model.url}", "reflect.mode=reflective")
        with own.serving(sets=sets) as (server, opened):
            filled(server)
            ask(opened, "Who may reset the pump?")
            said = opened.locator("#said")
            assert "The site engineer alone may reset the pump." in said.inner_text()
            assert "0 % fully, 100 % partly supported" in said.inner_text()
            assert said.get_by_role("meter", name="How far source 1 supports this").get_attribute("value") == "0.5"
            described = opened.get_by_role("button", name="Source 1", exact=True).get_attribute("aria-describedby")
            assert opened.locator(f"#{described}").inner_text() == "0 % fully, 100 % partly supported"


def test_a_question_that_follows_another_is_asked_with_it(own: Own, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = "Who may reset the pump of the site?"

    def script(body: dict[str, Any], place: int) -> str:
        text = body["messages"][-1]["content"]
        if '"conversation"' not in text:
            return "Only the site engineer may reset the pump [1]."
        asked = [turn["content"] for turn in json.loads(text)["conversation"]]
        assert asked == ["Who may reset the pump?", "Only the site engineer may reset the pump. [1]"]
        return whole

    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-only-1234")
    with endpoint.serving(script) as model:
        sets = ("embedder=fake:64", "llm=openai:m", f"api.base_url={model.url}", "judged.on=false")
        with own.serving(sets=sets) as (server, opened):
            filled(server)
            ask(opened, "Who may reset the pump?")
            assert opened.locator("#asked").inner_text() == "Who may reset the pump?"
            ask(opened, "And who else?")
            opened.get_by_text(whole).wait_for()


def test_a_quotation_says_so_and_the_answer_how_sure_it_is(page: Any) -> None:
    ask(page, "Who may reset the pump?")
    assert "word for word" in page.locator("#said").inner_text()
    (share,) = re.findall(r"(\d+) % sure that this is the answer", page.locator("#proof").inner_text())
    value = page.locator("#proof").get_by_role("meter", name="sure that this is the answer").get_attribute("value")
    assert round(100 * float(value)) == int(share)


def test_what_else_happened_is_said_and_that_turns_are_not_read_only_once(own: Own) -> None:
    with own.serving() as (server, opened):
        filled(server)
        notes = []
        for question in ("Who may reset the pump?", "How long is tea brewed?", "Who may reset the pump?"):
            ask(opened, question)
            notes.append(opened.locator("#proof .note").all_inner_texts())
        assert notes == [[], ["The turns before were not read, since the settings name no model (llm)."], []]


def test_no_once_more_keeps_the_correction(server: Server, page: Any) -> None:
    ask(page, "When does green tea brew?")
    yes, no = page.get_by_role("button", name="Yes", exact=True), page.get_by_role("button", name="No", exact=True)
    no.click()
    page.get_by_label("What should it have said?").fill("For two minutes.")
    page.get_by_role("button", name="Send").click()
    page.locator("#correct").wait_for(state="hidden")
    no.click()
    page.locator("#correct").wait_for()
    assert page.get_by_label("What should it have said?").input_value() == "For two minutes."
    assert corrected(server, "When does green tea brew?") == ["For two minutes."]
    with page.expect_response("**/feedback"):
        yes.click()
    with page.expect_response("**/feedback"):
        no.click()
    assert corrected(server, "When does green tea brew?") == ["For two minutes."]


def corrected(server: Server, question: str) -> list[str]:
    return [vote["corrected"] for vote in server.get("/feedback").json if vote["asked"]["question"] == question]


def test_another_language_changes_what_is_shown_and_nothing_else(page: Any) -> None:
    ask(page, "Who may reset the pump?")
    page.get_by_role("button", name="No", exact=True).click()
    page.get_by_label("What should it have said?").fill("half a wo")
    page.locator("#language").focus()
    page.keyboard.press("Enter")
    page.get_by_text("回答正确吗？").wait_for()
    assert page.evaluate("document.activeElement.id") == "language"
    assert (page.locator("#asking").inner_text(), page.locator("#voted").inner_text()) == ("已回答。", "已保存，谢谢。")
    assert page.locator("#better option").first.inner_text() == "都不是"
    assert page.locator("#said .mark").first.get_attribute("aria-label") == "来源 1"
    assert "原文照录" in page.locator("#said").inner_text()
    assert page.locator("#corrected").input_value() == "half a wo"
    assert page.title() == "提问 · selfstudy"
    page.get_by_role("link", name="文档").click()
    page.get_by_role("button", name="移除 tea.md").wait_for()
    page.get_by_role("button", name="English").click()
    page.get_by_role("button", name="Remove tea.md").wait_for()
    assert "passages." in page.locator("#counted").inner_text()


def test_a_screen_reader_hears_what_the_bar_is_of(page: Any) -> None:
    page.get_by_role("link", name="Study").click()
    page.locator("#studying:not(:empty)").wait_for()
    page.evaluate("document.getElementById('bar').hidden = false")
    page.get_by_role("progressbar", name=page.locator("#studying").inner_text(), exact=True).wait_for()


def test_a_citation_of_a_document_that_was_replaced_is_never_marked_wrongly(server: Server, page: Any) -> None:
    quote = "The sluice is greased by the miller on Fridays."
    filled(server, {"sluice.md": f"# Sluice\n\n{quote}\n"})
    ask(page, "Who greases the sluice?")
    mark, dialog = page.get_by_role("button", name="Source 1", exact=True), page.get_by_role("dialog")
    mark.click()
    assert dialog.locator("mark").inner_text() == quote
    page.keyboard.press("Escape")
    filled(server, {"sluice.md": f"# Sluice\n\nIt was built 🌅 long ago, out of oak.\n\n{quote}\n"})
    mark.click()
    assert dialog.locator("mark").inner_text() == quote
    assert dialog.get_by_role("status").inner_text() == ""
    page.keyboard.press("Escape")
    filled(server, {"sluice.md": "# Sluice\n\nThe sluice was taken down, and nobody greases it on any day any more.\n"})
    mark.click()
    dialog.get_by_text("This document has changed since").wait_for()
    assert "taken down" in dialog.inner_text()
    assert not dialog.locator("mark").is_visible()


def test_an_answer_that_breaks_off_says_why(own: Own) -> None:
    body = 'event: error\ndata: {"error": {"message": "Something went wrong that should not."}}\n\n'
    with own.serving() as (_, opened):
        opened.route("**/ask", lambda route: route.fulfill(content_type="text/event-stream", body=body))
        opened.get_by_role("textbox", name="Ask your documents").fill("Who may reset the pump?")
        opened.keyboard.press("Enter")
        opened.get_by_role("alert").get_by_text("Something went wrong that should not.").wait_for()
        assert opened.locator("#asking").inner_text() == ""


def test_questions_that_a_candidate_answers_worse_are_shown(server: Server, page: Any) -> None:
    engine = Engine.open(server.home, sets=["embedder=fake:64"])
    system = System("fake:64", engine.base.fingerprint, 0.7, key="fa11ed00" * 4)
    asked = (Ranked("What <b>drips</b>?", "cloze", 2, None), Ranked("Who oils it?", "cloze", 1, 4), Ranked("Who asks?", "cloze", 3, 1))
    data = ReportData("Documents", forest={"guard": Difference(0.1, 0.0, 0.2, 0.1, 3)}, asked=asked)
    (server.home / "reports").mkdir(exist_ok=True)
    report = write_report(server.home / "reports" / f"{system.key}.html", data)
    engine.history_of.add("judged", system.key, "Worse.", system, promote=False, details={"report": report.name})
    page.get_by_role("link", name="Study").click()
    card = page.locator(".candidate", has_text="fa11ed00")
    card.get_by_text("Exam questions that it answers worse").click()
    card.get_by_text("was found in place 2, now not among the first ten.").wait_for()
    shown = card.locator(".lost li").all_inner_texts()
    assert [one.partition("\n")[0] for one in shown] == ["Who oils it?", "What <b>drips</b>?"], "the worst first"


def test_the_audit_in_short_and_the_whole_of_it(server: Server, page: Any) -> None:
    page.get_by_role("link", name="Documents").click()
    page.get_by_text("Nobody has looked yet.").wait_for()
    copied = "The weir is opened by two people when the river stands above the red line of the gauge.\n"
    filled(server, {"weir.md": f"# Weir\n\n{copied}", "copy.md": f"# Weir\n\n{copied}"})
    engine = Engine.open(server.home, sets=["embedder=fake:64"])
    found = {one.name: one.count for one in engine.audit().findings}
    assert found["duplicates"] > 0
    (server.home / "reports" / "audit.html").unlink()
    page.get_by_role("button", name="Look now").click()
    page.locator("#faults dd").first.wait_for()
    shown = page.locator("#faults dd").all_inner_texts()
    assert shown == [str(found[name]) for name in ("duplicates", "versions", "contradictions", "noisy", "off the subject")]
    with page.expect_download() as saved:
        page.get_by_role("button", name="The whole audit").click()
    here, there = f"{server.home}/".encode(), (server.home / "reports" / "audit.html").read_bytes()
    assert saved.value.path().read_bytes() == there.replace(here, b"")
    assert here in there, "else nothing was hidden"


def test_questions_that_were_lost_and_the_map(server: Server, page: Any, tmp_path: Path) -> None:
    page.get_by_role("link", name="Study").click()
    page.get_by_text("Nobody has looked inside yet.").wait_for()
    (tmp_path / "queries.jsonl").write_text(json.dumps({"_id": "q", "text": "Who <b>sings</b> opera?"}) + "\n")
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq\tnowhere.md\t1\n")
    engine = Engine.open(server.home, sets=["embedder=fake:64"])
    made = Path(engine.inspect(queries=tmp_path / "queries.jsonl", qrels=tmp_path / "qrels.tsv")["page"])
    page.reload()
    page.locator("#inside").get_by_text("Questions that were lost").click()
    page.locator("#inside").get_by_text("Who <b>sings</b> opera?").wait_for()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Where answers are lost, and the map of the space").click()
    assert saved.value.suggested_filename == made.name
