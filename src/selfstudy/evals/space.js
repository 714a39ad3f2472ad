"use strict";
(() => {
  const data = JSON.parse(document.getElementById("space").textContent);
  const $ = (id) => document.getElementById(id);
  const canvas = $("map"), context = canvas.getContext("2d"), tip = $("tip"), count = data.titles.length;
  const COLOURS = ["#3f7fd6", "#d9743f", "#2f9e8f", "#b25fb5", "#c29a1f", "#e0567c", "#6f9a2e", "#7a6ff0", "#9b6b4f", "#8793a5"];
  const MOVED = ["#cf4a1c", "#d9743f", "#d6a06a", "#a3adba", "#8f9bab"];
  const MOVED_NAMES = ["0-2 of 10 neighbours kept", "3-4 kept", "5-6 kept", "7-8 kept", "9-10 kept"];
  const ANSWERED = data.places.length - 1;
  const still = matchMedia("(prefers-reduced-motion: reduce)"), dark = matchMedia("(prefers-color-scheme: dark)");

  let side = data.sides.length - 1, colour = "source", shown = "all", only = null, hits = null, hovered = null, picked = null;
  let view = { k: 1, x: 0, y: 0 }, width = 0, height = 0, wide = 1, high = 1, waiting = false, moving = null;
  const now = Float32Array.from(data.sides[side].xy), askedNow = Float32Array.from(data.sides[side].asked);

  const groups = () => {
    if (colour === "moved") return { of: data.kept.map((kept) => Math.min(4, kept < 3 ? 0 : (kept - 1) >> 1)), names: MOVED_NAMES, colours: MOVED };
    return { ...data[colour], colours: COLOURS };
  };
  let group = groups();

  const toX = (x) => (x / 1e4 - 0.5) * wide * view.k + width / 2 + view.x;
  const toY = (y) => (0.5 - y / 1e4) * high * view.k + height / 2 + view.y;
  const redraw = () => { if (!waiting) { waiting = true; requestAnimationFrame(() => { waiting = false; draw(); }); } };
  const visible = (q) => shown === "all" || (shown === "lost" && data.questions[q].lost[side][0] !== ANSWERED);

  function draw() {
    const ratio = devicePixelRatio || 1, ink = getComputedStyle(document.body);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const radius = Math.min(7, Math.max(1.4, (count > 6000 ? 1.3 : count > 1500 ? 2 : 3) * Math.sqrt(view.k)));
    for (let number = 0; number < group.names.length; number++) {
      const faint = only !== null && only !== number;
      context.fillStyle = group.colours[number % group.colours.length];
      context.globalAlpha = faint ? 0.07 : hits ? 0.12 : 0.75;
      context.beginPath();
      for (let i = 0; i < count; i++) if (group.of[i] === number && !(hits && hits.has(i))) dot(i, radius);
      context.fill();
    }
    if (hits) {
      context.globalAlpha = 1;
      context.fillStyle = ink.getPropertyValue("--down");
      context.beginPath();
      for (const i of hits) dot(i, Math.max(3.5, radius * 1.5));
      context.fill();
    }
    questions(ink);
    context.globalAlpha = 1;
    for (const target of [hovered, picked]) if (target) ring(target, ink.getPropertyValue("--ink"));
    if (document.activeElement === canvas && canvas.matches(":focus-visible")) cross(ink.getPropertyValue("--soft"));
  }

  function dot(i, r) {
    const x = toX(now[2 * i]), y = toY(now[2 * i + 1]);
    if (x < -r || y < -r || x > width + r || y > height + r) return;
    if (r < 2.4) context.rect(x - r, y - r, 2 * r, 2 * r);
    else { context.moveTo(x + r, y); context.arc(x, y, r, 0, 6.2832); }
  }

  function questions(ink) {
    const up = ink.getPropertyValue("--up"), down = ink.getPropertyValue("--down"), paper = ink.getPropertyValue("--card");
    for (const lines of [true, false]) for (let q = 0; q < data.questions.length; q++) {
      if (!visible(q) && !(picked && picked.q === q)) continue;
      const one = data.questions[q], lost = one.lost[side][0] !== ANSWERED, x = toX(askedNow[2 * q]), y = toY(askedNow[2 * q + 1]);
      const chosen = picked && picked.q === q;
      if (lines) {
        context.strokeStyle = lost ? down : up;
        context.globalAlpha = chosen ? 1 : lost ? 0.5 : 0.22;
        context.lineWidth = chosen ? 2 : 1;
        context.setLineDash(lost ? [4, 3] : []);
        context.beginPath();
        for (const i of one.wanted) { context.moveTo(x, y); context.lineTo(toX(now[2 * i]), toY(now[2 * i + 1])); }
        context.stroke();
        context.setLineDash([]);
      } else {
        const r = chosen ? 8 : lost ? 6 : 4.5;
        context.globalAlpha = 1;
        context.lineWidth = 1.5;
        context.fillStyle = lost ? down : paper;
        context.strokeStyle = lost ? paper : up;
        context.beginPath();
        context.moveTo(x, y - r); context.lineTo(x + r, y); context.lineTo(x, y + r); context.lineTo(x - r, y); context.closePath();
        context.fill(); context.stroke();
      }
    }
  }

  function ring(target, ink) {
    const [x, y] = spot(target);
    context.strokeStyle = ink; context.lineWidth = 2;
    context.beginPath(); context.arc(x, y, 10, 0, 6.2832); context.stroke();
  }
  function cross(ink) {
    context.strokeStyle = ink; context.lineWidth = 1; context.beginPath();
    context.moveTo(width / 2 - 8, height / 2); context.lineTo(width / 2 + 8, height / 2);
    context.moveTo(width / 2, height / 2 - 8); context.lineTo(width / 2, height / 2 + 8); context.stroke();
  }
  function spot(target) {
    const at = target.q !== undefined ? [askedNow, target.q] : [now, target.i];
    return [toX(at[0][2 * at[1]]), toY(at[0][2 * at[1] + 1])];
  }

  function nearest(x, y, reach) {
    let best = null, least = reach * reach;
    const closer = (target) => {
      const [px, py] = spot(target), distance = (px - x) ** 2 + (py - y) ** 2;
      if (distance < least) { least = distance; best = target; }
    };
    for (let q = 0; q < data.questions.length; q++) if (visible(q)) closer({ q });
    if (!best) for (let i = 0; i < count; i++) {
      const dx = toX(now[2 * i]) - x, dy = toY(now[2 * i + 1]) - y, distance = dx * dx + dy * dy;
      if (distance < least && (only === null || group.of[i] === only) && (!hits || hits.has(i))) { least = distance; best = { i }; }
    }
    return best;
  }

  function told(target, whole) {
    const box = document.createElement("div"), line = (kind, text) => {
      const made = document.createElement("p"); made.className = kind; made.textContent = text; box.append(made);
    };
    if (target.q !== undefined) {
      const one = data.questions[target.q], [place, why] = one.lost[side];
      line("head", one.text);
      line(place === ANSWERED ? "good" : "bad", data.places[place] + (why ? ": " + why : ""));
      if (whole && one.lost.length > 1 && one.lost[0][0] !== one.lost[1][0]) line("about", "before: " + data.places[one.lost[0][0]] + "; after: " + data.places[one.lost[1][0]]);
      if (whole) for (const i of one.wanted.slice(0, 3)) { line("head", data.titles[i] || "its passage"); line("text", data.texts[i]); }
    } else {
      const i = target.i;
      if (data.titles[i]) line("head", data.titles[i]);
      line("text", whole ? data.texts[i] : data.texts[i].slice(0, 120));
      line("about", data.source.names[data.source.of[i]] + " · " + data.cluster.names[data.cluster.of[i]]
        + (data.kept ? " · " + data.kept[i] + " of its 10 neighbours kept" : ""));
    }
    return box;
  }

  function pick(target, middle) {
    picked = target;
    if (target) {
      $("picked").replaceChildren(told(target, true));
      if (middle) {
        if (view.k < 3) view.k = 3;
        const [x, y] = spot(target);
        view.x += width / 2 - x; view.y += height / 2 - y;
      }
    }
    redraw();
  }

  function zoom(by, x = width / 2, y = height / 2) {
    const k = Math.min(200, Math.max(0.5, view.k * by)), f = k / view.k;
    view = { k, x: x - width / 2 - (x - width / 2 - view.x) * f, y: y - height / 2 - (y - height / 2 - view.y) * f };
    redraw();
  }
  const whole = () => { view = { k: 1, x: 0, y: 0 }; redraw(); };

  function turn(to) {
    if (to === side) return;
    side = to;
    const start = performance.now(), from = Float32Array.from(now), asked = Float32Array.from(askedNow), { xy, asked: to2 } = data.sides[side];
    cancelAnimationFrame(moving);
    const step = (time) => {
      const t = still.matches ? 1 : Math.min(1, Math.max(0, (time - start) / 900)), e = t * t * (3 - 2 * t);
      for (let i = 0; i < now.length; i++) now[i] = from[i] + (xy[i] - from[i]) * e;
      for (let i = 0; i < askedNow.length; i++) askedNow[i] = asked[i] + (to2[i] - asked[i]) * e;
      draw();
      if (t < 1) moving = requestAnimationFrame(step);
    };
    moving = requestAnimationFrame(step);
    $("before").setAttribute("aria-pressed", String(side === 0));
    $("after").setAttribute("aria-pressed", String(side === 1));
    if (picked) $("picked").replaceChildren(told(picked, true));
  }

  function legend() {
    const counts = new Array(group.names.length).fill(0);
    for (const number of group.of) counts[number]++;
    $("legend").replaceChildren(...group.names.map((name, number) => {
      const button = document.createElement("button"), mark = document.createElement("i"), text = document.createElement("span");
      button.type = "button";
      button.setAttribute("aria-pressed", String(only === number));
      mark.style.background = group.colours[number % group.colours.length];
      text.textContent = name + " (" + counts[number].toLocaleString("en") + ")";
      button.append(mark, text);
      button.onclick = () => { only = only === number ? null : number; legend(); redraw(); };
      return button;
    }));
  }

  function step(by) {
    const those = data.questions.map((_, q) => q).filter(visible);
    if (!those.length) return;
    const at = picked && picked.q !== undefined ? those.indexOf(picked.q) : by > 0 ? -1 : 0;
    pick({ q: those[(at + by + those.length) % those.length] }, true);
  }

  const pointers = new Map();
  let dragged = 0;
  canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); pointers.set(event.pointerId, event); dragged = 0; tip.hidden = true; });
  canvas.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) { hover(event); return; }
    const others = [...pointers.values()].filter((one) => one.pointerId !== event.pointerId);
    if (others.length) {
      const [other] = others, box = canvas.getBoundingClientRect(), far = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
      zoom(far(event) / Math.max(1, far(before)), (event.clientX + other.clientX) / 2 - box.left, (event.clientY + other.clientY) / 2 - box.top);
    } else { view.x += event.clientX - before.clientX; view.y += event.clientY - before.clientY; }
    dragged += Math.abs(event.clientX - before.clientX) + Math.abs(event.clientY - before.clientY);
    pointers.set(event.pointerId, event);
    redraw();
  });
  const lifted = (event) => {
    if (pointers.delete(event.pointerId) && dragged < 6 && event.type === "pointerup") {
      const box = canvas.getBoundingClientRect();
      pick(nearest(event.clientX - box.left, event.clientY - box.top, event.pointerType === "touch" ? 28 : 14), false);
    }
  };
  canvas.addEventListener("pointerup", lifted);
  canvas.addEventListener("pointercancel", lifted);
  canvas.addEventListener("pointerleave", () => { hovered = null; tip.hidden = true; redraw(); });
  canvas.addEventListener("wheel", (event) => { event.preventDefault(); zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0018)), event.offsetX, event.offsetY); }, { passive: false });

  function hover(event) {
    const box = canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    hovered = nearest(x, y, 14);
    tip.hidden = !hovered;
    canvas.style.cursor = hovered ? "pointer" : "grab";
    if (hovered) {
      tip.replaceChildren(told(hovered, false));
      tip.style.left = Math.max(4, Math.min(x + 14, width - tip.offsetWidth - 6)) + "px";
      tip.style.top = (y + tip.offsetHeight + 22 > height ? Math.max(4, y - tip.offsetHeight - 12) : y + 16) + "px";
    }
    redraw();
  }

  canvas.addEventListener("keydown", (event) => {
    const keys = {
      ArrowLeft: () => { view.x += 50; }, ArrowRight: () => { view.x -= 50; }, ArrowUp: () => { view.y += 50; }, ArrowDown: () => { view.y -= 50; },
      "+": () => zoom(1.3), "=": () => zoom(1.3), "-": () => zoom(1 / 1.3), 0: whole, n: () => step(1), p: () => step(-1),
      Enter: () => pick(nearest(width / 2, height / 2, 60), false), Escape: () => pick(null, false),
    };
    const work = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (work && !event.ctrlKey && !event.metaKey && !event.altKey) { event.preventDefault(); work(); redraw(); }
  });
  canvas.addEventListener("focus", redraw);
  canvas.addEventListener("blur", redraw);
  $("in").onclick = () => zoom(1.5);
  $("out").onclick = () => zoom(1 / 1.5);
  $("all").onclick = whole;
  $("colour").onchange = (event) => { colour = event.target.value; only = null; group = groups(); legend(); redraw(); };
  if ($("before")) { $("before").onclick = () => turn(0); $("after").onclick = () => turn(1); }
  if ($("asked")) $("asked").onchange = (event) => { shown = event.target.value; redraw(); };
  $("find").oninput = (event) => {
    const word = event.target.value.trim().toLowerCase();
    hits = word ? new Set(data.titles.map((_, i) => i).filter((i) => (data.titles[i] + " " + data.texts[i]).toLowerCase().includes(word))) : null;
    $("found").textContent = hits ? hits.size.toLocaleString("en") + " found" : "";
    redraw();
  };
  for (const button of document.querySelectorAll("button[data-question]")) button.onclick = () => {
    canvas.scrollIntoView({ block: "center", behavior: still.matches ? "auto" : "smooth" });
    pick({ q: Number(button.dataset.question) }, true);
  };

  const fit = () => {
    const box = canvas.getBoundingClientRect(), ratio = devicePixelRatio || 1;
    width = box.width; height = box.height; wide = 0.94 * Math.min(width, 1.6 * height); high = 0.94 * Math.min(height, 1.6 * width);
    canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio);
    draw();
  };
  new ResizeObserver(fit).observe(canvas);
  dark.addEventListener("change", redraw);
  legend();
})();
