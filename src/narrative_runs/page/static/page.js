// The page moves by itself where an element names its events, and works without script everywhere else.
"use strict";

const SILENT_MS = 15000;
const AGAIN_AFTER_MS = 1000;

function tellConnection(text) {
  const told = document.getElementById("connection");
  if (told.textContent !== text) told.textContent = text;
}

// Make one element like another; what is the same stays, so that focus, selection and opened details do.
function becomeLike(element, wanted) {
  for (const { name } of [...element.attributes]) {
    if (name !== "open" && !wanted.hasAttribute(name)) element.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (name !== "open" && element.getAttribute(name) !== value) element.setAttribute(name, value);
  }
  const present = [...element.childNodes];
  [...wanted.childNodes].forEach((node, position) => {
    const old = present[position];
    if (!old) element.append(node);
    else if (old.nodeType !== node.nodeType || old.nodeName !== node.nodeName || old.id !== node.id) old.replaceWith(node);
    else if (node.nodeType === Node.ELEMENT_NODE) becomeLike(old, node);
    else if (old.data !== node.data) old.data = node.data;
  });
  present.slice(wanted.childNodes.length).forEach((node) => node.remove());
}

function show(fragments) {
  for (const [id, html] of Object.entries(fragments)) {
    const element = document.getElementById(id);
    const read = new DOMParser().parseFromString(html, "text/html").body;
    if (!element) continue;
    const wanted = element.cloneNode(false);
    wanted.append(...read.childNodes);
    becomeLike(element, wanted);
  }
}

// Why there is no connection: the server is away, or was started with another link.
async function reason() {
  try {
    const answer = await fetch("/static/page.css", { method: "HEAD" });
    if (answer.status === 403) return "This link is not valid any more. The terminal shows the new one.";
  } catch {
    // Away: it is tried again.
  }
  return "Reconnecting…";
}

function listen(address) {
  let silence = 0;
  const source = new EventSource(address);
  const again = () => {
    source.close();
    clearTimeout(silence);
    tellConnection("Reconnecting…");
    reason().then(tellConnection);
    setTimeout(() => listen(address), AGAIN_AFTER_MS);
  };
  const alive = () => {
    clearTimeout(silence);
    silence = setTimeout(again, SILENT_MS);
  };
  source.onmessage = (event) => {
    alive();
    tellConnection("");
    show(JSON.parse(event.data));
  };
  source.onerror = again;
  alive();
}

const events = document.querySelector("[data-events]");
if (events) listen(events.dataset.events);

// What takes long is brought when it is ready; without script a link waits for it.
async function load(element) {
  const wanted = element.dataset.load;
  const answer = await fetch(wanted);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const id of ["metrics-shown", element.id]) {
    const shown = document.getElementById(id);
    const ready = page.getElementById(id);
    if (shown && ready) becomeLike(shown, ready);
  }
}

for (const element of document.querySelectorAll("[data-load]")) load(element).catch(() => {});
