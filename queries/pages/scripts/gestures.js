// What hands do on the map: a mouse, fingers, and keys.
import { SVG } from "./elements.js";

const STILL = 6; // CSS pixels that a finger may move in a tap
const FINE = 4; // CSS pixels between two corners of a lasso

const drawn = (name, attributes) => {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
};

// onPoint(index, how): "over" by a mouse or none (-1), "tap" by a finger, "open" by a click or Enter.
// onSelect(indices, byKeys): what a lasso or a rectangle holds.
export function gestures(scatter, overlay, { isLasso, onPoint, onSelect, say }) {
  const { canvas } = scatter;
  const pointers = new Map();
  let lasso = null;
  let moved = 0;
  let box = null; // the rectangle of the keyboard: its middle and half of its sides

  const at = (event) => {
    const bounds = canvas.getBoundingClientRect();
    return [event.clientX - bounds.left, event.clientY - bounds.top];
  };
  const show = (...shapes) => overlay.replaceChildren(...shapes);
  const polygon = (corners) => drawn("polygon", { points: corners.map((corner) => corner.join(",")).join(" "), class: "lasso" });

  function ring(index) {
    if (index < 0) return show();
    const [cx, cy] = scatter.place(index);
    return show(drawn("circle", { cx, cy, r: scatter.radius + 4, class: "ring" }));
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, at(event));
    moved = 0;
    lasso = pointers.size === 1 && (isLasso() || event.shiftKey) ? [at(event)] : null;
    show();
  });

  canvas.addEventListener("pointermove", (event) => {
    const [px, py] = at(event);
    const previous = pointers.get(event.pointerId);
    if (!previous) {
      if (event.pointerType === "touch") return;
      const index = scatter.nearest(px, py);
      if (!box) ring(index);
      onPoint(index, "over");
      return;
    }
    moved += Math.hypot(px - previous[0], py - previous[1]);
    if (lasso) {
      const last = lasso.at(-1);
      if (Math.hypot(px - last[0], py - last[1]) >= FINE) lasso.push([px, py]);
      pointers.set(event.pointerId, [px, py]);
      show(polygon(lasso));
    } else if (pointers.size === 1) {
      scatter.pan(px - previous[0], py - previous[1]);
      pointers.set(event.pointerId, [px, py]);
      if (moved > STILL) onPoint(-1, "over");
    } else {
      pinch(event.pointerId, previous, [px, py]);
    }
  });

  // One of two fingers moves: the map follows the middle between them, and their distance.
  function pinch(id, previous, current) {
    const [, other] = [...pointers].find(([pointer]) => pointer !== id);
    const distance = (finger) => Math.max(1, Math.hypot(finger[0] - other[0], finger[1] - other[1]));
    const middle = (finger) => [(finger[0] + other[0]) / 2, (finger[1] + other[1]) / 2];
    const [from, to] = [middle(previous), middle(current)];
    scatter.pan(to[0] - from[0], to[1] - from[1]);
    scatter.zoom(distance(current) / distance(previous), ...to);
    pointers.set(id, current);
  }

  function end(event) {
    if (!pointers.delete(event.pointerId)) return;
    const corners = lasso;
    lasso = null;
    if (moved <= STILL && event.type === "pointerup") {
      const index = scatter.nearest(...at(event));
      ring(index);
      onPoint(index, event.pointerType === "touch" ? "tap" : "open");
    } else if (corners) {
      show();
      if (event.type === "pointerup" && corners.length > 2) onSelect(scatter.inside(corners), false);
    }
  }
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
  canvas.addEventListener("pointerleave", (event) => {
    if (pointers.size || event.pointerType === "touch" || box) return;
    show();
    onPoint(-1, "over");
  });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    show();
    scatter.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), ...at(event));
  }, { passive: false });

  const corners = ({ x, y, w, h }) => [[x - w, y - h], [x + w, y - h], [x + w, y + h], [x - w, y + h]];

  function boxKey(key, shift) {
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key] ?? [0, 0];
    const step = 16;
    if (shift) {
      box.w = Math.max(step, box.w + dx * step);
      box.h = Math.max(step, box.h + dy * step);
    } else {
      box.x = Math.min(scatter.width, Math.max(0, box.x + dx * step));
      box.y = Math.min(scatter.height, Math.max(0, box.y + dy * step));
    }
    show(polygon(corners(box)));
  }

  function finish(take) {
    const indices = take ? scatter.inside(corners(box)) : null;
    box = null;
    show();
    if (indices) onSelect(indices, true);
  }

  const arrows = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
  const keys = {
    "+": () => scatter.zoom(1.4), "=": () => scatter.zoom(1.4), "-": () => scatter.zoom(1 / 1.4), 0: () => scatter.fit(),
    s: () => {
      box = { x: scatter.width / 2, y: scatter.height / 2, w: scatter.width / 6, h: scatter.height / 6 };
      boxKey("", false);
      say("A rectangle: arrows move it, with Shift they change its size, Enter takes the items in it.");
    },
    Enter: () => {
      const index = scatter.nearest(scatter.width / 2, scatter.height / 2, Infinity);
      ring(index);
      onPoint(index, "tap");
    },
  };

  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    let does = keys[key];
    if (box && (arrows[key] || key === "Enter" || key === "Escape")) {
      does = () => (arrows[key] ? boxKey(key, event.shiftKey) : finish(key === "Enter"));
    } else if (arrows[key]) {
      does = () => { show(); scatter.pan(...arrows[key]); };
    } else if (key === "Escape") {
      does = () => show();
    }
    if (!does) return;
    event.preventDefault();
    onPoint(-1, "over"); // what is shown would hide the map
    does();
  });

  return { clear: () => show() };
}
