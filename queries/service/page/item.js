// One item: its pictures, its label and why, what is known of it, what is like it, what people said.
import { explainable } from "./explain.js";
import { ask, attempt, attributes, badge, boxOf, boxedPicture, element, inPath, itemCard, percent, picture, player, say, shownValue } from "./parts.js";

const SIMILAR = 12;

export function show(view, { query }) {
  const item_id = query.get("id") ?? "";
  const place = element("div");
  const similar = element("ul", { className: "grid", id: "similar" });
  view.append(place, element("h3", {}, "Similar items"), similar);
  const more = (hit) => { location.hash = `#search?${new URLSearchParams({ item_id: hit.item_id })}`; };

  async function look() {
    const item = await ask(`/v1/items/${inPath(item_id)}`);
    place.replaceChildren(element("h2", {}, item.title || item_id), card(item));
    const { hits } = await ask("/v1/search", { method: "POST", json: { item_id, limit: SIMILAR } });
    similar.replaceChildren(...hits.map((hit) => itemCard(hit, { columns: ["price"], more: attempt(() => more(hit)) })));
  }
  look().catch((error) => say(error.message));
}

function card(item) {
  return element("section", { className: "reviewing", "aria-label": item.item_id },
    element("div", {}, pictures(item), player(item)),
    element("div", {}, ...decision(item), explainable({ item_id: item.item_id }),
      element("h3", {}, "What is known of it"), known(item),
      element("h3", {}, "What people said"), history(item.reviews)));
}

function pictures(item) {
  if (item.parts.some(boxOf)) return scenes(item);
  const several = item.parts.length > 1 && item.kind !== "sound";
  const shown = several ? item.parts.map((part_id, at) => ({ ...item, part_id, title: `${item.title || item.item_id}, picture ${at + 1}` })) : [item];
  return element("div", { className: several ? "pictures several" : "pictures" }, ...shown.map((one) => picture(one, 512)));
}

// Each whole picture with its boxes, which are numbered as in the explanation.
function scenes(item) {
  const boxes = item.parts.map(boxOf).filter(Boolean).map((one, at) => ({ ...one, text: String(at + 1) }));
  return element("div", { className: "pictures" }, ...item.parts.filter((part_id) => !boxOf(part_id)).map((part_id) =>
    boxedPicture({ ...item, part_id }, boxes.filter((one) => one.whole === part_id), 1024)));
}

function decision(item) {
  if (!item.status) return [element("p", { className: "dim" }, "Not categorized yet, or not with write-back.")];
  const text = new URLSearchParams({ text: item.label, category: item.label_id });
  const label = item.label_id ? element("a", { href: `#search?${text}` }, item.path.join(" › ") || item.label) : "none of the labels";
  const others = attributes(item);
  return [element("p", {}, element("strong", {}, label), " ",
    element("span", { className: "number" }, percent(item.score)), " ", badge(item.status)),
  others ? element("p", { className: "small" }, others) : null].filter(Boolean);
}

const known = (item) => pairs([["id", item.item_id], ["kind", item.kind],
  ...Object.entries(item.metadata).map(([name, value]) => [name, shownValue(value)])]);

const pairs = (rows) => element("table", {}, element("tbody", {},
  ...rows.map(([name, value]) => element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, value)))));

function history(reviews) {
  if (!reviews.length) return element("p", { className: "dim" }, "Nobody has looked at it yet.");
  return element("ol", {}, ...reviews.map((one) => {
    const time = new Date(one.time).toLocaleString("en", { dateStyle: "medium", timeStyle: "short" });
    const from = one.before ? `from ${one.before} ` : "";
    const said = { accepted: `accepted ${one.label}`, corrected: `corrected ${from}to ${one.label}`, rejected: `none fits, not ${one.before || "a label"}`,
      withdrawn: `took back ${one.label || "that none fits"}` }[one.verdict];
    return element("li", {}, one.label_set === "category" ? "" : `${one.label_set}: `, said, " ",
      element("span", { className: "small dim" }, [one.who, time].filter(Boolean).join(", ")));
  }));
}
