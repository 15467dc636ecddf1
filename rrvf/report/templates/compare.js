"use strict";
// Compares a render with its target: side by side, by a slider, or as their difference. The view is an attribute of the page;
// page.css defines how it looks. Used by the sample browser and by the page of episodes.
const VIEWS = ["side", "slider", "difference"];
const radios = [...document.getElementsByName("view")];

/** Puts a copy of the target under each render of `root`, once. */
function layTargets(root) {
  const target = root.querySelector(".target img");
  for (const stage of root.querySelectorAll(".stage")) {
    const render = stage.querySelector("img:not(.under)");
    stage.classList.toggle("pair", Boolean(target && render));
    if (!target || !render || stage.querySelector(".under")) continue;
    const under = target.cloneNode();
    under.className = "under";
    under.alt = "";
    render.before(under);
  }
}

function setView(view) {
  const known = VIEWS.includes(view) ? view : VIEWS[0];
  document.body.dataset.view = known;
  for (const radio of radios) radio.checked = radio.value === known;
}

/** Whether a key belongs to the control that has the focus, or to the browser. */
function isTaken(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return true;
  if (event.target.closest("select, input[type=search], input[type=number]")) return true;
  return event.key.startsWith("Arrow") && event.target.closest("input, pre") !== null;
}

document.addEventListener("input", (event) => {
  if (event.target.name === "view") setView(event.target.value);
  if (event.target.classList.contains("cut")) event.target.parentNode.style.setProperty("--cut", event.target.value + "%");
});

document.addEventListener("keydown", (event) => {
  if (isTaken(event) || !VIEWS[event.key - 1]) return;
  setView(VIEWS[event.key - 1]);
  radios[event.key - 1].dispatchEvent(new Event("input", { bubbles: true }));
});

setView(VIEWS[0]);
