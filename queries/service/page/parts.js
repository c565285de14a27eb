// What all views share: elements, requests, pictures.
import { element } from "./elements.js";

export { element };

export function say(message) {
  const status = document.getElementById("status");
  status.textContent = message;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { status.textContent = ""; }, 6000);
}

// The label set that a view works on; the address says it: #review?set=colour.
export const chosenSet = (query) => query.get("set") || "category";

// A choice among the catalog's label sets; nothing is shown where there is only the category.
export function setChooser(view, set) {
  const select = element("select", { id: "set",
    onchange: () => { location.hash = `#${view}?${new URLSearchParams({ set: select.value })}`; } });
  const root = element("p", { hidden: true }, element("label", {}, "Label set", select));
  ask("/v1/catalog").then(({ label_sets }) => {
    select.append(...label_sets.map((name) => element("option", {}, name)));
    select.value = set;
    root.hidden = label_sets.length < 2;
  }).catch((error) => say(error.message));
  return root;
}

// The attributes of a found item: each label set's label, without those that do not apply.
export const attributes = (hit) => Object.keys(hit.attributes || {})
  .filter((name) => name.endsWith("_status"))
  .map((name) => name.slice(0, -"_status".length))
  .filter((set) => hit.attributes[set] && !["not_visible", "not_applicable"].includes(hit.attributes[`${set}_status`]))
  .map((set) => `${set}: ${hit.attributes[set]}`).join(", ");

// A decimal below 10, where a whole number says too little.
export const percent = (share) => `${(100 * share).toFixed(share && 100 * share < 9.95 ? 1 : 0)}%`;

// Asks for a key; false where the person would rather not. Requests that wait share the dialog.
async function key(refused) {
  const dialog = document.getElementById("key-dialog");
  const input = document.getElementById("key");
  if (!dialog.open) {
    const before = document.activeElement;
    document.getElementById("key-wrong").hidden = !refused;
    input.value = "";
    dialog.returnValue = "";
    dialog.showModal();
    input.focus();
    dialog.addEventListener("close", () => before?.focus?.(), { once: true });
  }
  await new Promise((closed) => dialog.addEventListener("close", closed, { once: true }));
  if (dialog.returnValue !== "use" || !input.value.trim()) return false;
  sessionStorage.setItem("key", input.value.trim());
  return true;
}

// A request with the key of this tab; asks for one where the service wants it.
// ``whole`` gives the response itself, for its headers.
export async function ask(path, { method = "GET", json, form, whole = false } = {}) {
  const headers = {};
  const held = sessionStorage.getItem("key");
  if (held) headers.Authorization = `Bearer ${held}`;
  if (json !== undefined) headers["Content-Type"] = "application/json";
  const body = json === undefined ? form : JSON.stringify(json);
  const answer = await fetch(path, { method, headers, body });
  if (answer.status === 401) {
    // Another request may have been given a better key meanwhile.
    const newer = sessionStorage.getItem("key") !== held;
    if (newer || await key(Boolean(held))) return ask(path, { method, json, form, whole });
  }
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({ detail: answer.statusText }));
    throw Object.assign(new Error(problem.detail), { status: answer.status });
  }
  if (whole) return answer;
  const type = answer.headers.get("Content-Type") || "";
  return type.includes("json") ? answer.json() : answer.blob();
}

// Runs what a control does; a failure is told, and the control works again afterwards.
export function attempt(action) {
  return async (event) => {
    event?.preventDefault?.();
    const button = event?.submitter ?? (event?.currentTarget?.tagName === "BUTTON" ? event.currentTarget : null);
    if (button) button.disabled = true;
    try {
      await action(event);
    } catch (error) {
      say(error.message);
    } finally {
      if (button) button.disabled = false;
    }
  };
}

// An item's id as a part of a request's path.
export const inPath = (id) => id.split("/").map(encodeURIComponent).join("%2F");

// The title of an item, which leads to its view.
export const itemLink = ({ item_id, title }) => element("a", { href: `#item?${new URLSearchParams({ id: item_id })}` }, title || item_id);

const EMPTY = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==";

// Loads pictures that come near the screen, and lets go of those that are far away again:
// thousands of them would fill a phone's memory.
const near = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) target.load();
    else if (target.src) target.src = EMPTY;
  }
}, { rootMargin: "1200px" });

// A long video has hundreds of shots.
const MOST_VIEWS = 12;

const PICTURED = ["picture", "sound", "video", "vector"];

// A stored item's picture, a sound's spectrogram, a frame of a shot.
export function picture(item, side = 256) {
  if (item.kind && !PICTURED.includes(item.kind)) return none(item);
  const shown = item.title || item.item_id;
  const image = element("img", { alt: item.kind === "sound" ? `Spectrogram of ${shown}` : shown });
  loadWhenNear(image, item, side, { onFailure: () => image.replaceWith(none(item)) });
  return image;
}

// The picture is fetched rather than linked, since a link carries no key.
function loadWhenNear(image, item, side, { onAnswer = () => {}, onFailure }) {
  image.load = async () => {
    try {
      const answer = await ask(`/v1/pictures/${inPath(item.part_id || item.item_id)}?side=${side}`, { whole: true });
      const url = URL.createObjectURL(await answer.blob());
      image.addEventListener("load", () => URL.revokeObjectURL(url), { once: true });
      image.src = url;
      onAnswer(answer);
    } catch {
      near.unobserve(image);
      onFailure();
    }
  };
  near.observe(image);
}

const none = (item) => element("div", { className: "none", "aria-hidden": "true" },
  item.kind === "text" ? item.title : "no picture");

export function bars(predictions) {
  return element("ol", { className: "bars" }, ...predictions.map((one) => {
    const fill = element("span", { className: "fill" });
    fill.style.transform = `scaleX(${one.score})`;
    const names = element("span", {}, one.label,
      one.path.length > 1 ? element("span", { className: "path" }, one.path.slice(0, -1).join(" › ")) : null);
    return element("li", {}, fill, names, element("span", { className: "number" }, percent(one.score)));
  }));
}

export const badge = (status) => element("span", { className: `badge ${status}` }, status);

const BOX = /([#&])box=(\d+),(\d+),(\d+),(\d+)$/;

// The box that a part's id names, with the id of its whole picture; null for other parts.
export function boxOf(part_id) {
  const found = BOX.exec(part_id || "");
  return found && { part_id, whole: part_id.slice(0, found.index), box: found.slice(2).map(Number) };
}

// A stored picture with boxes drawn over it, which are in pixels of its full size.
export function boxedPicture(item, boxes, side = 512) {
  const root = element("div", { className: "scene" });
  const image = element("img", { alt: item.title || item.item_id });
  const onAnswer = (answer) => {
    const [width, height] = answer.headers.get("X-Picture-Size").split("x").map(Number);
    image.style.aspectRatio = `${width} / ${height}`; // stays when the picture is let go of
    root.replaceChildren(image, ...boxes.map((box) => drawnBox("span", box, width, height)));
  };
  loadWhenNear(image, item, side, { onAnswer, onFailure: () => root.replaceChildren(none(item)) });
  root.append(image);
  return root;
}

// A box at its place over a picture, in shares of it, since the picture may be shown smaller.
export function drawnBox(name, { part_id, box: [x, y, across, down], text = "" }, width, height, properties = {}) {
  const share = (part, all) => `${(100 * part) / all}%`;
  const label = text ? element("span", {}, text) : null;
  const drawn = element(name, { className: "thing", ...properties }, label);
  if (part_id) drawn.dataset.part = part_id;
  Object.assign(drawn.style, { left: share(x, width), top: share(y, height), width: share(across, width), height: share(down, height) });
  // What it is called stays within the picture.
  if (x > width / 2) drawn.classList.add("right");
  return drawn;
}

// The pictures of an item that has several, small, beside the one that is shown.
export function views(item) {
  const box = boxOf(item.part_id);
  if (box) return element("div", { className: "inset" }, boxedPicture({ ...item, part_id: box.whole }, [box], 192));
  if (item.parts?.some(boxOf)) return null; // the whole picture is shown
  if (!item.parts || item.parts.length < 2 || item.kind === "sound") return null;
  const small = item.parts.slice(0, MOST_VIEWS).map((part_id, place) => picture(
    { ...item, part_id, title: `${item.title || item.item_id}, picture ${place + 1}` }, 96));
  return element("div", { className: "views" }, ...small);
}

// Plays a stored sound or video from where its part begins.
export function player(item) {
  const make = { sound: soundElement, video: videoElement }[item.kind];
  if (!make) return null;
  const root = element("div", { className: "player" });
  const play = attempt(async () => {
    const media = await make(inPath(item.part_id || item.item_id), item.part?.start ?? 0);
    media.setAttribute("aria-label", item.title || item.item_id);
    root.replaceChildren(media);
    media.focus();
    await media.play().catch(() => {}); // a browser may want another click
  });
  root.append(element("button", { type: "button", className: "quiet", onclick: play }, item.place ? `Play ${item.place}` : "Play"));
  return root;
}

async function soundElement(id, start) {
  const sound = element("audio", { controls: true, src: URL.createObjectURL(await ask(`/v1/sounds/${id}`)) });
  sound.addEventListener("loadedmetadata", () => { sound.currentTime = start; }, { once: true });
  return sound;
}

// With a key a video is fetched whole, since an element that plays sends none; without one the
// browser asks for the ranges that it needs.
async function videoElement(id, start) {
  const address = `/v1/videos/${id}`;
  const source = sessionStorage.getItem("key") ? URL.createObjectURL(await ask(address)) : address;
  return element("video", { controls: true, src: `${source}#t=${start}` });
}

export const shownValue = (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));

// Metadata of an item by the names of its columns; what it does not have is left out.
const chosen = (hit, columns) => columns.filter((name) => (hit.metadata?.[name] ?? "") !== "")
  .map((name) => element("span", { className: "small" }, `${name}: ${shownValue(hit.metadata[name])}`));

export function itemCard(hit, { more, columns = [] } = {}) {
  return element("li", { className: "card" }, picture(hit), views(hit), player(hit),
    element("div", { className: "text" },
      element("strong", {}, itemLink(hit)),
      hit.label ? element("span", { className: "small" }, `${hit.label} `, element("span", { className: "number" }, percent(hit.score))) : null,
      hit.status ? element("span", {}, badge(hit.status)) : null,
      attributes(hit) ? element("span", { className: "small" }, attributes(hit)) : null,
      ...chosen(hit, columns),
      element("span", { className: "small dim" }, hit.item_id),
      typeof hit.similarity === "number" ? element("span", { className: "small dim" }, `similarity ${hit.similarity.toFixed(2)}`) : null,
      more ? element("button", { className: "quiet", type: "button", onclick: () => more(hit) }, "More like this") : null));
}
