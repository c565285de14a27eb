// Search by words, by a picture, or by an item; the grid goes on as it is scrolled.
import { categoryChooser } from "./category_chooser.js";
import { look } from "./objects.js";
import { ask, attempt, element, itemCard, say } from "./parts.js";
import { GONE, selectionOf } from "./selection.js";

const PAGE = 60;
const MOST = 5000; // of a search; a list goes on to its end
const CHIPS = 12;
const PRICE = "price"; // what results show of the metadata where nothing else is asked for

export function show(view, { query }) {
  let asked = null;
  let busy = null; // the query whose next page is on its way
  const selection = query.get("selection"); // of the map
  const grid = element("ul", { className: "grid", id: "hits" });
  const end = element("p", { className: "end" });
  const words = element("input", { id: "words", type: "search", placeholder: "striped mug" });
  const status = element("select", { id: "of-status" }, element("option", { value: "" }, "any"),
    ...["accepted", "review", "unknown", "confirmed"].map((one) => element("option", {}, one)));
  const category = categoryChooser("category", query.get("category"), () => {});
  const filter = element("input", { id: "filter", placeholder: 'label == "mug" and metadata["price"] < 20' });
  const hybrid = element("input", { id: "hybrid", type: "checkbox" });
  const without = element("input", { id: "without", placeholder: "striped" });
  const least = element("input", { id: "least", type: "number", min: -1, max: 1, step: 0.01, placeholder: "0.25" });
  const counted = element("input", { id: "facets", placeholder: "brand, colour" });
  const grouped = element("input", { id: "group", placeholder: "brand" });
  const columns = element("input", { id: "columns", placeholder: "price, brand" });
  const chips = element("div", { id: "chips" });
  const notes = element("div", { id: "notes" });
  const more = element("details", {}, element("summary", {}, "More"),
    element("div", { className: "row" },
      element("label", {}, "Not", without),
      element("label", {}, "Least similarity", least),
      element("label", {}, "Count by", counted),
      element("label", { title: "Only the best item of each value" }, "One of each", grouped),
      element("label", { title: "Metadata that each result shows" }, "Show", columns)));
  const file = element("input", { type: "file", accept: "image/*,audio/*", hidden: true });
  const scene = element("input", { type: "file", accept: "image/*", hidden: true, id: "scene" });
  const things = element("div", { id: "things" });
  const form = element("form", { className: "row", onsubmit: attempt(() => go({ text: words.value })) },
    element("label", {}, "Words", words),
    element("label", {}, "Category", category.root),
    element("label", {}, "Status", status),
    element("label", {}, "Filter (optional)", filter),
    element("label", { className: "check", title: "For skus, brands and names" }, hybrid, "Exact matches too"),
    element("button", {}, "Search"),
    element("button", { type: "button", className: "quiet", onclick: () => file.click() }, "By file"), file,
    element("button", { type: "button", className: "quiet", title: "Finds items like each thing in a picture",
      onclick: () => scene.click() }, "Things in a picture"), scene,
    more);
  file.addEventListener("change", attempt(() => start({ file: file.files[0] })));
  scene.addEventListener("change", attempt(async () => {
    asked = null;
    for (const part of [grid, chips, notes]) part.replaceChildren();
    end.textContent = "";
    await look(scene.files[0], things, { filter: conditions(), group_by: grouped.value.trim() }, (hit) => go({ item_id: hit.item_id }));
    scene.value = ""; // the same picture may be chosen again
  }));
  view.addEventListener("dragover", (event) => event.preventDefault());
  view.addEventListener("drop", attempt((event) => start({ file: event.dataTransfer.files[0] })));

  // Asks by the page's address, so that "back" comes to what was asked before.
  async function go(query) {
    if (!query.text && !query.item_id && !chooses()) throw new Error("Write what to look for, choose a picture or a sound, or a category, a status or a filter to list.");
    const told = new URLSearchParams(Object.entries({ ...query, status: status.value,
      filter: filter.value, without: without.value, least: least.value, facets: counted.value, group: grouped.value.trim(), columns: columns.value,
      hybrid: hybrid.checked ? "1" : "" }).filter(([, value]) => value));
    if (category.value() !== null) told.set("category", category.value());
    if (selection && !query.text && !query.item_id) told.set("selection", selection); // a search is among all items
    if (location.hash === `#search?${told}`) await start(asking(query));
    else location.hash = `#search?${told}`;
  }

  const chooses = () => category.value() !== null || status.value || filter.value.trim() || selection;

  // A branch means all below it.
  const conditions = (names = category.ids()) => [names && `label_id in ${JSON.stringify(names)}`,
    status.value && `status == "${status.value}"`, filter.value && `(${filter.value})`].filter(Boolean).join(" and ");

  async function start(query) {
    things.replaceChildren();
    // The service knows what is below a branch; "none fits" is no label that it could.
    const named = category.value();
    const isList = !query.text && !query.item_id && !query.file;
    const chosen = isList && selection ? selectionOf(selection) : [];
    if (!chosen) throw new Error(GONE);
    asked = { ...query, filter: conditions(named ? null : category.ids()), category: named ? [named] : [], shown: 0, facets: listed(counted.value),
      without: listed(without.value), least: least.value, group: grouped.value.trim(), hybrid: hybrid.checked && Boolean(query.text),
      isList, item_ids: chosen, after: null };
    grid.replaceChildren();
    chips.replaceChildren();
    notes.replaceChildren();
    end.textContent = "";
    await next();
    const found = grid.children.length;
    say(found ? `${found}${asked ? " or more" : ""} found.` : "Nothing found.");
    if (query.item_id) { // the button that was pressed is gone
      window.scrollTo(0, 0);
      grid.querySelector("button")?.focus({ preventScroll: true });
    }
  }

  async function next() {
    if (!asked || busy === asked) return;
    const query = asked;
    busy = query;
    try {
      const answer = await page(query);
      if (query !== asked) return;
      if (answer.notes.length) notes.replaceChildren(...answer.notes.map((note) => element("p", { className: "small dim" }, note)));
      if (!query.shown) chips.replaceChildren(...answer.facets.map((facet) => counts(facet, answer, narrow)));
      grid.append(...answer.hits.map((hit) => itemCard(hit, { columns: listed(columns.value), more: attempt(() => go({ text: words.value, item_id: hit.item_id })) })));
      query.shown += answer.hits.length;
      query.after = answer.next_after;
      const isOver = query.isList && !query.group ? query.after === null : answer.hits.length < PAGE;
      if (isOver || (!query.after && query.shown >= MOST)) {
        end.textContent = isOver ? `${query.shown} items.` : `The first ${query.shown} items: narrow the search to see others.`;
        asked = null;
      }
    } finally {
      if (busy === query) busy = null;
    }
    if (asked && end.getBoundingClientRect().top < innerHeight * 2) await next();
  }

  // Adds a condition to the filter, and asks again.
  const narrow = attempt((condition) => {
    filter.value = filter.value ? `(${filter.value}) and ${condition}` : condition;
    return go(Object.fromEntries(["text", "item_id"].map((key) => [key, query.get(key) ?? (key === "text" ? words.value : "")])
      .filter(([, value]) => value)));
  });

  const watch = new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) next().catch((error) => say(error.message));
  }, { rootMargin: "800px" });
  watch.observe(end);
  view.append(element("h2", {}, "Search"), form, things, chips, notes, grid, end);
  words.value = query.get("text") ?? "";
  filter.value = query.get("filter") ?? "";
  status.value = query.get("status") ?? "";
  without.value = query.get("without") ?? "";
  least.value = query.get("least") ?? "";
  counted.value = query.get("facets") ?? "";
  grouped.value = query.get("group") ?? "";
  columns.value = query.get("columns") ?? PRICE;
  hybrid.checked = Boolean(query.get("hybrid"));
  more.open = Boolean(without.value || least.value || counted.value || grouped.value || columns.value !== PRICE);
  category.ready.then(() => {
    if (query.size) return start(asking(Object.fromEntries(query)));
  }).catch((error) => say(error.message));
  return () => watch.disconnect();
}

// An item that is sought like counts more than the words that led to it.
const asking = ({ text, item_id }) => (item_id ? { item_id } : { text: text ?? "" });

const listed = (text) => text.split(",").map((one) => one.trim()).filter(Boolean);

// One column's values as chips with their counts; a chip narrows the search down to its value.
function counts(facet, answer, narrow) {
  const which = answer.all_counted ? `all ${answer.counted}` : `the nearest ${answer.counted}`;
  const chip = ([value, count]) => {
    const text = element("span", {}, value, " ", element("span", { className: "dim number" }, String(count)));
    const condition = equals(facet.column, value, answer.hits);
    return element("li", {}, condition
      ? element("button", { className: "quiet chip", type: "button", onclick: () => narrow(condition) }, text)
      : text);
  };
  return element("section", { className: "facet" },
    element("h3", {}, facet.column, " ", element("span", { className: "small dim" }, `of ${which}`)),
    element("ul", { className: "chips" }, ...Object.entries(facet.values).slice(0, CHIPS).map(chip),
      ...(facet.without ? [element("li", { className: "dim" }, `none ${facet.without}`)] : [])));
}

// The filter for a value: its type is that of a hit that has it; lists can't be compared.
function equals(column, value, hits) {
  if (["label", "status", "kind"].includes(column)) return `${column} == ${JSON.stringify(value)}`;
  if (column.startsWith("attributes.")) return `attributes[${JSON.stringify(column.slice(11))}] == ${JSON.stringify(value)}`;
  const own = hits.map((hit) => hit.metadata[column]).find((one) => String(one) === value);
  if (own !== null && typeof own === "object") return null;
  return `metadata[${JSON.stringify(column)}] == ${JSON.stringify(own ?? value)}`;
}

function page({ text, item_id, file, filter, category, shown, after, item_ids, hybrid, without, least, facets, group }) {
  const json = { filter, category, limit: PAGE, hybrid, without, item_ids };
  // A list goes on behind its last item, so that none is missed where others go.
  if (after) json.after = after;
  else json.offset = shown;
  if (least !== "") json.min_similarity = Number(least);
  if (group) json.group_by = group;
  if (!shown) json.facets = facets;
  if (text) json.text = text;
  if (item_id) json.item_id = item_id;
  if (!file) return ask("/v1/search", { method: "POST", json });
  const form = new FormData();
  form.append("picture", file);
  form.append("query", JSON.stringify(json));
  return ask("/v1/search", { method: "POST", form });
}
