// Talking to the service: the key, JSON, streams, and faults as two lines.

export class Fault extends Error {
  constructor(status, message) { super(message); this.status = status; }
}

export const key = {
  get: () => sessionStorage.getItem("key") || "",
  set: value => sessionStorage.setItem("key", value),
};

export const headers = () => (key.get() ? { Authorization: `Bearer ${key.get()}` } : {});

export async function call(method, path, body) {
  const given = { method, headers: { ...headers() } };
  if (body !== undefined) {
    given.headers["Content-Type"] = "application/json";
    given.body = JSON.stringify(body);
  }
  const reply = await fetch(path, given);
  if (!reply.ok) throw await fault(reply.status, reply);
  return reply;
}

export const get = async path => (await call("GET", path)).json();
export const post = async (path, body) => (await call("POST", path, body)).json();
export const remove = async path => (await call("DELETE", path)).json();

async function fault(status, reply) {
  try {
    return new Fault(status, (await reply.json()).error.message);
  } catch {
    return new Fault(status, `${status}`);
  }
}

// A report holds a script of its own: it is saved as a file, never opened inside this page's origin.
export async function save(id) {
  const address = URL.createObjectURL(await (await call("GET", `reports/${id}`)).blob());
  const link = document.createElement("a");
  link.href = address;
  link.download = `${/^[0-9a-f]+$/.test(id) ? `report-${id.slice(0, 8)}` : id}.html`;
  link.click();
  URL.revokeObjectURL(address);
}

// What stands between two marks of a report, as parts that are read and never shown.
export async function cut(id, from, to) {
  const page = await (await call("GET", `reports/${id}`)).text();
  return new DOMParser().parseFromString(page.split(from)[1]?.split(to)[0] ?? "", "text/html");
}

// Calls heard(name, data) for every server-sent event. What fails on the way comes as an event too.
export async function stream(path, body, heard) {
  const reply = await call("POST", path, body);
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += value;
    const events = rest.split("\n\n");
    rest = events.pop();
    for (const event of events) {
      const lines = event.split("\n");
      const name = lines.find(line => line.startsWith("event: "))?.slice(7) ?? "";
      const data = lines.filter(line => line.startsWith("data: ")).map(line => line.slice(6)).join("\n");
      const told = JSON.parse(data);
      if (name === "error") throw new Fault(500, told.error.message);
      heard(name, told);
    }
  }
}

// Sends a file; progress(share) as it goes. fetch tells nothing of it, XMLHttpRequest does.
export function upload(file, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "documents");
    for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
    request.upload.onprogress = event => event.lengthComputable && progress(event.loaded / event.total);
    request.onerror = () => reject(new Fault(0, ""));
    request.onload = () => {
      let told = {};
      try { told = JSON.parse(request.responseText); } catch { /* not ours */ }
      if (request.status < 300) resolve(told);
      else reject(new Fault(request.status, told.error?.message ?? `${request.status}`));
    };
    const form = new FormData();
    form.append("file", file);
    request.send(form);
  });
}
