// The auditor's page: show that the log is being read while the request is under way.
"use strict";
(() => {
  const form = document.querySelector("[data-verify]");
  const verifying = document.querySelector("[data-verifying]");
  const report = document.getElementById("report");
  if (!form || !verifying) return;
  form.addEventListener("htmx:beforeRequest", () => {
    report.replaceChildren();
    verifying.hidden = false;
  });
  form.addEventListener("htmx:afterRequest", () => {
    verifying.hidden = true;
  });
})();
