// One item at a time.
import { bars, element, itemLink, percent, picture, player, say, views } from "./parts.js";
import { typeAhead } from "./type_ahead.js";

const AT_ONCE = 10; // items that are fetched together

export function one(place, queue, act) {
  let waiting = [];
  let search = null;

  async function draw() {
    if (!waiting.length) waiting = await queue.next(AT_ONCE);
    if (!waiting.length || !queue.open) return; // another choice was made meanwhile
    const had = place.contains(document.activeElement) || document.activeElement === document.body;
    place.replaceChildren(card(waiting[0]));
    if (had) place.querySelector("button").focus();
  }

  async function decide(verdict, label) {
    const item = waiting[0];
    if (!item) return;
    const { errors, stored } = await queue.give([{ item, verdict, label: label?.label_id }]);
    if (errors.length) { // the item has changed since it was shown: look again
      say(errors[0]);
      waiting = [];
    } else {
      waiting.shift();
      const told = { accepted: `Accepted: ${item.label}`, corrected: `Corrected: ${label?.label ?? label?.name}`, rejected: "Rejected: none of the labels" }[verdict];
      say(stored ? told : `${told}. The catalog is being changed: the item has it afterwards.`);
    }
    await draw();
  }

  function card(item) {
    search = typeAhead(queue.set, item, (label) => act("decide", "corrected", label));
    return element("section", { className: "reviewing", "aria-label": item.item_id }, picture(item, 512),
      element("div", {},
        element("h3", {}, itemLink(item)), views(item), player(item),
        element("p", {}, "Is it ", element("strong", {}, item.label || "none of the labels"), " (", element("span", { className: "number" }, percent(item.score)), ")?"),
        element("div", { className: "keys" },
          item.label ? key("Accept", "A", () => act("accept"), "") : null,
          key("Correct", "C", () => search.input.focus()), key("None fits", "R", () => act("reject")), key("Skip", "S", () => act("skip"))),
        search.root, element("h3", {}, "What it could be"), bars(item.predictions)));
  }

  return {
    load: draw,
    decide,
    accept: () => (waiting[0]?.label ? decide("accepted") : undefined),
    reject: () => decide("rejected"),
    correct: () => search?.input.focus(),
    skip: async () => {
      if (!waiting.length) return;
      queue.skip([waiting.shift()]);
      say("Skipped.");
      await draw();
    },
    bring: async (items) => {
      waiting.unshift(...items);
      await draw();
    },
    isEmpty: () => !waiting.length,
  };
}

export const key = (name, letter, onclick, className = "quiet") => element("button", { type: "button", className, onclick }, name, element("kbd", {}, letter));
