// Progressive enhancement only: without this file every page works, but for live arrival and the shortcuts.
"use strict";
(() => {
  const $ = (wanted, within = document) => within.querySelector(wanted);

  // Live arrival: the counts of the menu, and a line that offers the page anew.
  const arrivals = $("#arrivals");
  const count = (name, text, late) => {
    const place = $(`[data-count="${name}"]`);
    if (!place) return;
    place.textContent = text;
    place.hidden = !text;
    if (name === "tasks") place.classList.toggle("late", late);
  };
  const offer = () => {
    if (!arrivals || !arrivals.hidden) return;
    const link = document.createElement("a");
    link.href = location.href;
    link.textContent = arrivals.dataset.show;
    arrivals.replaceChildren(arrivals.dataset.text + " ", link);
    arrivals.hidden = false;
  };
  // A browser keeps few lines to one host: a page that is not looked at gives its own up.
  if (arrivals && window.EventSource) {
    let source = null;
    const listen = () => {
      if (source || document.hidden) return;
      source = new EventSource("/events");
      source.onmessage = (event) => {
        const told = JSON.parse(event.data);
        for (const [name, text] of Object.entries(told.counts)) count(name, text, told.late);
        if (told.what === "rang" && !document.title.startsWith("● ")) document.title = "● " + document.title;
        if (told.what === "arrived" || told.sequence > Number(arrivals.dataset.sequence)) offer();
      };
      source.addEventListener("locked", () => { source.close(); location.reload(); });
    };
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) listen();
      else if (source) { source.close(); source = null; }
    });
    listen();
  }

  // Shortcuts, by physical key so that a Russian layout has them too. None stops, signs or sends.
  const places = { KeyT: "/tasks", KeyI: "/inbox", KeyS: "/approve", KeyC: "/deliveries", KeyA: "/audit" };
  let going = false;
  const rows = () => [...document.querySelectorAll(".cover")];
  const step = (by) => {
    const all = rows();
    if (!all.length) return;
    const now = all.indexOf(document.activeElement);
    all[Math.min(all.length - 1, Math.max(0, now + by))].focus();
  };
  const press = (wanted) => { const found = $(wanted); if (found) found.click(); };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || document.body.dataset.shortcuts === "off") return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (going) {
      going = false;
      if (places[event.code]) { location.href = places[event.code]; event.preventDefault(); }
      return;
    }
    switch (event.code) {
      case "Slash": if (event.shiftKey) { location.href = "/settings#keyboard"; } else { const field = $("#bar-search"); if (field) field.focus(); } break;
      case "KeyJ": step(1); break;
      case "KeyK": step(-1); break;
      case "KeyU": press("[data-key=back]"); break;
      case "KeyN": location.href = "/write"; break;
      case "KeyR": press("[data-key=reply]"); break;
      case "KeyP": press("[data-key=proofs]"); break;
      case "KeyG": going = true; break;
      default: return;
    }
    event.preventDefault();
  });

  // A page that is shown as it will be printed opens the dialog at a button.
  for (const each of document.querySelectorAll("[data-print]")) {
    each.hidden = false;
    each.addEventListener("click", () => window.print());
  }

  // An open details that floats closes with Escape and at a click beside it.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const each of document.querySelectorAll("details.danger-act[open]")) { each.open = false; $("summary", each).focus(); }
  });
})();
