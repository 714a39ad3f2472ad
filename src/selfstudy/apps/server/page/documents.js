// The corpus: what is in it, what could not be read, upload and removal.

import { by, fill, part } from "./parts.js";
import { get, remove, upload } from "./service.js";
import { say } from "./words.js";

const PAGE = 100;
let shown = 0;
let waiting = Promise.resolve();

export function start(trouble) {
  const form = by("upload-form");
  by("files").addEventListener("change", () => { send(by("files").files, trouble); by("files").value = ""; });
  form.addEventListener("submit", event => event.preventDefault());
  form.addEventListener("dragover", event => { event.preventDefault(); form.classList.add("over"); });
  form.addEventListener("dragleave", () => form.classList.remove("over"));
  form.addEventListener("drop", event => { event.preventDefault(); form.classList.remove("over"); send(event.dataTransfer.files, trouble); });
  by("contains").addEventListener("input", () => list().catch(trouble));
  by("more").addEventListener("click", () => list(shown).catch(trouble));
  by("listed").addEventListener("click", event => {
    const id = event.target.dataset?.remove;
    if (id && confirm(say("remove_sure", id))) remove(`documents/${encodeURIComponent(id)}`).then(() => list()).catch(trouble);
  });
}

export async function list(offset = 0) {
  const contains = by("contains").value;
  const found = await get(`documents?${new URLSearchParams({ contains, offset, limit: PAGE })}`);
  if (contains !== by("contains").value) return;  // typed on since
  const rows = found.documents.map(one => part("li", { class: "row" },
    part("span", { class: "grow" }, part("strong", {}, one.title || one.id), one.title ? part("span", { class: "soft" }, ` ${one.id}`) : null),
    part("button", { type: "button", class: "quiet", "data-remove": one.id, "aria-label": `${say("remove")} ${one.id}` }, say("remove"))));
  if (offset) by("listed").append(...rows);
  else fill(by("listed"), ...rows);
  shown = offset + rows.length;
  by("listed").hidden = shown === 0;
  by("more").hidden = shown >= found.total;
  by("counted").textContent = found.total || contains ? say("counted", found.total, found.passages) : say("none_yet");
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
          told.textContent = share < 1 ? say("sending", Math.round(100 * share)) : say("reading");
        });
        const what = ["added", "changed", "unchanged"].find(name => done[`documents_${name}`]);
        told.textContent = what ? say(what) : say("unread", done.set_aside.map(one => one.reason).join("; "));
        bar.remove();
        await list();
      } catch (error) {
        told.textContent = error.message;
        bar.remove();
        if (error.status === 401 || !error.status) trouble(error);
      }
    });
  }
}
