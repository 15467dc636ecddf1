// The page of one evaluation set: filters, sorting, one sample in full, links and keys. It shows, hides and copies parts of
// the page and builds no markup from data. The state is in the controls and in the address after #.
const field = (id) => document.getElementById(id);
const viewer = field("viewer");
const controls = [...field("form").elements].filter((control) => control.id);
const defaults = new Map(controls.map((control) => [control.id, control.value]));
const cards = [...document.querySelectorAll(".card")].map(read);
let listed = cards; // the cards that pass the filters, in order
let opened = null;

function read(element, number) {
  const figures = [...element.querySelectorAll("figure[data-policy]")];
  const parts = figures.map((figure) => [figure.dataset.policy, { figure, outcome: figure.dataset.outcome, scores: JSON.parse(figure.dataset.scores) }]);
  return { element, number, id: element.dataset.id, types: JSON.parse(element.dataset.types), parts: new Map(parts), link: element.querySelector(".open") };
}

// ---- scores, filters, order

/** As in the tables: 0 where the policy failed, null where the judge, the reference or our own part did. */
function score(part) {
  if (part?.outcome === "scored") return part.scores[field("metric").value] ?? null;
  return part?.outcome === "policy_error" || part?.outcome === "render_error" ? 0 : null;
}

/** The parts of a card that side "a" or "b" names. */
function chosen(card, side) {
  const policy = field(side).value;
  if (policy === "*") return [...card.parts].filter(([name]) => name !== field("a").value).map(([, part]) => part);
  return card.parts.has(policy) ? [card.parts.get(policy)] : [];
}

function fitsSide(card, side) {
  const [outcome, from, to] = ["outcome-", "from-", "to-"].map((name) => field(name + side).value);
  if (side === "b" && field("b").value === "") return true;
  if (outcome === "" && from === "" && to === "") return true;
  return chosen(card, side).some((part) => {
    const value = score(part);
    if (outcome !== "" && part.outcome !== outcome) return false;
    if (value === null) return from === "" && to === "";
    return (from === "" || value >= Number(from)) && (to === "" || value <= Number(to));
  });
}

function fits(card) {
  const type = field("type")?.value ?? "";
  const named = card.id.toLowerCase().includes(field("search").value.trim().toLowerCase());
  return named && (type === "" || card.types.includes(type)) && fitsSide(card, "a") && fitsSide(card, "b");
}

function spread(card) {
  const known = [...card.parts].filter(([name]) => name !== "reference" && name !== "blank").map(([, part]) => score(part)).filter((value) => value !== null);
  return known.length ? Math.max(...known) - Math.min(...known) : null;
}

function gain(card) {
  const [before, after] = [score(card.parts.get(field("a").value)), score(card.parts.get(field("b").value))];
  return before === null || after === null ? null : after - before;
}

/** Cards by falling value; those without one come last, equals as evaluated. */
function ranked(some, value) {
  const keyed = some.map((card) => [card, value(card)]);
  keyed.sort(([x, a], [y, b]) => (a === null) - (b === null) || b - a || x.number - y.number);
  return keyed.map(([card]) => card);
}

function inOrder(some) {
  const own = (card) => score(card.parts.get(field("a").value));
  const minus = (value) => (card) => (value(card) === null ? null : -value(card));
  const value = { high: own, low: minus(own), gain, loss: minus(gain), spread }[field("sort").value];
  return value ? ranked(some, value) : some;
}

// ---- the list

function show() {
  listed = inOrder(cards.filter(fits));
  const shown = new Set(listed);
  for (const card of cards) {
    card.element.hidden = !shown.has(card);
    const visible = new Set([...chosen(card, "a"), ...chosen(card, "b")]);
    for (const part of card.parts.values()) {
      part.figure.hidden = !visible.has(part);
      const value = score(part);
      part.figure.querySelector("output").textContent = value === null ? "" : digits(value);
    }
    card.link.href = address(card);
  }
  const known = cards.flatMap((card) => [...card.parts.values()]).map(score).filter((value) => value !== null);
  for (const side of ["a", "b"]) {
    field("from-" + side).placeholder = known.length ? digits(Math.min(...known)) : "";
    field("to-" + side).placeholder = known.length ? digits(Math.max(...known)) : "";
  }
  field("cards").classList.toggle("wide", field("b").value === "*");
  field("cards").append(...listed.map((card) => card.element));
  field("count").textContent = `${listed.length} of ${cards.length} samples`;
  field("empty").hidden = listed.length > 0;
}

function digits(value) {
  if (value === 0) return "0";
  return Math.abs(value) <= 1 ? value.toFixed(3) : value.toFixed(1);
}

// ---- one sample in full

function open(card) {
  const panels = field("panels");
  opened = card;
  panels.replaceChildren(card.element.querySelector("template").content.cloneNode(true));
  const visible = new Set([field("a").value, ...(field("b").value === "*" ? card.parts.keys() : [field("b").value])]);
  for (const panel of panels.querySelectorAll("[data-policy]")) if (!visible.has(panel.dataset.policy)) panel.remove();
  for (const image of panels.querySelectorAll("img")) image.loading = "eager";
  layTargets(panels);
  field("viewer-title").textContent = card.id;
  const at = listed.indexOf(card);
  field("place").textContent = at < 0 ? "not among the filtered samples" : `${at + 1} of ${listed.length}`;
  field("previous").disabled = at <= 0;
  field("next").disabled = at + 1 >= listed.length;
  for (const side of ["a", "b"]) field("viewer-" + side).value = field(side).value;
  if (!viewer.open) viewer.showModal();
  viewer.scrollTop = 0;
}

/** The next or the previous sample: in full where one is open, else the focus moves in the list. */
function step(by) {
  const at = opened ? listed.indexOf(opened) : listed.findIndex((card) => card.element.contains(document.activeElement));
  const card = listed[at + by];
  if (!card) return;
  if (!opened) return card.link.focus();
  open(card);
  remember();
}

// ---- the address

function address(card) {
  const state = new URLSearchParams();
  for (const control of controls) if (control.value !== defaults.get(control.id)) state.set(control.id, control.value);
  if (document.body.dataset.view !== VIEWS[0]) state.set("view", document.body.dataset.view);
  if (card) state.set("sample", card.id);
  return "#" + state;
}

function remember() {
  history.replaceState(null, "", address(opened));
}

/** Takes the state from the address: at the start, after a link and after "back". */
function restore() {
  const state = new URLSearchParams(location.hash.slice(1));
  for (const control of controls) {
    control.value = state.get(control.id) ?? defaults.get(control.id);
    if (control.matches("select") && control.selectedIndex < 0) control.value = defaults.get(control.id);
  }
  setView(state.get("view"));
  show();
  const card = cards.find((some) => some.id === state.get("sample"));
  if (card) return open(card);
  if (viewer.open) viewer.close();
  if (state.has("sample")) field("count").textContent += `; no sample is called ${state.get("sample")}`;
}

// ---- what the reader does

function changed() {
  show();
  if (opened) open(opened);
  remember();
}

for (const side of ["a", "b"]) {
  const twin = field("viewer-" + side);
  twin.append(...[...field(side).options].map((option) => option.cloneNode(true)));
  twin.addEventListener("input", () => {
    field(side).value = twin.value;
    changed();
  });
}
field("form").addEventListener("input", changed);
field("form").addEventListener("submit", (event) => event.preventDefault());
field("reset").addEventListener("click", () => {
  for (const control of controls) control.value = defaults.get(control.id);
  changed();
});
document.addEventListener("input", (event) => {
  if (event.target.name !== "view") return;
  show();
  remember();
});
field("previous").addEventListener("click", () => step(-1));
field("next").addEventListener("click", () => step(1));
field("close").addEventListener("click", () => viewer.close());
viewer.addEventListener("close", () => {
  const card = opened;
  opened = null;
  remember();
  if (listed.includes(card)) card.link.focus();
});
document.addEventListener("keydown", (event) => {
  if (isTaken(event)) return;
  const by = { j: 1, ArrowRight: 1, k: -1, ArrowLeft: -1 }[event.key];
  if (by) step(by);
  else if (event.key === "/" && !opened) field("search").focus();
  else return;
  event.preventDefault();
});
addEventListener("hashchange", restore);
if (matchMedia("(max-width: 45rem)").matches) field("controls").open = false;
restore();
