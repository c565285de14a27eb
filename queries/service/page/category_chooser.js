// A choice among the categories that items have, and the branches above them, with their counts.
import { ask, element } from "./parts.js";

const NONE = " "; // the value of "none fits": no label has such an id

// `chosen` is a label's id, "" for no label, null for all.
export function categoryChooser(set, chosen, onChange) {
  const root = element("select", { id: "of-category", onchange: onChange }, element("option", { value: "" }, "any"));
  const lines = new Map();
  const ready = ask(`/v1/catalog?set=${encodeURIComponent(set)}`).then(({ categories }) => {
    for (const line of outline(categories)) lines.set(line.id || NONE, line);
    root.append(...[...lines.values()].map(({ id, name, depth, items }) => element("option", { value: id || NONE },
      `${"\u2003".repeat(depth)}${name} (${items.toLocaleString("en")})`)));
    if (chosen === null) return;
    root.value = chosen || NONE;
    if (root.selectedIndex >= 0) return;
    root.append(element("option", { value: chosen || NONE }, chosen || "none fits")); // nothing has it at present
    root.value = chosen || NONE;
  });
  // Ids of the chosen label and of those below it that items have; null for all.
  const ids = () => {
    if (!root.value) return null;
    const line = lines.get(root.value);
    return line ? [line.id, ...below(line)] : [root.value.trim()];
  };
  return { root, ready, ids, value: () => ({ "": null, [NONE]: "" }[root.value] ?? (root.value || null)) };
}

const below = (line) => [...line.children.values()].flatMap((child) => [child.id, ...below(child)]);

// Branches before what is below them, by the numbers of their items.
export function outline(categories) {
  const top = { children: new Map() };
  for (const { label_id, label, path, path_ids, items, statuses } of categories) {
    // What does not apply is not reviewed, and by a label that is gone nothing can be chosen.
    if (statuses.not_applicable === items || (label_id && !path_ids.length)) continue;
    const ids = path_ids.length ? path_ids : [label_id];
    const names = path_ids.length ? path : [label || "none fits"];
    let at = top;
    ids.forEach((id, depth) => {
      if (!at.children.has(id)) at.children.set(id, { id, name: names[depth], depth, items: 0, children: new Map() });
      at = at.children.get(id);
      at.items += items;
    });
  }
  const lines = (node) => [...node.children.values()].sort((one, other) => other.items - one.items)
    .flatMap((child) => [child, ...lines(child)]);
  return lines(top);
}
