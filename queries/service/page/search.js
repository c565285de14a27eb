// Search by words, by a picture, or by an item; the grid goes on as it is scrolled.
import { ask, attempt, element, itemCard, say } from "./parts.js";

const PAGE = 60;
const MOST = 5000;

export function show(view, { query }) {
  let asked = null;
  let busy = null; // the query whose next page is on its way
  const grid = element("ul", { className: "grid", id: "hits" });
  const end = element("p", { className: "end" });
  const words = element("input", { id: "words", type: "search", placeholder: "striped mug" });
  const status = element("select", { id: "of-status" }, element("option", { value: "" }, "any"),
    ...["accepted", "review", "unknown", "confirmed"].map((one) => element("option", {}, one)));
  const category = element("select", { id: "of-category" }, element("option", { value: "" }, "any"));
  const filter = element("input", { id: "filter", placeholder: 'label == "mug" and metadata["price"] < 20' });
  const file = element("input", { type: "file", accept: "image/*", hidden: true });
  const form = element("form", { className: "row", onsubmit: attempt(() => go({ text: words.value })) },
    element("label", {}, "Words", words),
    element("label", {}, "Category", category),
    element("label", {}, "Status", status),
    element("label", {}, "Filter (optional)", filter),
    element("button", {}, "Search"),
    element("button", { type: "button", className: "quiet", onclick: () => file.click() }, "By picture"), file);
  file.addEventListener("change", attempt(() => start({ file: file.files[0] })));
  view.addEventListener("dragover", (event) => event.preventDefault());
  view.addEventListener("drop", attempt((event) => start({ file: event.dataTransfer.files[0] })));

  // Asks by the page's address, so that "back" comes to what was asked before.
  async function go(query) {
    if (!query.text && !query.item_id) throw new Error("Write what to look for, or choose a picture.");
    const told = new URLSearchParams(Object.entries({ ...query, category: category.value, status: status.value,
      filter: filter.value }).filter(([, value]) => value));
    if (location.hash === `#search?${told}`) await start(asking(query));
    else location.hash = `#search?${told}`;
  }

  async function start(query) {
    const parts = [category.value && `label_id == ${JSON.stringify(category.value)}`,
      status.value && `status == "${status.value}"`, filter.value && `(${filter.value})`];
    asked = { ...query, filter: parts.filter(Boolean).join(" and "), offset: 0 };
    grid.replaceChildren();
    end.textContent = "";
    await more();
    const found = grid.children.length;
    say(found ? `${found}${asked ? " or more" : ""} found.` : "Nothing found.");
    if (query.item_id) { // the button that was pressed is gone
      window.scrollTo(0, 0);
      grid.querySelector("button")?.focus({ preventScroll: true });
    }
  }

  async function more() {
    if (!asked || busy === asked) return;
    const query = asked;
    busy = query;
    try {
      const answer = await page(query);
      if (query !== asked) return;
      grid.append(...answer.hits.map((hit) => itemCard(hit, { more: attempt(() => go({ text: words.value, item_id: hit.item_id })) })));
      query.offset += answer.hits.length;
      if (answer.hits.length < PAGE || query.offset >= MOST) {
        end.textContent = `${query.offset} items.`;
        asked = null;
      }
    } finally {
      if (busy === query) busy = null;
    }
    if (asked && end.getBoundingClientRect().top < innerHeight * 2) await more();
  }

  const watch = new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) more().catch((error) => say(error.message));
  }, { rootMargin: "800px" });
  watch.observe(end);
  view.append(element("h2", {}, "Search"), form, grid, end);
  words.value = query.get("text") ?? "";
  filter.value = query.get("filter") ?? "";
  status.value = query.get("status") ?? "";
  categories(category, query.get("category")).then(() => {
    if (query.size) return start(asking(Object.fromEntries(query)));
  }).catch((error) => say(error.message));
  return () => watch.disconnect();
}

// An item that is sought like counts more than the words that led to it.
const asking = ({ text, item_id }) => (item_id ? { item_id } : { text });

async function categories(select, chosen) {
  const found = await ask("/v1/catalog");
  select.append(...found.categories.filter((one) => one.label_id)
    .map((one) => element("option", { value: one.label_id }, `${one.label} (${one.items})`)));
  select.value = chosen ?? "";
}

function page({ text, item_id, file, filter, offset }) {
  const json = { filter, offset, limit: PAGE };
  if (text) json.text = text;
  if (item_id) json.item_id = item_id;
  if (!file) return ask("/v1/search", { method: "POST", json });
  const form = new FormData();
  form.append("picture", file);
  form.append("query", JSON.stringify(json));
  return ask("/v1/search", { method: "POST", form });
}
