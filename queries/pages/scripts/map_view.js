// The map of a catalog: points that are coloured, looked at, chosen, and listed. What an item looks
// like and where it leads is said by who shows the map: the service's page, or a file of its own.
import { SVG, element, saveAs } from "./elements.js";
import { gestures } from "./gestures.js";
import { NO_VALUE, classesOf, legend } from "./legend.js";
import { groundsNow, onScheme } from "./map_colours.js";
import { Scatter } from "./scatter.js";

const PAGE = 24; // items of the list at a time
const MOST_COUNTED = 12; // values of a selection that are counted one by one

const HELP = "Arrow keys move the map, + and - change its size, 0 shows all. S begins a rectangle: arrows move it, with Shift they "
  + "change its size, Enter takes the items in it, Escape leaves it. Enter alone shows the item nearest to the middle.";

const shownColumn = (name) => (name.startsWith("attributes.") ? name.slice("attributes.".length) : name);

// points: { ids, x, y }. columns: names. values(column): its values and codes, or a promise of them.
// tip(index) and card(index, value): elements. open(index): goes to the item. leads(indices, value):
// further links of a selection. notes: elements above the map. leads may be left out.
export function mapView({ points, columns, column, values, tip, card, open, leads = () => [], notes = [], onColumn = () => {}, say }) {
  const canvas = element("canvas", { tabIndex: 0, role: "application", "aria-label": `Map of ${points.ids.length.toLocaleString("en")} items` });
  canvas.setAttribute("aria-describedby", "map-keys");
  const overlay = document.createElementNS(SVG, "svg");
  overlay.setAttribute("class", "overlay");
  overlay.setAttribute("aria-hidden", "true");
  const bubble = element("div", { className: "map-tip", hidden: true });
  const lasso = element("button", { type: "button", className: "quiet", "aria-pressed": "false",
    onclick: () => { lasso.setAttribute("aria-pressed", String(!isLasso())); frame.classList.toggle("choosing", isLasso()); } }, "Lasso");
  const isLasso = () => lasso.getAttribute("aria-pressed") === "true";
  const frame = element("div", { className: "map-frame" }, canvas, overlay, bubble,
    element("div", { className: "map-tools" },
      tool("+", "Closer", () => scatter.zoom(1.5)), tool("−", "Farther", () => scatter.zoom(1 / 1.5)), tool("⤢", "Show all", () => scatter.fit())));
  const select = element("select", { id: "coloured-by", onchange: () => colour(select.value) },
    ...columns.map((name) => element("option", { value: name }, shownColumn(name))));
  const chosen = element("section", { className: "chosen", "aria-label": "Selection", hidden: true });
  const scatter = new Scatter(canvas, points.x, points.y);
  const key = legend(scatter, { onChange: () => { hide(); hand?.clear(); } });
  const hand = gestures(scatter, overlay, { isLasso, onPoint: point, onSelect: choose, say });
  let current = null; // the values of the column
  let pointed = -1;

  function tool(sign, name, action) {
    return element("button", { type: "button", className: "quiet", "aria-label": name, title: name, onclick: () => { hide(); hand.clear(); action(); } }, sign);
  }

  async function colour(name) {
    try {
      current = await values(name);
    } catch (error) {
      say(error.message);
      return;
    }
    const { entries, classes } = classesOf(name, current);
    scatter.classes = classes;
    select.value = name;
    key.set(entries);
    onColumn(name);
    if (scatter.selected) choose(selection(), false);
  }

  const selection = () => [...scatter.selected.keys()].filter((index) => scatter.selected[index]);
  const valueOf = (index) => current?.values[current.codes[index]] ?? null;

  function hide() {
    pointed = -1;
    bubble.hidden = true;
  }

  function point(index, how) {
    canvas.classList.toggle("on-point", index >= 0 && !isLasso());
    if (how === "open" && index >= 0 && !isLasso()) {
      open(index);
      return;
    }
    if (index < 0) hide();
    else if (index !== pointed) describe(index);
  }

  function describe(index) {
    pointed = index;
    bubble.replaceChildren(tip(index, valueOf(index)));
    bubble.hidden = false;
    const [px, py] = scatter.place(index);
    const gap = scatter.radius + 10;
    const right = px > scatter.width / 2;
    bubble.style.left = right ? "auto" : `${Math.max(4, px + gap)}px`;
    bubble.style.right = right ? `${Math.max(4, scatter.width - px + gap)}px` : "auto";
    const below = py > scatter.height / 2;
    bubble.style.top = below ? "auto" : `${Math.max(4, py)}px`;
    bubble.style.bottom = below ? `${Math.max(4, scatter.height - py)}px` : "auto";
  }

  function choose(indices, byKeys) {
    if (!indices.length) {
      say("No item is in it.");
      return;
    }
    hide();
    scatter.selected = new Uint8Array(points.ids.length);
    for (const index of indices) scatter.selected[index] = 1;
    scatter.draw();
    list(indices, byKeys);
  }

  function clear() {
    scatter.selected = null;
    scatter.draw();
    chosen.hidden = true;
    canvas.focus({ preventScroll: true });
  }

  function list(indices, byKeys) {
    const heading = element("h3", { tabIndex: -1 }, `${indices.length.toLocaleString("en")} ${indices.length === 1 ? "item" : "items"} chosen`);
    const grid = element("ul", { className: "grid" });
    const more = element("button", { type: "button", className: "quiet", onclick: next }, "Show more");
    function next() {
      const from = grid.children.length;
      grid.append(...indices.slice(from, from + PAGE).map((index) => card(index, valueOf(index))));
      more.hidden = grid.children.length >= indices.length;
      if (from) grid.children[from].querySelector("a, button")?.focus();
    }
    chosen.replaceChildren(heading, counts(indices),
      element("div", { className: "keys" },
        element("button", { type: "button", onclick: () => save(indices) }, "Export ids"),
        ...leads(indices, valueOf), element("button", { type: "button", className: "quiet", onclick: clear }, "Leave the selection")),
      grid, element("p", {}, more));
    chosen.hidden = false;
    next();
    say(heading.textContent);
    if (byKeys) heading.focus();
  }

  // How many of the chosen items have each value of the column.
  function counts(indices) {
    const byName = new Map();
    for (const index of indices) {
      const name = valueOf(index)?.name ?? (current.codes[index] === NO_VALUE ? "none" : "others");
      byName.set(name, (byName.get(name) ?? 0) + 1);
    }
    const sorted = [...byName].sort(([, count], [, other]) => other - count);
    const rest = sorted.slice(MOST_COUNTED).reduce((sum, [, count]) => sum + count, 0);
    if (rest) sorted.splice(MOST_COUNTED, sorted.length, [byName.size - MOST_COUNTED === 1 ? "1 other" : `${byName.size - MOST_COUNTED} others`, rest]);
    return element("ul", { className: "chips", "aria-label": `Chosen items by ${shownColumn(select.value)}` },
      ...sorted.map(([name, count]) => element("li", { className: "small" }, `${name} `, element("b", { className: "number" }, count.toLocaleString("en")))));
  }

  function save(indices) {
    saveAs("ids.txt", new Blob(indices.map((index) => `${points.ids[index]}\n`), { type: "text/plain" }));
  }

  function grounds() {
    Object.assign(scatter, groundsNow());
    key.draw();
    scatter.draw();
  }
  grounds();
  const forget = onScheme(grounds);
  const sized = new ResizeObserver(() => { hide(); hand.clear(); scatter.resize(); });
  sized.observe(canvas);
  const root = element("div", { className: "map" }, ...notes,
    element("div", { className: "row" }, element("label", {}, "Coloured by", select), element("div", { className: "map-modes" }, lasso)),
    key.root, frame,
    element("details", {}, element("summary", {}, "Mouse, fingers and keys"),
      element("p", { className: "small dim" }, "Drag to move, turn the wheel or spread two fingers to come closer, point at an item to see it, click to open it. "
        + "With Lasso, or with Shift held, draw around items to list them. A press on a colour shows its items alone."),
      element("p", { className: "small dim", id: "map-keys" }, HELP)),
    chosen);
  return { root, scatter, ready: colour(columns.includes(column) ? column : columns[0]), close: () => { forget(); sized.disconnect(); } };
}
