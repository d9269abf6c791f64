// Small comforts of the portal. Every page works without them.
"use strict";
(() => {
  const announce = (words) => {
    const place = document.getElementById("announcer");
    if (place && words && place.textContent !== words) place.textContent = words;
  };

  // --- Copy buttons ---
  const showCopyButtons = (root) => {
    if (!navigator.clipboard) return; // plain HTTP from another machine: the text can still be selected
    for (const button of root.querySelectorAll("[data-copy]")) button.hidden = false;
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText(button.dataset.copy);
    button.classList.add("copied");
    announce(button.dataset.done);
    setTimeout(() => button.classList.remove("copied"), 1500);
  });

  // --- Menus and confirmations close on Escape and on a click elsewhere ---
  const openMenus = () => document.querySelectorAll("details.menu[open], details.confirm[open]");
  document.addEventListener("click", (event) => {
    for (const menu of openMenus()) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of openMenus()) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });

  // --- What cannot be pressed says so, and is not pressed twice ---
  document.addEventListener("click", (event) => {
    if (event.target.closest("[aria-disabled=true]")) event.preventDefault();
  });
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented || event.target.method !== "post") return;
    if (event.target.dataset.sent) event.preventDefault();
    event.target.dataset.sent = "1";
  });
  addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });

  // --- SQL editor: line numbers, the marked place, Tab writes spaces ---
  const setUpEditor = (editor) => {
    const text = editor.querySelector("textarea");
    const lines = editor.querySelector(".editor-lines");
    const marks = editor.querySelector(".editor-marks");
    const place = { line: Number(editor.dataset.line), column: Number(editor.dataset.column), length: Number(editor.dataset.length) };
    const offsetOf = ({ line, column }) => {
      const rows = text.value.split("\n").slice(0, line - 1);
      return rows.reduce((sum, row) => sum + row.length + 1, 0) + column - 1;
    };
    const number = () => {
      const count = text.value.split("\n").length;
      lines.textContent = Array.from({ length: count }, (_, index) => index + 1).join("\n");
    };
    const follow = () => {
      lines.scrollTop = marks.scrollTop = text.scrollTop;
      marks.scrollLeft = text.scrollLeft;
    };
    const span = () => {
      const start = offsetOf(place);
      const word = /^\w+/.exec(text.value.slice(start)); // a place without a length means the word there
      return [start, start + (place.length || word?.[0].length || 1)];
    };
    const mark = () => {
      const [start, end] = span();
      const found = document.createElement("mark");
      found.textContent = text.value.slice(start, end) || " ";
      marks.replaceChildren(text.value.slice(0, start), found, text.value.slice(end) + "\n");
    };
    text.addEventListener("input", () => {
      number();
      marks.replaceChildren(); // the text has changed: the place may be wrong now
      follow();
    });
    text.addEventListener("scroll", follow);
    text.addEventListener("keydown", (event) => {
      if (event.key === "Tab" && !event.shiftKey && text.selectionStart !== text.selectionEnd) {
        event.preventDefault(); // Tab alone still leaves the editor: nobody is trapped
        text.setRangeText("  " + text.value.slice(text.selectionStart, text.selectionEnd).replaceAll("\n", "\n  "));
        text.dispatchEvent(new Event("input"));
      }
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) text.form?.requestSubmit();
    });
    number();
    if (place.line) mark();
    const jump = editor.parentElement.querySelector("[data-goto]");
    jump?.addEventListener("click", () => {
      text.focus();
      text.setSelectionRange(...span());
    });
  };

  // --- Live fragments: say aloud only what changed ---
  document.addEventListener("htmx:afterSwap", (event) => {
    showCopyButtons(event.target);
    announce(event.target.querySelector?.("[data-live-status]")?.textContent.trim());
  });

  const begin = () => {
    showCopyButtons(document);
    for (const editor of document.querySelectorAll("[data-editor]")) setUpEditor(editor);
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
