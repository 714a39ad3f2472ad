// Making elements. Text is always set as text, so nothing that a document says can become part of the page.

export const by = id => document.getElementById(id);

export function part(tag, given = {}, ...inside) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "class") made.className = value;
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...inside.filter(one => one != null));
  return made;
}

export const fill = (where, ...inside) => where.replaceChildren(...inside.filter(one => one != null));
