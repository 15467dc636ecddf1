"use strict";
// Light or dark theme: the reader's choice, else the system's. It runs before the page is drawn.
{
  const root = document.documentElement;
  const store = { get: () => { try { return localStorage.getItem("theme"); } catch { return null; } },
    set: (value) => { try { localStorage.setItem("theme", value); } catch { /* a browser may deny a file its storage */ } } };
  if (store.get()) root.dataset.theme = store.get();
  const isDark = () => (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

  function toggle() {
    root.dataset.theme = isDark() ? "light" : "dark";
    store.set(root.dataset.theme);
  }

  addEventListener("click", (event) => event.target.closest("#theme") && toggle());
  addEventListener("keydown", (event) => {
    if (event.key === "t" && !event.ctrlKey && !event.metaKey && !event.altKey && !event.target.closest("select, input")) toggle();
  });
}
