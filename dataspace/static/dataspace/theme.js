// Light, dark or as the system: read before the first paint, so that nothing flashes.
// Shares the key "theme" and the attribute data-theme with Django's admin, whose own switch works along.
"use strict";
(() => {
  const root = document.documentElement;
  const sheet = document.getElementById("dark-tokens");
  const media = { auto: "screen and (prefers-color-scheme: dark)", dark: "screen", light: "not all" };
  const stored = () => {
    try {
      return localStorage.getItem("theme") in media ? localStorage.getItem("theme") : "auto";
    } catch {
      return "auto"; // storage is switched off
    }
  };
  const show = () => {
    const wanted = media[root.dataset.theme] || media.auto;
    if (sheet.media !== wanted) sheet.media = wanted;
    document.dispatchEvent(new CustomEvent("themechange"));
  };
  root.dataset.theme = stored();
  show();
  new MutationObserver(show).observe(root, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme-switch");
    if (!button) return;
    const words = button.querySelector(".visually-hidden");
    const name = () => {
      words.textContent = button.title = button.dataset[root.dataset.theme] || button.dataset.auto;
    };
    button.hidden = false;
    name();
    button.addEventListener("click", () => {
      const order = matchMedia("(prefers-color-scheme: dark)").matches ? ["auto", "light", "dark"] : ["auto", "dark", "light"];
      const next = order[(order.indexOf(root.dataset.theme) + 1) % order.length];
      root.dataset.theme = next;
      try {
        localStorage.setItem("theme", next);
      } catch {
        // storage is switched off: the choice lasts until the page is left
      }
      name();
    });
  });
})();
