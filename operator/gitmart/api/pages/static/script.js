"use strict";
// Pages work without this. It shows figures under the pointer or the arrow keys, and keeps what is live up to date.

const STEPS = [[31557600, "year"], [2630016, "month"], [86400, "day"], [3600, "hour"], [60, "minute"]];
const ago = (time) => {
  const isDay = time.dateTime.length === 10;
  const seconds = isDay
    ? 86400 * Math.floor(Date.now() / 86400000 - Date.parse(time.dateTime) / 86400000)
    : (Date.now() - Date.parse(time.dateTime)) / 1000;
  for (const [length, unit] of STEPS) {
    const count = Math.floor(seconds / length);
    if (count >= 1) return `${count} ${unit}${count === 1 ? "" : "s"} ago`;
  }
  return isDay ? "today" : "just now";
};
const tellAges = (within) => {
  for (const time of within.querySelectorAll("time")) {
    const said = document.createElement("span");
    said.className = "ago";
    said.textContent = ` (${ago(time)})`;
    time.append(said);
  }
};
tellAges(document);

for (const plot of document.querySelectorAll("[data-plot]")) {
  const rows = document.querySelectorAll(`#${plot.dataset.plot}-table tbody tr`);
  const names = [...document.querySelectorAll(`#${plot.dataset.plot}-table thead th`)].map((cell) => cell.textContent);
  if (rows.length === 0) continue;
  const marks = plot.querySelector(".marks");
  const cursor = document.createElement("div");
  const tip = document.createElement("div");
  cursor.className = "cursor";
  tip.className = "tip";
  tip.setAttribute("role", "status");
  cursor.hidden = tip.hidden = true;
  plot.append(cursor, tip);
  plot.tabIndex = 0;
  plot.setAttribute("role", "group");
  plot.setAttribute("aria-label", "Chart: the left and right arrow keys read its values");
  let at = rows.length;

  const show = (index) => {
    at = Math.min(Math.max(index, 0), rows.length - 1);
    const cells = [...rows[at].cells].map((cell) => cell.textContent);
    tip.textContent = `${cells[0]}: ` + cells.slice(1).map((value, i) => `${names[i + 1]} ${value}`).join(", ");
    cursor.hidden = tip.hidden = false;
    const box = marks.getBoundingClientRect();
    const frame = plot.getBoundingClientRect();
    const x = box.left - frame.left + (box.width * (at + 0.5)) / rows.length;
    cursor.style.left = `${x}px`;
    tip.style.top = "0";
    tip.style.left = `${Math.min(Math.max(x - tip.offsetWidth / 2, 0), frame.width - tip.offsetWidth)}px`;
  };
  const hide = () => { cursor.hidden = tip.hidden = true; };

  plot.addEventListener("pointermove", (event) => {
    const box = marks.getBoundingClientRect();
    show(Math.floor(((event.clientX - box.left) / box.width) * rows.length));
  });
  plot.addEventListener("pointerleave", hide);
  plot.addEventListener("blur", hide);
  plot.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -rows.length, End: rows.length }[event.key];
    if (event.key === "Escape") hide();
    if (step === undefined) return;
    event.preventDefault();
    show(at + step);
  });
}

// What takes longer than the rest of a page comes after it.
for (const place of document.querySelectorAll("[data-part]")) {
  fetch(place.dataset.part, { headers: { Accept: "text/html" } })
    .then((answer) => (answer.ok && !answer.redirected ? answer.text() : ""))
    .then((part) => { place.innerHTML = part; })
    .catch(() => { /* the link beside it leads to the same */ });
}

const PAUSE = 5000; // milliseconds between two questions
const keepUpToDate = async (place) => {
  if (!document.hidden) {
    try {
      const answer = await fetch(place.dataset.live, { headers: { Accept: "text/html" } });
      if (answer.ok && !answer.redirected) {
        const fresh = await answer.text();
        if (fresh !== place.dataset.shown) {
          place.innerHTML = fresh;
          tellAges(place);
          place.dataset.shown = fresh;
        }
      }
    } catch { /* the server is away: what is shown stays, and we ask again */ }
  }
  setTimeout(keepUpToDate, PAUSE, place);
};
for (const place of document.querySelectorAll("[data-live]")) keepUpToDate(place);
