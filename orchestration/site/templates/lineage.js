// The graph of columns. Python has placed the nodes; this draws what is shown, lights paths, zooms.
"use strict";

const DATA = JSON.parse(document.getElementById("data").textContent);
const { nodes, edges: numbers, collapsed, header: HEADER, row: ROW } = DATA;
const WIDTH = 196, STEP = 258, GAP = 14, LETTERS = 26, LISTED = 150;
const EVERY = -2, ROWS = -1; // in place of a column: all of them; the rows as such
const [SVG, WORLD, PANEL, Q, HITS] = ["graph", "world", "path", "q", "hits"].map((id) => document.getElementById(id));
const into = nodes.map(() => []), outOf = nodes.map(() => []);
for (let at = 0; at < numbers.length; at += 5) {
  const [from, fromColumn, to, toColumn, direct] = numbers.slice(at, at + 5);
  const edge = { from, fromColumn, to, toColumn, direct };
  outOf[from].push(edge);
  into[to].push(edge);
}

let chosen = null, lit = new Map(), litEdges = new Set(); // {node, column}; node -> its columns
let boxes = new Map(), view = null; // node -> {x, y, height, rows: column -> y}, of what is shown
const esc = (text) => String(text).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
const short = (text, most) => (text.length > most ? text.slice(0, most - 1) + "…" : text);
const checked = (id) => document.getElementById(id).checked;
const linkOf = (node, column) => `#${nodes[node].id}${column >= 0 ? "." + nodes[node].columns[column][0] : ""}`;
const hrefOf = (node, column) => "#" + encodeURIComponent(linkOf(node, column).slice(1));

const everything = nodes.flatMap(({ name, columns }, node) => [EVERY, ...columns.keys()].map((column) => (
  { node, column, name: column < 0 ? name : `${name}.${columns[column][0]}`, link: linkOf(node, column) })));

// ---- which columns and edges are on the path
function walk(node, column, up) {
  const near = up ? into : outOf, seen = new Set(), waiting = [[node, column]], found = [];
  while (waiting.length) {
    const [at, here] = waiting.shift(), key = `${at} ${here}`;
    if (seen.has(key)) continue;
    seen.add(key);
    for (const edge of near[at]) {
      const leads = here === EVERY || (up ? [here, ROWS].includes(edge.toColumn) : edge.fromColumn === here);
      if (!leads || (!edge.direct && !checked("indirect"))) continue;
      found.push(edge);
      if (up) waiting.push([edge.from, edge.fromColumn]);
      else waiting.push([edge.to, edge.toColumn === ROWS ? EVERY : edge.toColumn]);
    }
  }
  return found;
}

function light() {
  [lit, litEdges] = [new Map(), new Set()];
  if (!chosen) return [[], []];
  const add = (node, column) => lit.set(node, (lit.get(node) ?? new Set()).add(column));
  const paths = [walk(chosen.node, chosen.column, true), walk(chosen.node, chosen.column, false)];
  add(chosen.node, chosen.column);
  for (const edge of paths.flat()) {
    litEdges.add(edge);
    add(edge.from, edge.fromColumn);
    add(edge.to, edge.toColumn);
  }
  return paths;
}

// ---- what is shown where
function shown(number) {
  if (lit.has(number)) return true;
  return !(chosen && checked("only")) && checked(`layer-${nodes[number].layer}`);
}

function rowsOf(number) {
  const all = [...nodes[number].columns.keys()];
  if (!chosen) return collapsed ? [] : all;
  const few = (collapsed || checked("only")) && chosen.node !== number;
  return few ? all.filter((column) => lit.get(number)?.has(column)) : all;
}

function arrange() {
  const free = chosen && checked("only"); // the others are gone: close the gaps
  const there = nodes.map((_, number) => number).filter(shown);
  const ranks = [...new Set(there.map((number) => nodes[number].rank))].sort((a, b) => a - b);
  boxes = new Map();
  for (const rank of ranks) {
    const column = there.filter((n) => nodes[n].rank === rank).sort((a, b) => nodes[a].y - nodes[b].y);
    let bottom = -Infinity;
    for (const number of column) {
      const rows = rowsOf(number), height = HEADER + ROW * rows.length + (rows.length ? 6 : 0);
      const y = Math.max(free ? 0 : nodes[number].y, bottom + GAP);
      boxes.set(number, { x: (free ? ranks.indexOf(rank) : rank) * STEP, y, height,
        rows: new Map(rows.map((row, place) => [row, y + HEADER + ROW * place + 3])) });
      bottom = y + height;
    }
  }
}

// ---- drawing
function nodeText(number) {
  const node = nodes[number], box = boxes.get(number);
  const isChosen = (column) => (chosen?.node === number && chosen.column === column ? " chosen" : "");
  const dim = chosen && !lit.has(number) ? " dim" : "", state = node.status ? `, ${node.status}` : "";
  const stained = ["bad", "warn"].includes(node.tone) || node.status === "skipped";
  const label = `${node.layer} ${node.name}, ${node.columns.length} columns${state}`;
  let text = `<g class="node ${node.layer}${dim}" transform="translate(${box.x},${box.y})">
    <rect class="box" width="${WIDTH}" height="${box.height}" rx="6"/>
    <g class="head${isChosen(EVERY)}" data-item="${number} -2" role="button" tabindex="-1" aria-label="${esc(label)}">
    <title>${esc(`${node.id}\n${node.at}${state}`)}</title><rect width="${WIDTH}" height="${HEADER}" rx="6"/>
    ${stained ? `<rect class="stain ${node.tone}" x="${WIDTH - 26}" width="26" height="${HEADER}" rx="6"/>` : ""}
    <text x="9" y="17">${esc(short(node.name, node.status ? 22 : 25))}</text>
    <text class="sign" x="${WIDTH - 18}" y="17">${node.status ? node.sign : ""}</text></g>`;
  for (const [column, y] of box.rows) {
    const [name, type, about, pii] = node.columns[column];
    const on = (lit.get(number)?.has(column) ? " lit" : "") + isChosen(column);
    text += `<g class="column${on}" data-item="${number} ${column}" role="button" tabindex="-1"
      aria-label="${esc(`${node.name}.${name} ${type}`)}"><title>${esc(`${name} ${type}\n${about}`)}</title>
      <rect x="3" y="${y - box.y}" width="${WIDTH - 6}" height="${ROW}" rx="3"/>
      <text x="9" y="${y - box.y + 12}">${esc(short(name, LETTERS - (pii ? 4 : 0)))}</text>
      ${pii ? `<text x="${WIDTH - 30}" y="${y - box.y + 12}">pii</text>` : ""}</g>`;
  }
  return text + "</g>";
}

// An edge ends at its columns where they are shown, else at the head; what falls together is one.
function edgeTexts() {
  const drawn = new Map();
  for (const [from, box] of boxes) {
    for (const edge of outOf[from]) {
      const there = boxes.get(edge.to), on = litEdges.has(edge);
      if (!there || (!edge.direct && !checked("indirect")) || (edge.to === from && !on)) continue;
      const end = ({ rows, y }, column) => (rows.has(column) ? rows.get(column) + ROW / 2 : y + HEADER / 2);
      const y1 = end(box, edge.fromColumn), y2 = end(there, edge.toColumn), key = `${from} ${y1} ${edge.to} ${y2}`;
      if (drawn.get(key)?.on) continue;
      const x1 = box.x + WIDTH, x2 = there.x, bend = Math.max(45, (x2 - x1) / 2);
      const kind = (on ? "lit" : chosen ? "dim" : "") + (edge.direct ? "" : " indirect");
      drawn.set(key, { on, text: `<path class="${kind}"
        d="M${x1},${y1}C${x1 + bend},${y1} ${x2 - bend},${y2} ${x2},${y2}"/>` });
    }
  }
  return [...drawn.values()].sort((a, b) => a.on - b.on).map(({ text }) => text).join("");
}

function draw(focus) {
  const paths = light();
  arrange();
  WORLD.innerHTML = edgeTexts() + [...boxes.keys()].map(nodeText).join("");
  tell(paths);
  const find = (key) => WORLD.querySelector(`[data-item="${key}"]`);
  const item = find(focus ?? `${chosen?.node} ${chosen?.column}`) ?? WORLD.querySelector("[data-item]");
  item?.setAttribute("tabindex", "0");
  if (focus) item?.focus({ preventScroll: true });
}

// ---- the path in words
function tell([up, down]) {
  PANEL.hidden = !chosen;
  if (!chosen) return;
  const node = nodes[chosen.node], column = node.columns[chosen.column];
  const list = (edges, end, endColumn) => {
    const found = new Map(edges.map((e) => [`${e[end]} ${e[endColumn]}`, e]));
    const items = [...found.values()].slice(0, LISTED).map((e) => {
      const there = nodes[e[end]], name = there.columns[e[endColumn]]?.[0], dashed = e.direct ? "" : ", decides rows";
      const what = esc(there.name) + (name ? ` <code>${esc(name)}</code>` : "");
      return `<li><a href="${hrefOf(e[end], e[endColumn])}">${what}</a> <small>${there.layer}${dashed}</small></li>`;
    });
    const more = found.size > LISTED ? `<p>and ${found.size - LISTED} more</p>` : "";
    return items.length ? `<ul>${items.join("")}</ul>${more}` : "<p>nothing</p>";
  };
  const facts = [node.layer, column?.[1], column?.[3] ? "personal data" : "", node.owner, node.status]
    .filter(Boolean).map(esc).join(" · ");
  PANEL.innerHTML = `<h2>${esc(node.name)}${column ? ` <code>${esc(column[0])}</code>` : ""}</h2><p>${facts}</p>
    <p>${esc(column ? column[2] : node.about)}</p>${node.unknown ? `<p>${esc(node.unknown)}</p>` : ""}
    ${node.page ? `<p><a href="${node.page}${column ? "#" + encodeURIComponent(column[0]) : ""}">Its page</a></p>` : ""}
    <h3>Made of</h3>${list(up, "from", "fromColumn")}<h3>Used by</h3>${list(down, "to", "toColumn")}`;
}

// ---- choosing, and permanent links: #node or #node.column
function choose(node, column, focus) {
  const moves = checked("only") || !chosen || node === null; // the picture is another, or narrower
  chosen = node === null ? null : { node, column };
  history.replaceState(null, "", chosen ? hrefOf(node, column) : "#");
  draw(focus);
  if (moves) fit();
}

const clear = () => choose(null);
const pick = (item, focus) => choose(...item.dataset.item.split(" ").map(Number), focus);

function followLink() {
  const wanted = decodeURIComponent(location.hash);
  chosen = (wanted.length > 1 && everything.find(({ link }) => link === wanted)) || chosen;
  draw();
  fit();
}

// ---- zoom and pan
function move(x, y, scale = view.scale) {
  view = { x, y, scale };
  WORLD.setAttribute("transform", `translate(${x},${y}) scale(${scale})`);
}

function zoom(factor, x = SVG.clientWidth / 2, y = SVG.clientHeight / 2) {
  const scale = Math.min(3, Math.max(0.04, view.scale * factor)), by = scale / view.scale;
  move(x - (x - view.x) * by, y - (y - view.y) * by, scale);
}

function fit() {
  const { x, y, width, height } = WORLD.getBBox(), room = SVG.clientWidth - 40;
  const scale = Math.min(1.1, room / width, (SVG.clientHeight - 40) / height);
  if (width) move(20 + (room - width * scale) / 2 - x * scale, 20 - y * scale, scale);
}

SVG.addEventListener("wheel", (event) => {
  event.preventDefault();
  const box = SVG.getBoundingClientRect();
  zoom(Math.exp(-event.deltaY / 500), event.clientX - box.left, event.clientY - box.top);
}, { passive: false });

let far = 0; // of a drag: what hardly moved was a click
SVG.addEventListener("pointerdown", () => { far = 0; });
SVG.addEventListener("pointermove", ({ buttons, movementX, movementY }) => {
  if (!buttons) return;
  far += Math.abs(movementX) + Math.abs(movementY);
  move(view.x + movementX, view.y + movementY);
});
SVG.addEventListener("click", (event) => {
  const item = far < 5 && event.target.closest("[data-item]");
  if (item) pick(item);
});

// ---- keyboard: up and down through what is shown, left and right along an edge
function step(item, key) {
  const items = [...WORLD.querySelectorAll("[data-item]")], place = items.indexOf(item);
  const [node, column] = item.dataset.item.split(" ").map(Number), left = key === "ArrowLeft";
  const [near, end, endColumn, own] =
    left ? [into, "from", "fromColumn", "toColumn"] : [outOf, "to", "toColumn", "fromColumn"];
  const edge = near[node].find((e) => boxes.has(e[end]) && (column < 0 || e[own] === column));
  const find = (there) => edge && WORLD.querySelector(`[data-item="${edge[end]} ${there}"]`);
  const beside = { ArrowUp: items[place - 1], ArrowDown: items[place + 1] };
  focusOn(key in beside ? beside[key] : find(edge?.[endColumn]) || find(EVERY));
}

function focusOn(item) {
  if (!item) return;
  WORLD.querySelector('[tabindex="0"]')?.setAttribute("tabindex", "-1");
  item.setAttribute("tabindex", "0");
  item.focus({ preventScroll: true });
  const box = item.getBoundingClientRect(), frame = SVG.getBoundingClientRect();
  const off = (low, high, from, to) => Math.max(0, from + 20 - low) - Math.max(0, high - to + 20);
  move(view.x + off(box.left, box.right, frame.left, frame.right),
    view.y + off(box.top, box.bottom, frame.top, frame.bottom));
}

SVG.addEventListener("keydown", (event) => {
  const item = event.target.closest("[data-item]"), arrow = event.key.startsWith("Arrow");
  const acts = { "+": () => zoom(1.25), "-": () => zoom(0.8), 0: fit, Escape: clear };
  if (arrow) item ? step(item, event.key) : focusOn(WORLD.querySelector('[tabindex="0"]'));
  else if (item && ["Enter", " "].includes(event.key)) pick(item, item.dataset.item);
  else if (event.key in acts) acts[event.key]();
  else return;
  event.preventDefault();
});

// ---- search
let hits = [], at = 0;
function search() {
  const words = Q.value.toLowerCase().split(/[\s.]+/).filter(Boolean);
  const fits = ({ name }) => words.length && words.every((word) => name.toLowerCase().includes(word));
  show(everything.filter(fits).sort((a, b) => a.name.length - b.name.length).slice(0, 12), 0);
}

function show(found, place) {
  [hits, at] = [found, place];
  HITS.hidden = !hits.length;
  HITS.innerHTML = hits.map(({ node, name }, i) => `<li id="hit${i}" role="option" aria-selected="${i === at}">
    <small>${esc(nodes[node].layer)}</small>${esc(name)}</li>`).join("");
  Q.setAttribute("aria-expanded", String(hits.length > 0));
  Q.setAttribute("aria-activedescendant", hits.length ? `hit${at}` : "");
}

function take({ node, column }) {
  show([], 0);
  choose(node, column, `${node} ${column}`);
  fit();
}

Q.addEventListener("input", search);
Q.addEventListener("keydown", (event) => {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (event.key === "Escape") show([], 0);
  else if (hits.length && by) show(hits, (at + by + hits.length) % hits.length);
  else if (hits.length && event.key === "Enter") take(hits[at]);
  else return;
  event.preventDefault();
});
HITS.addEventListener("click", ({ target }) => take(hits[[...HITS.children].indexOf(target.closest("li"))]));

document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== Q) { event.preventDefault(); Q.focus(); }
});
Object.entries({ in: () => zoom(1.25), out: () => zoom(0.8), fit, clear }).forEach(([id, act]) =>
  document.getElementById(id).addEventListener("click", act));
document.querySelectorAll('.tools input[type="checkbox"]').forEach((box) =>
  box.addEventListener("change", () => { draw(); fit(); }));
window.addEventListener("hashchange", followLink);
followLink();
