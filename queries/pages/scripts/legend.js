// What the colours mean, with counts. A press shows some classes alone; a look makes the others faint.
import { SVG, element } from "./elements.js";
import { MOST, paletteNow } from "./map_colours.js";

export const NO_VALUE = 65535; // the code of points without a value of the column
const SURE = { accepted: "sure", confirmed: "sure", review: "unsure", unknown: "unknown", not_visible: "unknown" };

// The values of a column as classes of points: the most frequent ones, all others, none.
export function classesOf(column, { values, others, without, codes }) {
  const groups = column === "status" ? statusGroups(values) : values.slice(0, MOST).map((value, code) => ({ ...value, codes: [code] }));
  const byCode = new Uint8Array(65536).fill(MOST);
  groups.forEach((group, at) => group.codes.forEach((code) => { byCode[code] = at; }));
  byCode[NO_VALUE] = MOST + 1;
  const rest = values.reduce((sum, { items }) => sum + items, others) - groups.reduce((sum, { items }) => sum + items, 0);
  const entries = groups.map(({ name, value, items }, at) => ({ at, name, value, items }));
  if (rest) entries.push({ at: MOST, name: column === "status" ? "not applicable" : otherValues(values.length - groups.length, others), items: rest });
  if (without) entries.push({ at: MOST + 1, name: ["branch", "label", "status"].includes(column) ? "not labelled" : "none", items: without });
  return { entries, classes: Uint8Array.from(codes, (code) => byCode[code]) };
}

// Of more than a thousand values the service does not say how many there are.
const otherValues = (count, others) => (others ? "others" : `${count.toLocaleString("en")} ${count === 1 ? "other" : "others"}`);

function statusGroups(values) {
  const groups = ["sure", "unsure", "unknown"].map((name) => ({ name, value: name, items: 0, codes: [] }));
  values.forEach(({ value, items }, at) => {
    const group = groups.find(({ name }) => name === SURE[value]);
    if (!group) return;
    group.items += items;
    group.codes.push(at);
  });
  return groups;
}

function swatch({ hex, square }) {
  const root = document.createElementNS(SVG, "svg");
  const shape = document.createElementNS(SVG, square ? "rect" : "circle");
  const attributes = square ? { x: 2, y: 2, width: 12, height: 12 } : { cx: 8, cy: 8, r: 7 };
  for (const [name, value] of Object.entries({ ...attributes, fill: hex })) shape.setAttribute(name, value);
  for (const [name, value] of Object.entries({ viewBox: "0 0 16 16", class: "swatch", "aria-hidden": "true" })) root.setAttribute(name, value);
  root.append(shape);
  return root;
}

export function legend(scatter, { onChange }) {
  const list = element("ul", { className: "legend", "aria-label": "Colours" });
  const all = element("button", { type: "button", className: "quiet", hidden: true, onclick: () => choose(new Set()) }, "Show all");
  let entries = [];
  let chosen = new Set();
  scatter.shown = (at) => !chosen.size || chosen.has(at);

  function choose(next) {
    chosen = next;
    draw();
    scatter.draw();
    onChange();
  }

  function toggle(at) {
    const next = new Set(chosen);
    if (!next.delete(at)) next.add(at);
    choose(next.size === entries.length ? new Set() : next);
    list.querySelector(`[data-at="${at}"]`)?.focus();
  }

  function emphasise(at) {
    if (scatter.emphasised === at) return;
    scatter.emphasised = at;
    scatter.draw();
  }

  function draw() {
    const palette = paletteNow();
    scatter.palette = palette;
    all.hidden = !chosen.size;
    list.replaceChildren(...entries.map(({ at, name, items }) => element("li", {},
      element("button", { type: "button", className: "quiet chip", "aria-pressed": String(chosen.has(at)), "data-at": at,
        onclick: () => toggle(at), onpointerenter: () => emphasise(at), onpointerleave: () => emphasise(-1),
        onfocus: (event) => event.target.matches(":focus-visible") && emphasise(at), onblur: () => emphasise(-1) },
      swatch(palette[at]), element("span", { className: "class-name" }, name), element("span", { className: "dim number" }, items.toLocaleString("en"))))));
  }

  return {
    root: element("div", {}, list, all),
    draw,
    name: (at) => entries.find((entry) => entry.at === at)?.name ?? "",
    set(newEntries) {
      entries = newEntries;
      choose(new Set());
    },
  };
}
