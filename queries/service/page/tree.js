// Categories as a tree with counts: a branch sums up what is below it, a leaf leads to its items.
import { element, percent } from "./parts.js";

const DOUBTFUL = ["review", "unknown", "not_visible"];

// Below this number of branches all are open.
const FEW = 4;

export function tree(categories, set) {
  const root = node("");
  for (const category of categories) add(root, category);
  const branches = [...root.children.values()].filter((one) => one.children.size);
  return element("ul", { className: "tree", "aria-label": set },
    ...sorted(root).map((one) => line(one, set, branches.length < FEW)));
}

const node = (name, id = "") => ({ name, id, children: new Map(), category: null, items: 0, scores: 0, doubtful: 0 });

const doubtfulOf = ({ statuses }) => DOUBTFUL.reduce((sum, status) => sum + (statuses[status] || 0), 0);

function add(root, category) {
  const none = category.statuses.not_applicable ? "not applicable" : "none fits";
  const names = category.path.length ? category.path : [category.label || none];
  let at = root;
  for (const [depth, name] of names.entries()) {
    if (!at.children.has(name)) at.children.set(name, node(name, category.path_ids[depth]));
    at = at.children.get(name);
    at.items += category.items;
    at.scores += category.items * category.mean_score;
    at.doubtful += doubtfulOf(category);
  }
  at.category = category;
}

const sorted = (parent) => [...parent.children.values()].sort((one, other) => other.items - one.items);

function line(one, set, open) {
  if (!one.children.size) return leaf(one.category, one.name, set);
  // Where a category is a branch and has items of its own, these are a line below it.
  const own = one.category ? [leaf(one.category, `${one.name} itself`, set)] : [];
  return element("li", {}, element("details", { open },
    element("summary", {}, one.name, counts(one.items, one.scores / one.items, one.doubtful)),
    element("ul", {}, ...all(one, set), ...own, ...sorted(one).map((child) => line(child, set, open)))));
}

// The items of a branch, where one filter can name them; a link within the summary could not be told from opening it.
const all = ({ id, name, items: count }, set) => (id && set === "category"
  ? [element("li", { className: "leaf" }, itemsOf(id, `All of ${name}`, set), element("span", { className: "counts small dim" }, `${count.toLocaleString("en")} items`))] : []);

const leaf = (category, name, set) => element("li", { className: "leaf" },
  leafName(category, name, set), counts(category.items, category.mean_score, doubtfulOf(category)));

const counts = (items, score, doubtful) => element("span", { className: "counts small dim" },
  `${items.toLocaleString("en")} ${items === 1 ? "item" : "items"}, mean score `,
  element("span", { className: "number" }, percent(score)),
  doubtful ? `, ${doubtful.toLocaleString("en")} to look at` : "");

// A label leads to its items, a branch to those of all below it.
function leafName({ label_id, statuses }, name, set) {
  if (label_id || set === "category") return itemsOf(label_id, name, set);
  return statuses.not_applicable ? name : element("a", { href: items({ filter: `attributes["${set}_label_id"] == ""` }) }, name);
}

const items = (query) => `#search?${new URLSearchParams(query)}`;

const itemsOf = (label_id, name, set) => element("a", { href: items(set === "category"
  ? { category: label_id } : { filter: `attributes["${set}_label_id"] == ${JSON.stringify(label_id)}` }) }, name);
