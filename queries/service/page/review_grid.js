// Several items at once: those that are checked are accepted together, the others are changed one by one.
import { badge, bars, element, itemLink, percent, picture, say } from "./parts.js";
import { key } from "./review_one.js";
import { typeAhead } from "./type_ahead.js";

const AT_ONCE = 24;
const MOVE_FIRST = "Move to an item first, with Tab or the arrows.";
const LIKELY = 0.5; // more probably right than wrong

export function grid(place, queue, act) {
  let shown = []; // { item, root, box }
  const list = element("ul", { className: "grid picks", "aria-label": "Items to accept", onkeydown: move });
  const accept = [0, 1].map(() => element("button", { type: "button", onclick: () => act("accept") })); // above and below
  const dialog = element("dialog", { className: "change", "aria-label": "Change a label" });

  // Fills the grid up; the cards that are there stay, and with them the focus.
  async function fill() {
    if (shown.length < AT_ONCE) {
      const ids = new Set(shown.map(({ item }) => item.item_id));
      add(await queue.next(AT_ONCE - shown.length, ids), false);
    }
    if (!shown.length || !queue.open) return; // another choice was made meanwhile
    if (!place.contains(list)) {
      place.replaceChildren(
        element("p", { className: "small dim" }, "Those that are more probably right than wrong are checked. Arrows move, Space checks or unchecks; C changes, R rejects and S skips the item with the focus."),
        element("div", { className: "keys" }, accept[0], key("Check all or none", "X", () => act("check")), key("Skip the rest", "N", () => act("skipAll"))),
        list, element("div", { className: "keys" }, accept[1]), dialog);
    }
    tell();
  }

  function add(items, isFirst) {
    const cards = items.map((item) => card(item, !isFirst));
    shown = isFirst ? [...cards, ...shown] : [...shown, ...cards];
    if (isFirst) list.prepend(...cards.map(({ root }) => root));
    else list.append(...cards.map(({ root }) => root));
  }

  // What comes back by undo is to be looked at again.
  function card(item, isNew) {
    const name = item.label || "none of the labels";
    const box = element("input", { type: "checkbox", disabled: !item.label, checked: Boolean(item.label) && isNew && item.score >= LIKELY,
      "aria-label": `${item.title || item.item_id} is ${name}`, onchange: tell });
    const root = element("li", { className: "card pick" }, element("label", {}, box, picture(item)),
      element("div", { className: "text" },
        element("strong", {}, name, " ", element("span", { className: "number small" }, percent(item.score))),
        element("span", { className: "small" }, itemLink(item)), element("span", {}, badge(item.status)),
        element("button", { className: "quiet", type: "button", "aria-label": `Change ${item.title || item.item_id}`, onclick: () => change(at(item)) }, "Change")));
    return { item, root, box };
  }

  const at = (item) => shown.find((one) => one.item === item);
  const focused = () => shown.find(({ root }) => root.contains(document.activeElement));
  const focusOn = (entry) => (entry?.box.disabled ? entry.root.querySelector("button") : entry?.box)?.focus();
  const checked = () => shown.filter(({ box }) => box.checked);

  function tell() {
    const count = checked().length;
    for (const button of accept) {
      button.replaceChildren(`Accept ${count} checked`, element("kbd", {}, "A"));
      button.disabled = !count;
    }
  }

  function remove(items) {
    const had = focused();
    const row = shown.indexOf(had);
    shown = shown.filter(({ item, root }) => {
      if (items.includes(item)) root.remove();
      return !items.includes(item);
    });
    return () => focusOn(had && !shown.includes(had) ? shown[Math.min(row, shown.length - 1)] : had);
  }

  async function give(verdicts, told) {
    const { items, errors, stored } = await queue.give(verdicts);
    const refocus = remove(items);
    if (errors.length) { // some have changed since they were shown: look again
      remove(shown.map(({ item }) => item));
      say(errors[0]);
    } else {
      say(stored ? told : `${told} The catalog is being changed: items have it afterwards.`);
    }
    await fill();
    refocus();
  }

  async function skip(items) {
    queue.skip(items);
    const refocus = remove(items);
    say(`Skipped: ${items.length}.`);
    await fill();
    refocus();
  }

  function change(entry) {
    if (!entry) return;
    const { item } = entry;
    const search = typeAhead(queue.set, item, (label) => {
      dialog.close();
      act("decide", item, "corrected", label);
    });
    dialog.replaceChildren(element("h3", {}, item.title || item.item_id), picture(item), search.root,
      element("div", { className: "keys" }, element("button", { type: "button", className: "quiet", onclick: () => { dialog.close(); act("decide", item, "rejected"); } }, "None fits"),
        element("button", { type: "button", className: "quiet", onclick: () => dialog.close() }, "Leave it")),
      element("h3", {}, "What it could be"), bars(item.predictions));
    dialog.addEventListener("close", () => focusOn(entry), { once: true });
    dialog.showModal();
    search.input.focus();
  }

  // Arrows move between the checks; up and down by the columns that there are.
  function move(event) {
    const from = shown.indexOf(focused());
    const columns = getComputedStyle(list).gridTemplateColumns.split(" ").length;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    if (!step || from < 0) return;
    event.preventDefault();
    focusOn(shown[from + step]);
  }

  const told = (item, verdict, label) => (verdict === "corrected" ? `Corrected: ${label.label ?? label.name}` : "Rejected: none of the labels");

  return {
    load: async () => {
      await fill();
      const free = document.activeElement === document.body || place.contains(document.activeElement);
      if (free) focusOn(shown[0]);
    },
    decide: (item, verdict, label) => give([{ item, verdict, label: label?.label_id }], told(item, verdict, label)),
    accept: () => {
      const verdicts = checked().map(({ item }) => ({ item, verdict: "accepted" }));
      return verdicts.length ? give(verdicts, `Accepted: ${verdicts.length} ${verdicts.length === 1 ? "label" : "labels"}.`) : undefined;
    },
    reject: () => {
      const entry = focused();
      return entry ? give([{ item: entry.item, verdict: "rejected" }], "Rejected: none of the labels") : say(MOVE_FIRST);
    },
    correct: () => (focused() ? change(focused()) : say(MOVE_FIRST)),
    skip: () => (focused() ? skip([focused().item]) : say(MOVE_FIRST)),
    skipAll: () => skip(shown.map(({ item }) => item)),
    check: () => {
      const free = shown.filter(({ box }) => !box.disabled);
      const all = free.every(({ box }) => box.checked);
      for (const { box } of free) box.checked = !all;
      tell();
    },
    bring: async (items) => {
      const ids = new Set(items.map((item) => item.item_id));
      remove(shown.filter(({ item }) => ids.has(item.item_id)).map(({ item }) => item));
      if (!place.contains(list)) shown = [];
      add(items, true);
      remove(shown.slice(Math.max(AT_ONCE, items.length)).map(({ item }) => item)); // the queue has them still
      await fill();
      focusOn(shown[0]);
    },
    isEmpty: () => !shown.length,
  };
}
