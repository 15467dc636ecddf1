// The page of training episodes: every turn over its target, and keys to move.
const episodes = [...document.querySelectorAll(".episode")];
episodes.forEach(layTargets);

document.addEventListener("keydown", (event) => {
  const by = { j: 1, k: -1 }[event.key];
  if (isTaken(event) || !by) return;
  const at = episodes.findIndex((episode) => "#" + episode.id === location.hash);
  const next = episodes[Math.min(Math.max(at + by, 0), episodes.length - 1)];
  location.hash = next.id;
  next.focus();
});
