// Which view is shown; the address says it, so that it can be linked and gone back to.
import { ask, say } from "./parts.js";
import { show as label } from "./label.js";
import { show as search } from "./search.js";
import { show as review } from "./review.js";
import { show as clean } from "./clean.js";
import { show as catalog } from "./catalog.js";
import { show as item } from "./item.js";
import { show as map } from "./map.js";

const VIEWS = { label, search, review, map, clean, catalog, item };
let leave = () => {};

// Such as #search, #search?text=mug or #item?id=sku-1: a view, and what it was asked.
function go() {
  const [requested, query] = location.hash.slice(1).split("?", 2);
  const name = Object.hasOwn(VIEWS, requested) ? requested : "label";
  leave();
  say(""); // what was told is of the view that is left
  const view = document.createElement("main");
  view.id = "view";
  view.tabIndex = -1;
  document.getElementById("view").replaceWith(view);
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${name} · zeroshelf`;
  leave = VIEWS[name](view, { onCount: count, query: new URLSearchParams(query) }) ?? (() => {});
}

// How many items wait for a person.
async function count(known) {
  const total = known ?? (await ask("/v1/review?limit=1")).doubtful;
  const shown = document.getElementById("review-count");
  shown.textContent = total.toLocaleString("en");
  shown.hidden = !total;
}

window.addEventListener("hashchange", go);
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // its address would be another view's
  document.getElementById("view").focus();
});
go();
ask("/v1/catalog").then((found) => {
  document.getElementById("catalog-name").textContent = found.catalog;
  return count();
}).catch((error) => say(error.message));
