// The page: views by the address's hash, language, theme, and faults said in one place.

import * as ask from "./ask.js";
import * as documents from "./documents.js";
import { by } from "./parts.js";
import { get, key } from "./service.js";
import * as study from "./study.js";
import { language, say, speak, tell } from "./words.js";

const VIEWS = {
  ask: async () => by("question").focus(),
  documents: () => Promise.all([documents.list(), documents.audit()]),
  study: () => study.look(),
};

function trouble(error) {
  if (error.status === 401) return enter();
  if (error.status) warn("as_is", error.message);
  else warn("trouble");
  warn.timer = setTimeout(calm, 8000);
}

// Stays until calm.
function warn(...said) {
  clearTimeout(warn.timer);
  tell(by("trouble"), ...said);
  by("trouble").hidden = false;
}

function calm() {
  clearTimeout(warn.timer);
  by("trouble").hidden = true;
}

function enter() {
  for (const name of Object.keys(VIEWS)) by(`view-${name}`).hidden = true;
  by("entry").hidden = false;
  by("key").focus();
}

const current = () => (location.hash.slice(1) in VIEWS ? location.hash.slice(1) : "ask");
const title = () => { document.title = `${say(current())} · selfstudy`; };

function view() {
  const chosen = current();
  study.leave();
  calm();
  by("entry").hidden = true;
  for (const name of Object.keys(VIEWS)) {
    by(`view-${name}`).hidden = name !== chosen;
    const link = document.querySelector(`nav a[href="#${name}"]`);
    if (name === chosen) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  title();
  VIEWS[chosen]().catch(trouble);
}

function dress(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
}

by("language").addEventListener("click", () => { speak(language === "en" ? "zh" : "en"); title(); });
by("theme").addEventListener("click", () => {
  const dark = (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  localStorage.setItem("theme", dark ? "light" : "dark");
  dress(localStorage.getItem("theme"));
});
by("entry").addEventListener("submit", async event => {
  event.preventDefault();
  key.set(by("key").value.trim());
  calm();
  try {
    await get("v1/models");
    for (const part of document.querySelectorAll(".refused")) part.classList.remove("refused");  // another key, other rights
    view();
  } catch (error) {
    if (error.status === 401) warn("key_wrong");
    else trouble(error);
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
