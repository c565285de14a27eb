// The review queue: the labels that are worth a look, one by one or several at once; keys do all of it.
import { attempt, chosenSet, element, percent, say, setChooser } from "./parts.js";
import { categoryChooser } from "./category_chooser.js";
import { grid } from "./review_grid.js";
import { one } from "./review_one.js";
import { session } from "./review_session.js";
import { GONE, selectionOf } from "./selection.js";

const STATUSES = ["accepted", "review", "unknown"];

export function show(view, { onCount, query }) {
  const set = chosenSet(query);
  const selection = query.get("selection"); // of the map
  const items = selection ? selectionOf(selection) : null;
  if (selection && !items) {
    view.append(element("h2", {}, "Review"), element("p", { className: "end" }, GONE));
    return () => {};
  }
  let open = true;
  let running = null; // a second click or a held key must not decide the next item, unseen
  let undoes = 0; // that wait
  let counted = null;
  let queue = null;
  let shown = null; // one by one, or the grid
  const place = element("div", { id: "reviewing" });
  const left = element("div", { id: "errors-left" });
  const status = element("select", { id: "of-status", onchange: choose }, element("option", { value: "" }, "any"),
    ...(set === "category" ? STATUSES : [...STATUSES, "not_visible"]).map((name) => element("option", { value: name }, name.replace("_", " "))));
  status.value = query.get("status") ?? "";
  const category = categoryChooser(set, query.get("category"), choose);
  const several = element("button", { type: "button", className: "quiet", onclick: toggle, "aria-pressed": String(query.get("view") === "grid") },
    "Several at once", element("kbd", {}, "G"));
  const back = element("button", { type: "button", className: "quiet", onclick: () => act("undo") }, "Undo", element("kbd", {}, "U"));
  view.append(element("h2", {}, "Review"), setChooser("review", set),
    element("p", { className: "dim" }, "The labels that are worth a look come first. What you say is kept, and teaches the labels."),
    items ? element("p", { id: "of-selection" }, `Only the ${items.length.toLocaleString("en")} items that were chosen on the map. `,
      element("a", { href: "#review" }, "All items")) : "",
    element("div", { className: "row" }, element("label", {}, set === "category" ? "Category" : "Label", category.root),
      element("label", {}, "Status", status), element("div", { className: "buttons" }, several, back)),
    left, place);

  const isGrid = () => several.getAttribute("aria-pressed") === "true";

  // The address says what is chosen, so that it can be linked and gone back to.
  function choose() {
    const chosen = { ...(set === "category" ? {} : { set }), ...(category.value() === null ? {} : { category: category.value() }),
      ...(status.value ? { status: status.value } : {}), ...(selection ? { selection } : {}), ...(isGrid() ? { view: "grid" } : {}) };
    const told = new URLSearchParams(chosen).toString();
    history.replaceState(null, "", `#review${told && `?${told}`}`);
    start();
  }

  function toggle() {
    several.setAttribute("aria-pressed", String(!isGrid()));
    choose();
  }

  function start() {
    if (queue) queue.open = false;
    queue = session(set, { category: category.value(), status: status.value, items });
    shown = (isGrid() ? grid : one)(place, queue, act);
    return run(shown.load);
  }

  // What a key or a button does, one after the other; the view that is shown knows how.
  function act(name, ...given) {
    if (name === "undo" && running === queue) { // what is under way ends first
      undoes += 1;
      return undefined;
    }
    if (name === "correct" || name === "check") return shown[name]?.(); // it decides nothing by itself
    return run(() => (name === "undo" ? undo() : shown[name]?.(...given)));
  }

  async function run(action) {
    if (running === queue) return;
    const at = queue;
    running = at;
    try {
      await action();
    } catch (error) {
      say(error.message);
    } finally {
      if (running === at) running = null;
    }
    if (!open || at !== queue) return;
    tell();
    if (shown.isEmpty()) place.replaceChildren(end());
    if (!undoes) return;
    undoes -= 1;
    act("undo");
  }

  async function undo() {
    const { items, errors } = await queue.undo();
    if (!open) return;
    if (errors.length) say(errors[0]);
    else if (items.length) say(items.length === 1 ? "Taken back." : `Taken back: ${items.length} items.`);
    await shown.bring(items);
  }

  function tell() {
    const { total, reviewed, expected_wrong: wrong, calibrated, doubtful } = queue.figures;
    back.disabled = !queue.canUndo();
    const many = (count) => count.toLocaleString("en");
    const about = wrong < 9.95 ? wrong.toFixed(1) : many(Math.round(wrong));
    const details = left.querySelector("details");
    left.replaceChildren(
      element("progress", { max: Math.max(1, reviewed + total), value: reviewed, "aria-label": "Labels that were looked at" }),
      element("p", {}, element("strong", {}, `${many(reviewed)} of ${many(reviewed + total)}`), " looked at. ",
        total ? element("span", {}, "About ", element("strong", {}, about), ` of the other ${many(total)} are wrong (`,
          element("span", { className: "number" }, percent(wrong / total)), "), by their scores", calibrated ? "." : ", which are not calibrated.") : ""),
      element("details", { open: details?.open ?? false }, element("summary", {}, "How is this computed?"),
        element("p", { className: "small dim" }, "A label with the probability p is wrong with 1 − p. The sum of that over all labels of your choice that nobody "
          + `has looked at is the number of errors to expect in them: ${wrong.toFixed(2)} among ${many(total)}, of which ${many(doubtful)} are not accepted. `,
        calibrated ? "Scores are calibrated on labelled items here; zeroshelf categorize says how far they were off."
          : "Scores are not calibrated here, so the number is a rough one: run zeroshelf labels calibrate with labelled items, such as the exported corrections, and categorize again.")));
    if (set !== "category" || counted === doubtful) return;
    counted = doubtful;
    const isAll = category.value() === null && !status.value && !items;
    Promise.resolve(onCount(isAll ? doubtful : undefined)).catch((error) => say(error.message));
  }

  function end() {
    const skipped = queue.skippedCount();
    if (queue.figures.total && skipped) {
      return element("div", { className: "end" }, element("p", {}, `Only skipped ones are left: ${skipped.toLocaleString("en")}.`),
        element("button", { type: "button", onclick: attempt(() => { queue.forgetSkipped(); return start(); }) }, "Look at them again"));
    }
    return element("p", { className: "end" }, category.value() !== null || status.value || items
      ? "Nothing of this choice waits." : "Nothing waits. Items come here when they are categorized with write-back.");
  }

  const KEYS = { a: "accept", r: "reject", c: "correct", s: "skip", u: "undo", x: "check", n: "skipAll" };

  function onKey(event) {
    if (event.repeat) { // a held Enter would press button after button
      if (event.key === "Enter" && place.contains(event.target)) event.preventDefault();
      return;
    }
    if (event.target.closest("input:not([type=checkbox]), textarea, select, dialog") || event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.toLowerCase();
    if (key !== "g" && !Object.hasOwn(KEYS, key)) return;
    event.preventDefault();
    if (key === "g") toggle();
    else act(KEYS[key]);
  }
  document.addEventListener("keydown", onKey);
  category.ready.then(start).catch((error) => say(error.message));
  return () => {
    open = false;
    if (queue) queue.open = false;
    document.removeEventListener("keydown", onKey);
  };
}
