// The study: start and stop it, watch it, see each candidate beside what served, let it serve or go back.

import { by, fill, part } from "./parts.js";
import { call, get, post, remove } from "./service.js";
import { say } from "./words.js";

const EVERY = 1500;
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
  await Promise.all([history(), get("adapt").then(told), get("drift").then(people)]);
}

function people({ satisfaction, reasons, new_votes }) {
  const points = value => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(0);
  const content = satisfaction ? [say("content", points(satisfaction.value), points(satisfaction.low), points(satisfaction.high))] : [];
  by("people").textContent = [...content, ...(new_votes ? [say("new_votes", new_votes)] : []), ...(reasons.length ? [say("again"), ...reasons] : [])].join(" ");
}

function told(study) {
  const under_way = study.state === "running" || study.state === "stopping";
  by("start").hidden = under_way;
  by("cancel").hidden = study.state !== "running";
  by("bar").hidden = !under_way;
  if (study.total > 0) { by("bar").max = study.total; by("bar").value = study.done; } else by("bar").removeAttribute("value");
  const about = { none: "none_state" }[study.state] ?? study.state;
  by("studying").textContent = say(about, study.state === "failed" ? `${study.problem} ${study.mend}` : study.stage);
  fill(by("stages"), ...study.stages.map(one => part("li", {}, `${one.stage} · ${one.kept ? say("kept") : `${one.seconds} s`}`)));
  const state = `${study.id} ${study.state}`;
  if (last && last !== state && !under_way) history();
  last = state;
  leave();
  if (under_way) timer = setTimeout(() => get("adapt").then(told).catch(() => { timer = setTimeout(look, EVERY); }), EVERY);
}

async function history() {
  const { live, events } = await get("history");
  by("serves").textContent = say("serves", live.key ?? say("base"));
  by("rollback").hidden = !live.key;
  const judged = events.filter(event => event.event === "judged").reverse();
  fill(by("candidates"), ...judged.map(event => candidate(event, live)));
}

function candidate(event, live) {
  const { metrics = {}, differences = {}, report } = event.details;
  const rows = Object.entries(metrics).filter(([, sides]) => sides.before && sides.after).map(([name, sides]) => part("tr", {},
    part("th", { scope: "row" }, say(name)), interval(sides.before), interval(sides.after), difference(differences[name])));
  const head = ["what", "before", "after", "difference"].map(name => part("th", { scope: "col" }, say(name)));
  const serves = live.key === event.key;
  return part("article", { class: "card candidate" },
    part("h2", {}, `${say("candidate")} ${event.key.slice(0, 8)} `, part("span", { class: event.promote ? "badge up" : "badge down" }, say(event.promote ? "promoted" : "refused"))),
    part("p", {}, event.reason),
    rows.length ? part("div", { class: "scroll" }, part("table", {}, part("thead", {}, part("tr", {}, ...head)), part("tbody", {}, ...rows))) : null,
    part("div", { class: "row" },
      part("span", { class: "soft grow" }, event.when),
      report ? part("button", { type: "button", class: "quiet", onclick: () => download(event.key).catch(trouble) }, say("report")) : null,
      event.promote && !serves ? part("button", { type: "button", onclick: () => post("promote", { key: event.key }).then(history).catch(trouble) }, say("promote")) : null));
}

const trouble = error => document.dispatchEvent(new CustomEvent("trouble", { detail: error }));
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

// A report holds a script of its own: it is saved as a file, never opened inside this page's origin.
async function download(id) {
  const reply = await call("GET", `reports/${id}`);
  const address = URL.createObjectURL(await reply.blob());
  part("a", { href: address, download: `report-${id.slice(0, 8)}.html` }).click();
  URL.revokeObjectURL(address);
}
