// Progressive enhancement of the form: the draft saves itself, and each field says what was understood.
"use strict";
(() => {
  const form = document.getElementById("draft");
  const saved = document.getElementById("saved");
  if (!form || !saved || !window.fetch) return;

  let waiting = 0;
  let busy = false;
  let again = false;
  let pressed = null;
  const version = form.elements.namedItem("_version");
  const save = async () => {
    if (document.body.dataset.ended) return;
    if (busy) { again = true; return; }
    busy = true;
    const sent = new FormData(form);
    sent.delete("_files"); // files go with the button: they are copied once
    sent.set("_do", "autosave");
    try {
      const answer = await fetch(form.action, { method: "POST", body: sent, credentials: "same-origin" });
      if ((answer.headers.get("content-type") || "").startsWith("application/json")) {
        const told = await answer.json();
        saved.textContent = told.saved;
        saved.className = answer.ok ? "ok" : "danger";
        if (answer.ok) version.value = told.version;
        if (answer.ok) for (const place of form.querySelectorAll("[data-echo]")) {
          const text = told.echoes[place.dataset.echo] || "";
          place.querySelector("span").textContent = text;
          place.hidden = !text;
        }
      }
    } catch { /* the node of this page is this machine: the next change tries again */ }
    busy = false;
    if (pressed) form.requestSubmit(pressed);
    else if (again) { again = false; save(); }
  };
  const soon = () => { clearTimeout(waiting); waiting = setTimeout(save, 1200); };
  form.addEventListener("input", soon);
  form.addEventListener("change", soon);
  form.addEventListener("submit", (event) => {
    clearTimeout(waiting);
    if (!busy) return;
    event.preventDefault(); // what is being saved is another version of the draft: the button waits for it
    pressed = event.submitter;
  });

  // A summary of errors is where reading begins.
  const errors = document.getElementById("errors");
  if (errors) errors.focus();
})();
