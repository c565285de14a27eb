// The review queue: one item at a time, decided by keys.
import { ask, attempt, bars, chosenSet, element, itemLink, percent, picture, player, say, setChooser, views } from "./parts.js";

export function show(view, { onCount, query }) {
  const set = chosenSet(query);
  let waiting = [];
  let total = 0;
  let doubtful = 0;
  let open = true;
  let busy = false; // a second click or a held key must not decide the next item, unseen
  const place = element("div", { id: "reviewing" });
  const left = element("p", { className: "dim", id: "errors-left" });
  view.append(element("h2", {}, "Review"), setChooser("review", set),
    element("p", { className: "dim" }, "The labels that are worth a look come first. What you say is kept, and teaches the labels."),
    left, place);

  async function next() {
    if (!waiting.length) {
      const answer = await ask(`/v1/review?limit=10&set=${encodeURIComponent(set)}`);
      if (!open) return;
      waiting = answer.items;
      total = answer.total;
      doubtful = answer.doubtful;
      left.textContent = total ? `About ${percent(answer.expected_errors)} of all labels are wrong still, by their scores; ${total.toLocaleString()} were not looked at, ${doubtful.toLocaleString()} of them are not accepted.` : "";
    }
    if (set === "category") onCount(doubtful);
    place.replaceChildren(waiting.length ? card(waiting[0]) : element("p", { className: "end" },
      "Nothing waits. Items come here when they are categorized with write-back."));
    place.querySelector("button")?.focus();
  }

  const decide = (verdict, label = "") => attempt(async () => {
    const item = waiting[0];
    if (!item || busy) return;
    busy = true;
    try {
      await tell(item, verdict, label);
    } finally {
      busy = false;
    }
  })();

  async function tell(item, verdict, label) {
    const seen = item.label_id;
    const kept = await ask("/v1/review", { method: "POST", json: { item_id: item.item_id, verdict, label, seen, label_set: set } })
      .catch(async (error) => {
        if (error.status === 409) { // the item has changed since it was shown: look again
          waiting = [];
          await next();
        }
        throw error;
      });
    if (waiting.shift().status !== "accepted") doubtful -= 1;
    const told = { accepted: `Accepted: ${item.label}`, corrected: `Corrected: ${label}`, rejected: "Rejected: none of the labels" }[verdict];
    say(kept.stored ? told : `${told}. The catalog is being changed: the item has it afterwards.`);
    await next();
  }

  function card(item) {
    const search = typeAhead(set, item.predictions, (label) => decide("corrected", label.label_id));
    return element("section", { className: "reviewing", "aria-label": item.item_id }, picture(item, 512),
      element("div", {},
        element("h3", {}, itemLink(item)), views(item), player(item),
        element("p", {}, "Is it ", element("strong", {}, item.label || "none of the labels"), " (", element("span", { className: "number" }, percent(item.score)), ")?"),
        element("div", { className: "keys" },
          item.label ? element("button", { type: "button", onclick: () => decide("accepted") }, "Accept", element("kbd", {}, "A")) : null,
          element("button", { type: "button", className: "quiet", onclick: () => search.input.focus() }, "Correct", element("kbd", {}, "C")),
          element("button", { type: "button", className: "quiet", onclick: () => decide("rejected") }, "None fits", element("kbd", {}, "R"))),
        search.root, element("h3", {}, "What it could be"), bars(item.predictions)));
  }

  function onKey(event) {
    if (event.repeat) { // a held Enter would press button after button
      if (event.key === "Enter" && place.contains(event.target)) event.preventDefault();
      return;
    }
    if (event.target.matches("input, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
    const action = { a: () => waiting[0]?.label && decide("accepted"), r: () => decide("rejected"),
      c: () => document.getElementById("correct")?.focus() }[event.key.toLowerCase()];
    if (action) {
      event.preventDefault();
      action();
    }
  }
  document.addEventListener("keydown", onKey);
  next().catch((error) => say(error.message));
  return () => {
    open = false;
    document.removeEventListener("keydown", onKey);
  };
}

// A combobox over the taxonomy, the item's own likely labels first: arrows move, Enter takes, Escape leaves.
function typeAhead(set, predictions, onChosen) {
  let found = [];
  let chosen = 0;
  const list = element("ul", { className: "options", id: "labels", role: "listbox", "aria-label": "Labels", hidden: true });
  const input = element("input", { id: "correct", role: "combobox", autocomplete: "off",
    "aria-expanded": "false", "aria-controls": "labels", "aria-autocomplete": "list" });

  function draw() {
    list.replaceChildren(...found.map((label, at) => element("li",
      { role: "option", id: `option-${at}`, "aria-selected": String(at === chosen), onclick: () => onChosen(label) },
      label.path.join(" › "))));
    list.hidden = !found.length;
    input.setAttribute("aria-expanded", String(Boolean(found.length)));
    if (found.length) input.setAttribute("aria-activedescendant", `option-${chosen}`);
    else input.removeAttribute("aria-activedescendant");
    list.children[chosen]?.scrollIntoView({ block: "nearest" });
  }

  input.addEventListener("input", async () => {
    const sought = input.value.trim();
    try {
      const answer = sought ? await ask(`/v1/labels?limit=20&set=${encodeURIComponent(set)}&contains=${encodeURIComponent(sought)}`) : { labels: [] };
      if (input.value.trim() !== sought) return;
      const likely = predictions.filter((one) => sought && one.path.join(" > ").toLowerCase().includes(sought.toLowerCase()));
      const ids = new Set(likely.map((one) => one.label_id));
      found = [...likely, ...answer.labels.filter((label) => label.is_leaf && !ids.has(label.label_id))];
      chosen = 0;
      draw();
    } catch (error) {
      say(error.message);
    }
  });
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && found.length) {
      event.preventDefault();
      chosen = (chosen + step + found.length) % found.length;
      draw();
    } else if (event.key === "Enter" && found.length && !event.repeat) {
      event.preventDefault();
      onChosen(found[chosen]);
    } else if (event.key === "Escape") {
      input.blur();
    }
  });
  return { root: element("div", {}, element("label", {}, "Correct to", input), list), input };
}
