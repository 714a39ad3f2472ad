// Asking: the answer sentence by sentence, its sources, and the vote.

import { by, fill, part } from "./parts.js";
import { get, post, stream } from "./service.js";
import { say } from "./words.js";

let answer = null;
let round = 0;

export function start(trouble) {
  const question = by("question");
  question.addEventListener("keydown", event => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      by("question-form").requestSubmit();
    }
  });
  question.addEventListener("input", () => { question.rows = Math.min(8, question.value.split("\n").length); });
  by("question-form").addEventListener("submit", event => {
    event.preventDefault();
    if (question.value.trim()) ask(question.value.trim()).catch(trouble);
  });
  by("up").addEventListener("click", () => vote("up").catch(trouble));
  by("down").addEventListener("click", () => vote("down").catch(trouble));
  by("correct").addEventListener("submit", event => {
    event.preventDefault();
    vote("down", by("corrected").value, by("better").value).then(() => { by("correct").hidden = true; }).catch(trouble);
  });
  by("close").addEventListener("click", () => by("source").close());
  document.addEventListener("open-source", event => open(event.detail).catch(trouble));
}

async function ask(question) {
  const mine = ++round;
  answer = null;
  const said = part("p", { class: "said" });
  fill(by("said"), said);
  fill(by("proof"));
  by("asked").textContent = question;
  by("asking").textContent = say("asking");
  for (const id of ["voting", "correct", "found", "answer"]) by(id).hidden = true;
  try {
    await stream("ask", { question, stream: true }, (name, data) => {
      if (mine !== round) return;  // another question was asked since
      by("answer").hidden = false;
      if (name === "sentence") sentence(said, data);
      if (name === "answer") whole(data);
    });
    if (mine === round) by("asking").textContent = say("answered");
  } catch (error) {
    if (mine === round) by("asking").textContent = "";
    throw error;
  }
}

function sentence(said, { text, citations }) {
  const marks = citations.map(number => part("button", { type: "button", class: "mark", "data-number": number, disabled: true, "aria-label": say("opens", number) }, String(number)));
  said.append(part("span", {}, `${said.childNodes.length ? " " : ""}${text} `, ...marks));
}

function whole(found) {
  answer = found;
  for (const mark of by("said").querySelectorAll(".mark")) {
    const cited = found.citations[mark.dataset.number - 1];
    mark.disabled = false;
    mark.addEventListener("click", () => show(cited, found.id, cited.passage));
  }
  if (found.abstained) {
    fill(by("said"), part("p", { class: "said" }, say("not_here")), part("p", { class: "soft" }, say("not_here_more")));
  } else {
    fill(by("proof"), part("ol", { class: "sources" }, ...found.citations.map(cited =>
      part("li", {}, part("button", { type: "button", class: "link", onclick: () => show(cited, found.id, cited.passage) }, cited.title || cited.document), part("span", { class: "soft" }, ` ${[cited.document, cited.where].filter(Boolean).join(", ")}`)))));
  }
  fill(by("hits"), ...found.hits.map(hit => {
    const place = hit.passage.places[0];
    const open = place && (() => show({ ...place, title: hit.passage.title }, found.id, hit.passage.id));
    return part("li", {}, part("strong", {}, hit.passage.title || place?.document.split("/").pop() || ""), part("p", {}, hit.passage.text),
      place ? part("button", { type: "button", class: "link", onclick: open }, say("whole")) : null);
  }));
  fill(by("better"), part("option", { value: "" }, say("none")), ...found.hits.map(hit => part("option", { value: hit.passage.id }, hit.passage.text.slice(0, 90))));
  by("corrected").value = "";
  by("voted").textContent = "";
  for (const id of ["up", "down"]) by(id).setAttribute("aria-pressed", "false");
  by("voting").hidden = false;
  by("found").hidden = found.hits.length === 0;
  by("found").open = found.abstained;
}

async function vote(verdict, corrected = "", passage = "") {
  const judged = answer;
  if (!judged) return;
  await post("feedback", { answer: judged.id, verdict, corrected, passage });
  if (judged !== answer) return;
  by("up").setAttribute("aria-pressed", String(verdict === "up"));
  by("down").setAttribute("aria-pressed", String(verdict === "down"));
  by("voted").textContent = say("thanks");
  by("correct").hidden = verdict !== "down";
}

// Opening a source is a weak vote for its passage; whether it could be kept is not the reader's trouble.
function show(cited, asked, passage) {
  post("feedback", { answer: asked, verdict: "click", passage }).catch(() => {});
  document.dispatchEvent(new CustomEvent("open-source", { detail: cited }));
}

// The source of a citation, its span marked.
async function open({ document: id, start, end, title }) {
  const found = await get(`source?${new URLSearchParams({ document: id, start, end })}`);
  by("source-title").textContent = found.title || title || id;
  by("source-where").textContent = found.section.length ? `${id} · ${say("section", found.section.join(" › "))}` : id;
  const [from, to] = points(found.text, found.start, found.end);
  const marked = part("mark", {}, found.text.slice(from, to));
  fill(by("source-text"), found.before ? say("goes_on") + "\n" : "", found.text.slice(0, from), marked, found.text.slice(to), found.after ? "\n" + say("goes_on") : "");
  by("source").showModal();
  marked.scrollIntoView({ block: "center" });
}

// The service counts characters, JavaScript counts halves of those beyond the first plane.
function points(text, start, end) {
  let at = 0, from = 0, to = 0, count = 0;
  for (const char of text) {
    if (count === start) from = at;
    if (count === end) { to = at; return [from, to]; }
    at += char.length;
    count += 1;
  }
  return [start >= count ? at : from, at];
}
