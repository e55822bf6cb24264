// Theme, and what a page that was written some time ago must say today. Nothing else moves.
"use strict";

const THEMES = ["auto", "light", "dark"];
const root = document.documentElement;

function remembered() {
  try { return localStorage.getItem("ecluse-theme") || "auto"; } catch { return "auto"; }
}

function setTheme(name) {
  if (name === "auto") delete root.dataset.theme; else root.dataset.theme = name;
  try { localStorage.setItem("ecluse-theme", name); } catch { /* a page of a file may not remember */ }
}

setTheme(remembered());

function inWords(seconds) {
  for (const [length, word] of [[86400, "day"], [3600, "hour"], [60, "minute"]]) {
    if (seconds >= 2 * length) return `${Math.round(seconds / length)} ${word}s ago`;
  }
  return "just now";
}

function since(text) {
  return (Date.now() - Date.parse(text)) / 1000;
}

// A source that was fresh when the page was written may be too old by now: the answer is then stale.
function nameWhatIsLate() {
  const note = document.querySelector("[data-written]");
  if (!note) return;
  const late = [...document.querySelectorAll("tr[data-newest]")].filter((row) => {
    const limit = Number(row.dataset.warn || row.dataset.error);
    return limit && row.dataset.newest && since(row.dataset.newest) > limit;
  });
  const age = since(note.dataset.written);
  if (age < 86400 && !late.length) return;
  const sources = late.length ? ` By now ${late.length} of the sources are older than their limit.` : "";
  note.textContent = `This page was written ${inWords(age)}.${sources}`;
  note.hidden = false;
  if (late.length) note.closest(".verdict").className = "verdict warn";
}

document.addEventListener("DOMContentLoaded", () => {
  const button = document.querySelector("button.theme");
  const show = () => { button.textContent = `Theme: ${root.dataset.theme || "auto"}`; };
  button.hidden = false;
  button.addEventListener("click", () => {
    setTheme(THEMES[(THEMES.indexOf(root.dataset.theme || "auto") + 1) % THEMES.length]);
    show();
  });
  show();
  for (const time of document.querySelectorAll("time[data-ago]")) {
    time.title = time.textContent;
    time.textContent = inWords(since(time.dateTime));
  }
  nameWhatIsLate();
});
