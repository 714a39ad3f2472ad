// The study: start and stop it, watch it, see each candidate beside what served, let it serve or go back.

import { by, fill, part } from "./parts.js";
import { cut, get, post, remove, save } from "./service.js";
import { tell } from "./words.js";

const EVERY = 1500;
const FEW = 5;
let timer = 0;
let last = "";

export function start(trouble) {
  by("start").addEventListener("click", () => post("adapt").then(told).catch(trouble));
  by("cancel").addEventListener("click", () => remove("adapt").then(told).catch(trouble));
  by("rollback").addEventListener("click", () => post("rollback").then(history).catch(trouble));
}

export function leave() {
  clearTimeout(timer);
  timer = 0;
}

export async function look() {
  leave();
  try {
    await Promise.all([history(), get("adapt").then(told), get("drift").then(people), get("reports").then(inside)]);
  } catch (error) {
    if (error.status !== 403) throw error;
    by("view-study").classList.add("refused");
  }
}

// The last inspection by name: the questions that were lost, and the map.
function inside(reports) {
  const id = reports.filter(one => one.startsWith("inside-")).pop();
  const found = id ? [later("lost", () => lost(id)), said("button", { type: "button", class: "quiet", onclick: () => save(id).catch(trouble) }, "map")]
    : [said("p", { class: "soft" }, "no_inside")];
  fill(by("inside"), said("h2", {}, "inside"), ...found);
}

function people({ satisfaction, reasons, new_votes }) {
  const points = value => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(0);
  const content = satisfaction && said("span", {}, "content", points(satisfaction.value), points(satisfaction.low), points(satisfaction.high));
  const votes = new_votes ? said("span", {}, "new_votes", new_votes) : null;
  const again = reasons.length ? [said("span", {}, "again"), reasons.join(" ")] : [];
  fill(by("people"), ...[content, votes, ...again].filter(one => one != null).flatMap(one => [one, " "]));
}

function told(study) {
  const under_way = study.state === "running" || study.state === "stopping";
  by("start").hidden = under_way;
  by("cancel").hidden = study.state !== "running";
  by("bar").hidden = !under_way;
  if (study.total > 0) { by("bar").max = study.total; by("bar").value = study.done; } else by("bar").removeAttribute("value");
  const about = { none: "none_state" }[study.state] ?? study.state;
  tell(by("studying"), about, study.state === "failed" ? `${study.problem} ${study.mend}` : study.stage);
  fill(by("stages"), ...study.stages.map(({ stage, kept, seconds }) => (kept ? said("li", {}, "kept", stage) : part("li", {}, `${stage} · ${seconds} s`))));
  const state = `${study.id} ${study.state}`;
  if (last && last !== state && !under_way) history();
  last = state;
  leave();
  if (under_way) timer = setTimeout(() => get("adapt").then(told).catch(() => { timer = setTimeout(look, EVERY); }), EVERY);
}

async function history() {
  const { live, events } = await get("history");
  tell(by("serves"), live.key ? "serves" : "serves_base", live.key);
  by("rollback").hidden = !live.key;
  const judged = events.filter(event => event.event === "judged").reverse();
  fill(by("candidates"), ...judged.map(event => candidate(event, live)));
}

const said = (tag, given, name, ...about) => tell(part(tag, given), name, ...about);
const trouble = error => document.dispatchEvent(new CustomEvent("trouble", { detail: error }));

function candidate(event, live) {
  const { metrics = {}, differences = {}, report } = event.details;
  const rows = Object.entries(metrics).filter(([, sides]) => sides.before && sides.after).map(([name, sides]) => part("tr", {},
    said("th", { scope: "row" }, name), interval(sides.before), interval(sides.after), difference(differences[name])));
  const head = ["what", "before", "after", "difference"].map(name => said("th", { scope: "col" }, name));
  const offered = event.promote && live.key !== event.key;
  return part("article", { class: "card candidate" },
    part("h2", {}, said("span", {}, "candidate", event.key.slice(0, 8)), " ",
      said("span", { class: event.promote ? "badge up" : "badge down" }, event.promote ? "promoted" : "refused")),
    part("p", {}, event.reason),
    rows.length ? part("div", { class: "scroll" }, part("table", {}, part("thead", {}, part("tr", {}, ...head)), part("tbody", {}, ...rows))) : null,
    part("div", { class: "row" },
      said("time", { class: "soft grow", datetime: event.when }, "when", event.when),
      report ? said("button", { type: "button", class: "quiet", onclick: () => save(event.key).catch(trouble) }, "report") : null,
      offered ? said("button", { type: "button", onclick: () => post("promote", { key: event.key }).then(history).catch(trouble) }, "promote") : null),
    report ? later("worse", () => worse(event.key)) : null);
}

// A list out of a report, which is read once somebody wants to see it.
function later(name, read) {
  const list = part("ul", { class: "plain lost" }, said("li", {}, "reading_report"));
  const load = () => read().then(rows => fill(list, ...(rows.length ? rows.slice(0, FEW) : [said("li", {}, "none_worse")])))
    .catch(error => { fill(list); trouble(error); });
  const shown = part("details", {}, said("summary", {}, name), list);
  shown.addEventListener("toggle", load, { once: true });
  return shown;
}

// The exam questions that a candidate answers worse than what was before it.
async function worse(id) {
  return [...(await cut(id, "<h3>Greatest losses</h3>", "</section>")).querySelectorAll("li")].map(moved);
}

// The questions that an inspection found no answer to, and where they were lost.
async function lost(id) {
  return [...(await cut(id, '<section id="gaps">', "</section>")).querySelectorAll("li > div")].map(one =>
    part("li", {}, one.firstChild.textContent, part("small", {}, one.querySelector("small").textContent)));
}

function moved(row) {
  const [before, after] = row.querySelector(".ranks").textContent.split("→").map(rank => rank.trim());
  const question = row.querySelector("div").firstChild.textContent;
  return part("li", {}, question, said("small", {}, after === "–" ? "lost_from" : "moved", before, after));
}
const digits = value => value.toFixed(3);
const signed = value => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(3);

function interval({ value, low, high }) {
  return part("td", {}, digits(value), part("small", {}, `${digits(low)} … ${digits(high)}`));
}

function difference(found) {
  if (!found) return part("td");
  const kind = found.low > 0 ? "up" : found.high < 0 ? "down" : "level";
  return part("td", {}, part("span", { class: `badge ${kind}` }, signed(found.value)), part("small", {}, `${signed(found.low)} … ${signed(found.high)}`));
}
