// Asking: the answer sentence by sentence, its sources, and the vote.

import { by, fill, part } from "./parts.js";
import { get, post, stream } from "./service.js";
import { label, say, tell } from "./words.js";

let answer = null;
let turns = [];  // what was asked and answered before, so that a model may read "And who does it?"
let sent = {};  // the correction of this answer that is kept
let round = 0;
let warned = false;  // that earlier turns are not read is true of every question: it is said once
const TURNS = 20;

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
  by("down").addEventListener("click", () => no().catch(trouble));
  by("correct").addEventListener("submit", event => {
    event.preventDefault();
    correct().catch(trouble);
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
  tell(by("asking"), "asking");
  for (const id of ["voting", "correct", "found", "answer"]) by(id).hidden = true;
  try {
    await stream("ask", { question, conversation: turns, stream: true }, (name, data) => {
      if (mine !== round) return;  // another question was asked since
      by("answer").hidden = false;
      if (name === "sentence") sentence(said, data);
      if (name !== "answer") return;
      by("asked").textContent = data.question;  // a follow-up as it was understood
      turns = [...turns, { role: "user", content: question }, { role: "assistant", content: data.text }].slice(-TURNS);
      whole(data);
    });
    if (mine === round) tell(by("asking"), "answered");
  } catch (error) {
    if (mine === round) tell(by("asking"), "");
    throw error;
  }
}

function sentence(said, { text, citations }) {
  const mark = number => part("button", { type: "button", class: "mark", "data-number": number, disabled: true }, String(number));
  const marks = citations.map(number => label(mark(number), "opens", number));
  said.append(part("span", {}, `${said.childNodes.length ? " " : ""}${text} `, ...marks));
}

// How far each cited passage supports its sentence, behind the sentence's mark.
function weigh(found) {
  for (const { text, citations } of found.sentences) {
    for (const number of citations) {
      const mark = by("said").querySelector(`[data-number="${number}"]`);
      const shown = part("small", { class: "support", id: `support-${number}` }, ...support(text, found.citations[number - 1], found.tree));
      mark.setAttribute("aria-describedby", shown.id);
      mark.after(shown, " ");
    }
  }
}

// A quotation supports itself; what a judge thought of any other sentence stands in the tree, where there is one.
function support(text, cited, tree) {
  if (text === cited.quote.trim()) return [tell(part("span"), "quoted")];
  const weighed = (tree?.steps ?? []).flatMap(step => step.candidates).filter(one => one.supported);
  const same = weighed.filter(one => one.passage === cited.passage && text.endsWith(one.text));
  const judged = same.find(one => tree.chosen.includes(one.id)) ?? same[0];
  if (!judged) return [tell(part("span"), "unweighed")];
  const { fully, partly } = judged.supported;
  return [meter(fully + partly / 2, "support", cited.number), tell(part("span"), "weighed", percent(fully), percent(partly))];
}

const percent = share => Math.round(100 * share);
const meter = (share, ...name) => label(part("meter", { min: 0, max: 1, value: share }), ...name);

function whole(found) {
  answer = found;
  for (const mark of by("said").querySelectorAll(".mark")) {
    const cited = found.citations[mark.dataset.number - 1];
    mark.disabled = false;
    mark.addEventListener("click", () => show(cited, found.id, cited.passage));
  }
  if (found.abstained) {
    fill(by("said"), tell(part("p", { class: "said" }), "not_here"), tell(part("p", { class: "soft" }), "not_here_more"));
  } else {
    weigh(found);
    fill(by("proof"), sure(found), part("ol", { class: "sources" }, ...found.citations.map(cited =>
      part("li", {}, part("button", { type: "button", class: "link", onclick: () => show(cited, found.id, cited.passage) }, cited.title || cited.document), part("span", { class: "soft" }, ` ${[cited.document, cited.where].filter(Boolean).join(", ")}`)))));
  }
  by("proof").append(...noted(found.notes));
  fill(by("hits"), ...found.hits.map(hit => {
    const place = hit.passage.places[0];
    const open = place && (() => show({ ...place, title: hit.passage.title, quote: hit.passage.text }, found.id, hit.passage.id));
    return part("li", {}, part("strong", {}, hit.passage.title || place?.document.split("/").pop() || ""), part("p", {}, hit.passage.text),
      place ? tell(part("button", { type: "button", class: "link", onclick: open }), "whole") : null);
  }));
  fill(by("better"), tell(part("option", { value: "" }), "none"), ...found.hits.map(hit => part("option", { value: hit.passage.id }, hit.passage.text.slice(0, 90))));
  sent = {};
  by("corrected").value = "";
  tell(by("voted"), "");
  for (const id of ["up", "down"]) by(id).setAttribute("aria-pressed", "false");
  by("voting").hidden = false;
  by("found").hidden = found.hits.length === 0;
  by("found").open = found.abstained;
}

function noted(notes) {
  const unread = note => note.startsWith("the turns before were not read");
  const shown = notes.filter(note => !(warned && unread(note)));
  warned ||= notes.some(unread);
  return shown.map(note => part("p", { class: "soft note", lang: "en" }, `${note[0].toUpperCase()}${note.slice(1).replace(/\.$/, "")}.`));
}

// A tree's confidence is only that of its least supported sentence, which is shown already.
function sure({ confidence, tree }) {
  if (tree) return null;
  const about = ["sure", percent(confidence)];
  return part("p", { class: "soft sure" }, meter(confidence, ...about), tell(part("span"), ...about));
}

// A vote takes the place of the one before it: what was sent already must not be wiped by pressing No once more.
async function no() {
  if (by("down").getAttribute("aria-pressed") === "true") by("correct").hidden = false;
  else await vote("down", sent);
}

async function correct() {
  const given = { corrected: by("corrected").value, passage: by("better").value };
  if (!await vote("down", given)) return;
  sent = given;
  by("correct").hidden = true;
}

// Whether it is kept, and of the answer that is shown still.
async function vote(verdict, given = {}) {
  const judged = answer;
  if (!judged) return false;
  await post("feedback", { answer: judged.id, verdict, ...given });
  if (judged !== answer) return false;
  by("up").setAttribute("aria-pressed", String(verdict === "up"));
  by("down").setAttribute("aria-pressed", String(verdict === "down"));
  tell(by("voted"), "thanks");
  by("correct").hidden = verdict !== "down";
  return true;
}

// Opening a source is a weak vote for its passage; whether it could be kept is not the reader's trouble.
function show(cited, asked, passage) {
  post("feedback", { answer: asked, verdict: "click", passage }).catch(() => {});
  document.dispatchEvent(new CustomEvent("open-source", { detail: cited }));
}

// The source of a citation, its span marked.
async function open({ document: id, start, end, title, quote }) {
  const found = await get(`source?${new URLSearchParams({ document: id, start, end })}`);
  by("source-title").textContent = found.title || title || id;
  fill(by("source-where"), id, ...(found.section.length ? [" · ", tell(part("span"), "section", found.section.join(" › "))] : []));
  const span = standing(found, quote);
  const [from, to] = span ?? [0, 0];
  const marked = part("mark", { hidden: span === null }, found.text.slice(from, to));
  fill(by("source-text"), found.before ? say("goes_on") + "\n" : "", found.text.slice(0, from), marked, found.text.slice(to), found.after ? "\n" + say("goes_on") : "");
  by("source").showModal();
  tell(by("source-changed"), span ? "" : "changed_since");
  marked.scrollIntoView({ block: "center" });
}

// Where the quote stands: at its span, or elsewhere near it in a document that was replaced since; null where it does not.
function standing({ text, start, end }, quote) {
  const [from, to] = points(text, start, end);
  if (quote === undefined || text.slice(from, to) === quote) return [from, to];
  const at = text.indexOf(quote);
  return at < 0 ? null : [at, at + quote.length];
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
