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
  // After its process has ended another user may take the port: a page without its console sends nothing any more.
  let leaving = false;
  const ended = () => {
    if (leaving || document.body.dataset.ended) return;
    document.body.dataset.ended = "1";
    arrivals.textContent = arrivals.dataset.ended;
    arrivals.hidden = false;
    arrivals.scrollIntoView();
    for (const each of document.querySelectorAll("button")) each.disabled = true;
  };
  for (const kind of ["beforeunload", "pagehide"]) {
    window.addEventListener(kind, () => { leaving = true; setTimeout(() => { leaving = false; }, 3000); });
  }
  for (const kind of ["submit", "click"]) {
    document.addEventListener(kind, (event) => {
      if (!document.body.dataset.ended) return;
      event.preventDefault();
      event.stopImmediatePropagation();
    }, true);
  }
  const hex = (bytes) => [...new Uint8Array(bytes)].map((each) => each.toString(16).padStart(2, "0")).join("");
  const proves = async (nonce, proof) => {
    const key = new TextEncoder().encode($("input[name=form_token]").value);
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    const secret = await crypto.subtle.importKey("raw", key, algorithm, false, ["sign"]);
    return proof === hex(await crypto.subtle.sign(algorithm, secret, new TextEncoder().encode(nonce)));
  };

  // A browser keeps few lines to one host: a page that is not looked at gives its own up.
  if (arrivals && window.EventSource) {
    let source = null;
    const listen = () => {
      if (source || document.hidden) return;
      const nonce = hex(crypto.getRandomValues(new Uint8Array(16)));
      const mine = source = new EventSource(`/events?nonce=${nonce}`);
      let proven = false;
      const over = () => { mine.close(); ended(); };
      mine.addEventListener("proof", async (event) => { proven = await proves(nonce, event.data); if (!proven) over(); });
      mine.onerror = over;
      setTimeout(() => { if (!proven && mine.readyState !== EventSource.CLOSED) over(); }, 10000);
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
