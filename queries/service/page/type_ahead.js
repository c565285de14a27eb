// A combobox over the taxonomy, the item's own likely labels first: arrows move, Enter takes, Escape leaves.
import { ask, element, say } from "./parts.js";

export function typeAhead(set, item, onChosen) {
  let found = [];
  let chosen = 0;
  let foundFor = null; // what was typed when these were found
  let entered = false; // Enter was pressed before what is typed was found
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

  async function offer() {
    const sought = input.value.trim();
    try {
      const answer = sought ? await ask(`/v1/labels?limit=20&set=${encodeURIComponent(set)}&contains=${encodeURIComponent(sought)}`) : { labels: [] };
      if (input.value.trim() !== sought) return;
      const likely = item.predictions.filter((one) => (sought
        ? one.path.join(" > ").toLowerCase().includes(sought.toLowerCase()) : one.label_id !== item.label_id));
      const ids = new Set(likely.map((one) => one.label_id));
      found = [...likely, ...answer.labels.filter((label) => label.is_leaf && !ids.has(label.label_id))];
      chosen = 0;
      foundFor = sought;
      draw();
      if (entered) take();
    } catch (error) {
      say(error.message);
    }
  }

  function take() {
    entered = foundFor !== input.value.trim();
    if (!entered && found.length) onChosen(found[chosen]);
  }

  input.addEventListener("focus", offer);
  input.addEventListener("input", () => {
    entered = false;
    offer();
  });
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && found.length) {
      event.preventDefault();
      chosen = (chosen + step + found.length) % found.length;
      draw();
    } else if (event.key === "Enter" && !event.repeat) {
      event.preventDefault();
      take();
    } else if (event.key === "Escape") {
      input.blur();
    }
  });
  return { root: element("div", {}, element("label", {}, "Correct to", input), list), input };
}
