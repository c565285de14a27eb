// The map: what the service knows of it, and the list that a selection leads to.
import { ask, attempt, element, inPath, itemCard, itemLink, percent, picture, say } from "./parts.js";
import { uint16s } from "./elements.js";
import { mapView } from "./map_view.js";
import { MOST_SELECTED, keepSelection } from "./selection.js";

const MOST_SEARCHED = 3500; // characters of a filter that an address and the service take

export function show(view, { query }) {
  let open = true;
  let shown = null;
  let timer = null;
  let column = "label"; // what the points are coloured by
  const items = new Map(); // by id: what the service says of them
  const place = element("div", {}, element("p", { className: "dim" }, "…"));
  const state = element("p", { role: "status", className: "dim", hidden: true });
  view.append(element("h2", {}, "Map"), state, place);

  // Of pictures that are pointed at again the service is not asked again; a failed request is not kept.
  const itemOf = (id) => {
    if (!items.has(id)) items.set(id, ask(`/v1/items/${inPath(id)}`).catch((error) => { items.delete(id); throw error; }));
    return items.get(id);
  };

  async function load() {
    const found = await ask("/v1/map");
    if (!open) return;
    shown?.close();
    if (!found.method) {
      place.replaceChildren(element("p", {}, "The items are not laid out yet. It takes a minute or two for ten thousand of them."),
        element("p", {}, start("Lay the items out")));
      return;
    }
    const points = { ids: found.item_ids, x: uint16s(found.x), y: uint16s(found.y) };
    shown = mapView({ points, columns: found.columns, column: query.get("column"), say, notes: notes(found),
      values: (column) => values(found.version, column), tip: (index, value) => tip(points.ids[index], value),
      card: (index, value) => card(points.ids[index], value), open: (index) => { location.hash = `#item?${new URLSearchParams({ id: points.ids[index] })}`; },
      leads: (indices, valueOf) => leads(points.ids, indices, valueOf, column), onColumn });
    place.replaceChildren(shown.root);
    await shown.ready;
  }

  function onColumn(name) {
    column = name;
    history.replaceState(null, "", `#map?${new URLSearchParams({ column: name })}`);
  }

  async function values(version, name) {
    const answer = await ask(`/v1/map/values?column=${encodeURIComponent(name)}`);
    if (answer.version !== version) { // an item came or went: the points are others
      await load();
      throw new Error("The catalog has changed: the map is shown anew.");
    }
    return { ...answer, codes: uint16s(answer.codes) };
  }

  function notes(found) {
    const many = (count) => count.toLocaleString("en");
    const told = [`${many(found.item_ids.length)} of ${many(found.items)} items`, found.method === "umap" ? "laid out by UMAP" : "along the two main axes (PCA)",
      found.trustworthiness === null ? null : `trustworthiness ${found.trustworthiness.toFixed(2)}`].filter(Boolean).join(", ");
    const missing = found.missing && !found.drawn_from ? [element("p", { className: "error" },
      `${many(found.missing)} ${found.missing === 1 ? "item is" : "items are"} not on the map: they came, or their picture changed, after it was made. `), start("Lay out again")] : [];
    return [element("p", { className: "dim small" }, told, ". Near on the map is near by embedding; far says little."),
      found.drawn_from ? element("p", { className: "dim small" }, `Its points were drawn at random from the ${many(found.drawn_from)} items that there were. `,
        found.items === found.drawn_from ? "" : start("Lay out again")) : null, ...missing].filter(Boolean);
  }

  function tip(id, value) {
    const root = element("div", {}, picture({ item_id: id }, 160), element("div", { className: "small" }, id));
    itemOf(id).then((item) => {
      if (!root.isConnected) return;
      root.replaceChildren(picture(item, 160), element("strong", { className: "small" }, itemLink(item)),
        element("div", { className: "small" }, item.label || "not labelled", " ", item.label ? element("span", { className: "number dim" }, percent(item.score)) : ""),
        ["branch", "label", "status"].includes(column) || !value ? "" : element("div", { className: "small dim" }, `${column}: ${value.name}`));
    }).catch((error) => say(error.message));
    return root;
  }

  function card(id, value) {
    const root = element("li", { className: "card" }, element("div", { className: "text" }, itemLink({ item_id: id }), value ? element("span", { className: "small" }, value.name) : null));
    itemOf(id).then((item) => root.replaceWith(itemCard(item))).catch((error) => say(error.message));
    return root;
  }

  function start(title) {
    return element("button", { type: "button", className: "quiet", onclick: attempt(async () => {
      const job = await ask("/v1/jobs/project", { method: "POST", json: {} });
      await follow(job.job_id);
    }) }, title);
  }

  async function follow(id) {
    const job = await ask(`/v1/jobs/${id}`);
    if (!open) return;
    const part = job.total && job.stage !== "Laying out" ? ` ${percent(job.done / job.total)}` : "";
    state.hidden = job.state === "done";
    state.textContent = { queued: "Waits for another job.", running: `${job.stage || "Starting"}${part} …`, failed: job.error, cancelled: "Cancelled." }[job.state] ?? "";
    if (job.state === "done") await load();
    else if (["queued", "running"].includes(job.state)) timer = setTimeout(() => follow(id).catch((error) => say(error.message)), 700);
  }

  load().catch((error) => say(error.message));
  return () => {
    open = false;
    clearTimeout(timer);
    shown?.close();
  };
}

// Where a selection leads: its items as a list and to review, a search among them, and the review of
// its most frequent label.
function leads(ids, indices, valueOf, column) {
  const links = [];
  if (indices.length <= MOST_SELECTED) {
    const name = keepSelection(indices.map((index) => ids[index]));
    links.push(element("a", { href: `#search?selection=${name}` }, "Open as a list"), element("a", { href: `#review?selection=${name}` }, "Review these items"));
  } else links.push(element("span", { className: "dim small" }, `Up to ${MOST_SELECTED.toLocaleString("en")} items open as a list, and can be reviewed.`));
  const filter = `item_id in ${JSON.stringify(indices.slice(0, 500).map((index) => ids[index]))}`;
  if (indices.length <= 500 && filter.length <= MOST_SEARCHED) {
    const like = ids[indices[0]];
    links.push(element("a", { href: `#search?${new URLSearchParams({ item_id: like, filter })}` }, "Search among them"));
  }
  if (column === "label") {
    const counts = new Map();
    for (const value of indices.map(valueOf).filter(Boolean)) counts.set(value, (counts.get(value) ?? 0) + 1);
    const [most] = [...counts].sort((one, other) => other[1] - one[1]);
    if (most) links.push(element("a", { href: `#review?${new URLSearchParams({ category: most[0].value })}` }, `Review all of ${most[0].name}`));
  }
  return links;
}
