// The corpus: what is in it, what could not be read, upload and removal.

import { by, fill, part } from "./parts.js";
import { cut, get, post, remove, save, upload } from "./service.js";
import { label, say, tell } from "./words.js";

const PAGE = 100;
const FAULTS = ["duplicates", "versions", "contradictions", "noisy", "off the subject"];
let shown = 0;
let round = 0;
let waiting = Promise.resolve();

export function start(trouble) {
  const form = by("upload-form");
  by("files").addEventListener("change", () => { send(by("files").files, trouble); by("files").value = ""; });
  form.addEventListener("submit", event => event.preventDefault());
  form.addEventListener("dragover", event => { event.preventDefault(); form.classList.add("over"); });
  form.addEventListener("dragleave", () => form.classList.remove("over"));
  form.addEventListener("drop", event => { event.preventDefault(); form.classList.remove("over"); send(event.dataTransfer.files, trouble); });
  by("look").addEventListener("click", () => look().catch(trouble));
  by("whole-audit").addEventListener("click", () => save("audit").catch(trouble));
  by("contains").addEventListener("input", () => list().catch(trouble));
  by("more").addEventListener("click", () => more().catch(trouble));
  by("listed").addEventListener("click", event => {
    const id = event.target.dataset?.remove;
    if (id && confirm(say("remove_sure", id))) remove(`documents/${encodeURIComponent(id)}`).then(() => list()).catch(error => refused(error) || trouble(error));
  });
}

// Whether it failed because the key may not change documents: then the page offers no change any more.
function refused(error) {
  if (error.status === 403) by("view-documents").classList.add("refused");
  return error.status === 403;
}

// What the audit found, in short, for whoever may read reports.
export async function audit() {
  try {
    const there = (await get("reports")).includes("audit");
    by("audited").hidden = false;
    by("no-audit").hidden = there;
    by("faults").hidden = by("whole-audit").hidden = !there;
    if (there) fill(by("faults"), ...counted(await cut("audit", "<main>", "</main>")));
  } catch (error) {
    by("audited").hidden = true;
    if (error.status !== 403) throw error;
  }
}

async function look() {
  by("look").disabled = true;
  try {
    await post("audit", {});
    await audit();
  } finally {
    by("look").disabled = false;
  }
}

function counted(page) {
  const both = tile => [tile.querySelector(".label").textContent, tile.querySelector("b").textContent];
  const tiles = new Map([...page.querySelectorAll(".tile")].map(both));
  return FAULTS.map(name => part("div", {}, tell(part("dt"), name), part("dd", {}, tiles.get(name) ?? "–")));
}

async function more() {
  by("more").disabled = true;
  try {
    await list(shown);
  } finally {
    by("more").disabled = false;
  }
}

export async function list(offset = 0) {
  const mine = ++round;
  const contains = by("contains").value;
  const found = await get(`documents?${new URLSearchParams({ contains, offset, limit: PAGE })}`);
  if (mine !== round) return;  // asked for anew since
  const rows = found.documents.map(one => part("li", { class: "row" },
    part("span", { class: "grow" }, part("strong", {}, one.title || one.id), one.title ? part("span", { class: "soft" }, ` ${one.id}`) : null),
    label(tell(part("button", { type: "button", class: "quiet change", "data-remove": one.id }), "remove"), "remove_one", one.id)));
  if (offset) by("listed").append(...rows);
  else fill(by("listed"), ...rows);
  shown = offset + rows.length;
  by("listed").hidden = shown === 0;
  by("more").hidden = shown >= found.total;
  tell(by("counted"), found.total || contains ? "counted" : "none_yet", found.total, found.passages);
  by("aside").hidden = found.set_aside.length === 0;
  fill(by("set-aside"), ...found.set_aside.map(one => part("li", {}, part("strong", {}, one.source), ` ${one.reason}`)));
}

// One file after the other, each with its progress.
function send(files, trouble) {
  for (const file of files) {
    const bar = part("progress", { max: "1", value: "0", "aria-label": file.name });
    const told = part("span", { class: "soft" });
    by("uploads").append(part("li", { class: "row" }, part("span", { class: "grow" }, file.name), bar, told));
    waiting = waiting.then(async () => {
      try {
        const done = await upload(file, share => {
          bar.value = share;
          tell(told, share < 1 ? "sending" : "reading", Math.round(100 * share));
        });
        const what = ["added", "changed", "unchanged"].find(name => done[`documents_${name}`]);
        tell(told, what ?? "unread", done.set_aside.map(one => one.reason).join("; "));
        bar.remove();
        await list();
      } catch (error) {
        tell(told, "as_is", error.message);
        bar.remove();
        if (!refused(error) && (error.status === 401 || !error.status)) trouble(error);
      }
    });
  }
}
