// The things in one picture: boxes drawn over it, and the items like each below.
import { ask, attempt, badge, drawnBox, element, itemCard, percent, say } from "./parts.js";

const ITEMS = 6;

// Looks at a picture and shows what is in it.
export async function look(file, place, query, more) {
  if (!file) return;
  say("Looking for things …");
  place.replaceChildren();
  const form = new FormData();
  form.append("picture", file);
  form.append("query", JSON.stringify({ items: ITEMS, options: { limit: 1 }, ...query }));
  const found = await ask("/v1/objects", { method: "POST", form });
  place.replaceChildren(scene(file, found), ...found.objects.map((thing, at) => section(thing, at, more)));
  const count = found.objects.length;
  say(found.is_whole ? "No single thing was found: the picture is taken as a whole." : `${count} ${count === 1 ? "thing" : "things"} found.`);
}

const name = (thing) => thing.predictions[0]?.label || thing.word || "thing";

function scene(file, found) {
  const image = element("img", { alt: "The picture that was looked at" });
  image.src = URL.createObjectURL(file);
  image.addEventListener("load", () => URL.revokeObjectURL(image.src), { once: true });
  const boxes = found.is_whole ? [] : found.objects.map((thing, at) => box(thing, at, found));
  return element("div", { className: "scene" }, image, ...boxes);
}

// A box is a button that leads to its items.
function box(thing, at, { width, height }) {
  return drawnBox("button", { box: thing.box, text: `${at + 1} ${name(thing)}` }, width, height,
    { type: "button", "aria-label": `Thing ${at + 1}, ${name(thing)}: its items`,
      onclick: () => document.getElementById(`thing-${at + 1}`).focus() });
}

function section(thing, at, more) {
  const best = thing.predictions[0];
  return element("section", {},
    element("h3", { id: `thing-${at + 1}`, tabIndex: -1 }, `${at + 1} ${name(thing)} `,
      best ? element("span", { className: "dim number" }, `${percent(best.score)} `) : null, best ? badge(best.status) : null),
    thing.hits.length
      ? element("ul", { className: "grid" }, ...thing.hits.map((hit) => itemCard(hit, { more: attempt(() => more(hit)) })))
      : element("p", { className: "dim" }, "No items like it."));
}
