// Why an input got its label: heat over the picture, prompts, labelled items near it.
import { ask, attempt, boxOf, element, itemLink, percent, picture } from "./parts.js";

// A button that, once pressed, gives way to the explanation.
export function explainable(input, image) {
  const place = element("div", { className: "why" });
  const button = element("button", { type: "button", className: "quiet", onclick: attempt(async () => {
    button.textContent = "Looking …";
    try {
      place.replaceChildren(...reasons(await explanation(input, "none")));
      // The heat map takes seconds: the reasons are there at once, and it comes when it is made.
      if (image && !input.text) await addHeatMap(input, image, place);
    } finally {
      button.textContent = "Why?";
    }
  }) }, "Why?");
  place.append(button);
  return place;
}

async function addHeatMap(input, image, place) {
  const waiting = element("p", { className: "small dim", role: "status" }, "Looking where it shows …");
  place.append(waiting);
  try {
    const { heat, winner, notes } = await explanation(input, "occlusion");
    if (heat) {
      image.parentNode.append(overlay(heat, image, winner));
      waiting.replaceWith(element("p", { className: "small" }, `Blue on the picture: what speaks for ${winner}.`));
    } else {
      waiting.replaceWith(...notes.map((note) => element("p", { className: "small dim" }, note)));
    }
  } catch (error) {
    waiting.textContent = `No heat map: ${error.message}`;
  }
}

function explanation({ file, text, item_id }, heat_map) {
  if (!file) return ask("/v1/explain", { method: "POST", json: text ? { text, heat_map } : { item_id, heat_map } });
  const form = new FormData();
  form.append("picture", file);
  form.append("options", JSON.stringify({ heat_map }));
  return ask("/v1/explain", { method: "POST", form });
}

function reasons(explained) {
  const parts = [];
  if (explained.views.some((view) => view.box)) {
    parts.push(...things(explained));
  } else if (explained.views.length) {
    parts.push(element("p", { className: "small" }, explained.views[0].place ? "Its parts, each by itself:" : "Its pictures, each by itself:"),
      element("ul", { className: "small" }, ...explained.views.map((view, place) => element("li", {},
        `${view.place || `picture ${place + 1}`}: ${view.label} `, element("span", { className: "dim number" }, percent(view.score))))));
  }
  if (explained.words.length) {
    const most = Math.max(...explained.words.map(([, evidence]) => Math.abs(evidence)), 1e-9);
    parts.push(element("p", { className: "small" }, "Words that speak for it: ",
      ...explained.words.map(([word, evidence]) => element(evidence / most > 0.5 ? "strong" : "span", {}, `${word} `))));
  }
  if (explained.prompts.length) {
    parts.push(element("p", { className: "small" }, "Nearest texts of the label:"),
      element("ul", { className: "small" }, ...explained.prompts.map((prompt) =>
        element("li", {}, `“${prompt.text}” `, element("span", { className: "dim number" }, prompt.similarity.toFixed(2))))));
  }
  if (explained.neighbours.length) {
    parts.push(element("p", { className: "small" }, "Nearest items of the catalog:"),
      element("ul", { className: "grid near" }, ...explained.neighbours.map((item) => element("li", { className: "card" }, picture(item, 192),
        element("div", { className: "text small" }, element("strong", {}, itemLink(item)),
          item.label ? element("span", {}, `${item.label} `, element("span", { className: "dim" }, `(${item.origin})`)) : element("span", { className: "dim" }, "no label"),
          element("span", { className: "dim number" }, `similarity ${item.similarity.toFixed(2)}`))))));
  }
  parts.push(...explained.notes.map((note) => element("p", { className: "small dim" }, note)));
  return parts;
}

// What each box says by itself; their names come onto the picture, and the one that decides stands out.
function things(explained) {
  const named = (view) => document.querySelector(`.thing[data-part="${CSS.escape(view.part_id)}"]`);
  const boxes = explained.views.filter((view) => boxOf(view.part_id));
  const decides = (view) => view.part_id === explained.deciding;
  boxes.forEach((view, at) => {
    named(view)?.classList.toggle("decides", decides(view));
    named(view)?.replaceChildren(element("span", {}, `${at + 1} ${view.label}`));
  });
  const line = (view) => element("li", {}, boxOf(view.part_id) ? "" : "the whole picture: ", view.label, " ",
    element("span", { className: "dim number" }, percent(view.score)), decides(view) ? element("strong", {}, " decides") : null);
  return [element("p", { className: "small" }, "Each box by itself:"),
    element("ol", { className: "small" }, ...boxes.map(line)),
    element("ul", { className: "small" }, ...explained.views.filter((view) => !boxOf(view.part_id)).map(line))];
}

function overlay(grid, image, winner) {
  const rows = grid.values.length;
  const columns = grid.values[0].length;
  const canvas = element("canvas", { className: "heat", width: columns, height: rows, role: "img", "aria-label": `Where ${winner} shows` });
  const paint = canvas.getContext("2d");
  const pixels = paint.createImageData(columns, rows);
  grid.values.flat().forEach((value, at) => pixels.data.set([31, 95, 191, Math.round(value * 190)], at * 4));
  paint.putImageData(pixels, 0, 0);
  // The picture is fitted into its frame: the grid lies over what the model saw of it.
  const side = image.clientWidth;
  const scale = side / Math.max(image.naturalWidth, image.naturalHeight);
  const [width, height] = [image.naturalWidth * scale, image.naturalHeight * scale];
  canvas.style.left = `${(side - width) / 2 + grid.left * width}px`;
  canvas.style.top = `${(side - height) / 2 + grid.top * height}px`;
  canvas.style.width = `${(grid.right - grid.left) * width}px`;
  canvas.style.height = `${(grid.bottom - grid.top) * height}px`;
  return canvas;
}
