// The page: views by the address's hash, language, theme, and faults said in one place.

import * as ask from "./ask.js";
import * as documents from "./documents.js";
import { by } from "./parts.js";
import { get, key } from "./service.js";
import * as study from "./study.js";
import { language, say, speak } from "./words.js";

const VIEWS = { ask: async () => by("question").focus(), documents: () => documents.list(), study: () => study.look() };

function trouble(error) {
  if (error.status === 401) return enter();
  by("trouble").textContent = error.status ? error.message : say("trouble");
  by("trouble").hidden = false;
  clearTimeout(trouble.timer);
  trouble.timer = setTimeout(() => { by("trouble").hidden = true; }, 8000);
}

function enter() {
  for (const name of Object.keys(VIEWS)) by(`view-${name}`).hidden = true;
  by("entry").hidden = false;
  by("key").focus();
}

function view() {
  const chosen = location.hash.slice(1) in VIEWS ? location.hash.slice(1) : "ask";
  study.leave();
  by("entry").hidden = true;
  for (const name of Object.keys(VIEWS)) {
    by(`view-${name}`).hidden = name !== chosen;
    const link = document.querySelector(`nav a[href="#${name}"]`);
    if (name === chosen) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${say(chosen)} · selfstudy`;
  VIEWS[chosen]().catch(trouble);
}

function dress(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
}

by("language").addEventListener("click", () => { speak(language === "en" ? "zh" : "en"); view(); });
by("theme").addEventListener("click", () => {
  const dark = (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  localStorage.setItem("theme", dark ? "light" : "dark");
  dress(localStorage.getItem("theme"));
});
by("entry").addEventListener("submit", async event => {
  event.preventDefault();
  key.set(by("key").value.trim());
  try {
    await get("v1/models");
    view();
  } catch {
    by("trouble").textContent = say("key_wrong");
    by("trouble").hidden = false;
  }
});
document.querySelector(".skip").addEventListener("click", event => { event.preventDefault(); by("main").focus(); });
document.addEventListener("trouble", event => trouble(event.detail));
window.addEventListener("hashchange", view);

dress(localStorage.getItem("theme"));
speak(language);
ask.start(trouble);
documents.start(trouble);
study.start(trouble);
get("v1/models").then(view, trouble);
