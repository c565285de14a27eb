// Label pictures that are dropped or chosen, and texts that are typed or pasted.
import { explainable } from "./explain.js";
import { ask, attempt, badge, bars, element, say } from "./parts.js";

const CHUNK = 16;

export function show(view) {
  const results = element("div", { className: "results", id: "results" });
  const uncalibrated = element("p", { className: "small dim", hidden: true },
    "Scores are not calibrated: how many accepted labels are right is not known. "
    + "zeroshelf labels calibrate measures it on labelled items.");
  const add = (answer, files = []) => {
    uncalibrated.hidden = answer.calibrated;
    answer.results.forEach((one, place) => results.prepend(result(one, files[place])));
  };
  const file = element("input", { type: "file", accept: "image/*,audio/*", multiple: true, hidden: true });
  const drop = element("div", { className: "drop" },
    element("p", {}, "Drop pictures or sounds here, or paste one."),
    element("button", { type: "button", onclick: () => file.click() }, "Choose files"), file);
  const text = element("textarea", { id: "texts", rows: 3, placeholder: "red running shoe" });
  const form = element("form", { onsubmit: attempt(() => texts(text.value, add)) },
    element("label", {}, "Or texts, one a line", text),
    element("p", {}, element("button", {}, "Label texts")));
  file.addEventListener("change", attempt(() => pictures([...file.files], add)));
  drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", attempt((event) => {
    drop.classList.remove("over");
    return pictures([...event.dataTransfer.files], add);
  }));
  const pasted = attempt((event) => {
    const files = [...event.clipboardData.files];
    return files.length ? pictures(files, add) : undefined;
  });
  const onPaste = (event) => { if (event.clipboardData.files.length) pasted(event); };
  document.addEventListener("paste", onPaste);
  view.append(element("h2", {}, "Label pictures, sounds and texts"), drop, form, uncalibrated, results);
  return () => document.removeEventListener("paste", onPaste);
}

async function pictures(files, add) {
  if (!files.length) return;
  say(`Labelling ${files.length} ${files.length === 1 ? "file" : "files"} …`);
  for (let start = 0; start < files.length; start += CHUNK) {
    const part = files.slice(start, start + CHUNK);
    const form = new FormData();
    for (const one of part) form.append("pictures", one, one.name || "pasted picture");
    const answer = await ask("/v1/classify", { method: "POST", form });
    add(answer, part);
  }
  say(`${files.length} ${files.length === 1 ? "file is" : "files are"} labelled.`);
}

async function texts(written, add) {
  const lines = written.split("\n").map((line) => line.trim()).filter(Boolean);
  if (!lines.length) throw new Error("Write a text first.");
  for (let start = 0; start < lines.length; start += CHUNK) {
    const inputs = lines.slice(start, start + CHUNK).map((text) => ({ text }));
    const answer = await ask("/v1/classify", { method: "POST", json: { inputs } });
    add(answer);
  }
  say(`${lines.length} ${lines.length === 1 ? "text is" : "texts are"} labelled.`);
}

function result(one, file) {
  const best = one.predictions[0];
  const seen = element("div", { className: "seen" });
  let image = null;
  if (file?.type.startsWith("audio/")) {
    seen.append(element("audio", { controls: true, src: URL.createObjectURL(file) }));
  } else if (file) {
    image = element("img", { alt: "" });
    image.src = URL.createObjectURL(file);
    image.addEventListener("load", () => URL.revokeObjectURL(image.src), { once: true });
    seen.append(element("span", { className: "framed" }, image));
  }
  seen.append(element("div", {}, element("div", { className: "name" }, one.input),
    best ? badge(best.status) : element("span", { className: "error" }, one.error)));
  return element("article", { className: "result", "aria-label": one.input }, seen,
    best ? bars(one.predictions) : null,
    best ? element("p", { className: "small dim" }, why(one)) : null,
    best ? explainable(file ? { file } : { text: one.input }, image) : null);
}

// What the verdict rests on, in words.
function why(one) {
  const [best, next] = one.predictions;
  const margin = next ? ` ${next.label} is next, ${Math.round((best.score - next.score) * 100)} points behind.` : "";
  const said = {
    accepted: `Accepted as ${best.label}: its score reaches the threshold.`,
    review: `${best.label} is likeliest, but its score is below the threshold: somebody should look.`,
    unknown: "It looks like none of the labels.",
  }[best.status];
  return `${said}${margin} Cosine to the label ${best.similarity.toFixed(2)}.`;
}
