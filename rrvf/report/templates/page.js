"use strict";
// Filters and sorts the cards that are already on the page; reads data attributes only and builds no markup.
const cards = [...document.querySelectorAll(".card")];
const field = (name) => document.getElementById(name);

function matches(card) {
  const outcomes = card.dataset.outcomes.split(" ");
  const policy = field("policy").value;
  const outcome = field("outcome").value;
  const seen = policy === "" ? outcomes : outcomes.filter((o) => o.startsWith(policy + ":"));
  const named = card.dataset.name.includes(field("search").value.trim().toLowerCase());
  return named && (outcome === "" || seen.some((o) => o.endsWith(":" + outcome)));
}

function show() {
  const by = field("sort").value;
  const order = { id: (a, b) => a.dataset.number - b.dataset.number, spread: (a, b) => b.dataset.spread - a.dataset.spread };
  for (const card of [...cards].sort(order[by])) card.parentNode.append(card);
  let count = 0;
  for (const card of cards) count += !(card.hidden = !matches(card));
  field("count").textContent = count + " of " + cards.length + " samples";
}

if (field("count")) {
  for (const name of ["policy", "outcome", "sort", "search"]) field(name).addEventListener("input", show);
  show();
}
