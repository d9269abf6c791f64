// The compute page: pieces to insert, problems marked in the text, datasets that unfold. All of it works without.
"use strict";
(() => {
  const form = document.querySelector("[data-question]");
  if (!form) return;
  const editor = form.querySelector("[data-editor]");
  const text = editor?.querySelector("textarea");
  const marks = editor?.querySelector(".editor-marks");
  const answer = document.getElementById("answer");

  // --- Where a problem stands. The guard counts characters, the browser UTF-16 units. ---
  const spanOf = ({ dataset }) => {
    const rows = text.value.split("\n");
    const row = rows[dataset.line - 1] ?? "";
    const before = rows.slice(0, dataset.line - 1).reduce((sum, one) => sum + one.length + 1, 0);
    const units = (count) => Array.from(row).slice(0, count).join("").length;
    const start = before + units(dataset.column - 1);
    const end = before + units(Number(dataset.column) - 1 + Number(dataset.length));
    return [start, Math.max(end, start + 1)];
  };
  const markProblems = () => {
    if (!text) return;
    const parts = [];
    let done = 0;
    const spans = [...answer.querySelectorAll("[data-place]")].map(spanOf).sort(([a], [b]) => a - b);
    for (const [start, end] of spans) {
      if (start < done) continue; // two problems at one place: one mark
      const mark = document.createElement("mark");
      mark.textContent = text.value.slice(start, end) || " ";
      parts.push(text.value.slice(done, start), mark);
      done = end;
    }
    marks.replaceChildren(...parts, parts.length ? text.value.slice(done) + "\n" : "");
    if (parts.length) text.setAttribute("aria-invalid", "true");
    else text.removeAttribute("aria-invalid");
  };
  answer.addEventListener("click", (event) => {
    const place = event.target.closest("[data-place]");
    if (!place || !text) return;
    text.focus();
    text.setSelectionRange(...spanOf(place));
  });

  // --- A checked question brings its answer into view ---
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.target !== answer) return;
    markProblems();
    answer.scrollIntoView({ block: "nearest", behavior: "smooth" });
  });

  // --- Enter checks; only the button runs ---
  form.addEventListener("submit", (event) => {
    if (event.submitter) return;
    event.preventDefault();
    form.querySelector("[data-check]").click();
  });

  // --- Pieces of SQL ---
  for (const pieces of document.querySelectorAll("[data-pieces]")) pieces.hidden = false;
  document.addEventListener("click", (event) => {
    const piece = event.target.closest("[data-insert]");
    if (!piece || !text) return;
    const before = text.value.slice(0, text.selectionStart);
    const gap = /[\w"'*)]$/.test(before) ? " " : "";
    text.setRangeText(gap + piece.dataset.insert, text.selectionStart, text.selectionEnd, "end");
    text.dispatchEvent(new Event("input"));
    text.focus();
  });

  // --- Datasets that are not used fold away, and what is ticked in them is not sent ---
  for (const block of form.querySelectorAll("[data-block]")) {
    const use = block.querySelector("[name=dataset][type=checkbox]");
    const body = block.querySelector("[data-block-body]");
    const fold = () => {
      body.hidden = !use.checked;
      for (const input of body.querySelectorAll("input")) input.disabled = !use.checked;
    };
    if (!use) continue;
    use.addEventListener("change", fold);
    fold();
  }

  markProblems();
})();
