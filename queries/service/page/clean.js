// What is in the catalog twice, and labels that are probably wrong: starts the jobs, shows their tables.
import { ask, attempt, element, itemLink, percent, picture, say } from "./parts.js";

const PAGE = 100; // rows of a table at a time

export function show(view) {
  let open = true;
  let timer = null;
  const truth = element("input", { id: "truth", placeholder: "category", required: true });
  const twins = result("duplicates", groups);
  const wrong = result("audit", suspects);
  view.append(
    element("h2", {}, "Look-alikes"),
    element("p", {}, "The same content, near-duplicate pictures, variants of a product: one group a row, what to keep is marked."),
    element("p", {}, button("Find look-alikes", () => begin("duplicates", {}))), twins.root,
    element("h2", {}, "Wrong labels"),
    element("p", {}, "Labels in a column of your table that pictures and titles contradict, the surest error first."),
    element("form", { className: "row", onsubmit: attempt(() => begin("audit", { truth: truth.value })) },
      element("label", {}, "Column", truth), element("button", {}, "Find wrong labels")), wrong.root);

  function button(title, action) {
    return element("button", { type: "button", onclick: attempt(action) }, title);
  }

  async function begin(kind, json) {
    await ask(`/v1/jobs/${kind}`, { method: "POST", json });
    await look();
  }

  async function look() {
    const { jobs } = await ask("/v1/jobs");
    if (!open) return;
    await Promise.all([twins, wrong].map((one) => one.follow(jobs)));
    clearTimeout(timer);
    if (jobs.some((job) => ["queued", "running"].includes(job.state))) timer = setTimeout(again, 700);
  }
  const again = () => look().catch((error) => say(error.message));
  again();
  return () => {
    open = false;
    clearTimeout(timer);
  };
}

// The newest job of a kind: how far it is, then its rows.
function result(kind, draw) {
  const state = element("p", { className: "dim", role: "status" }, "Not looked for since the service started.");
  const list = element("div");
  const more = element("button", { type: "button", className: "quiet", hidden: true }, "Show more");
  let shown = null;
  let rows = [];

  async function load() {
    const answer = await ask(`/v1/jobs/${shown}/rows?limit=${PAGE}&offset=${rows.length}`);
    rows = rows.concat(answer.rows);
    list.replaceChildren(...draw(rows));
    more.hidden = rows.length >= answer.total;
  }
  more.addEventListener("click", attempt(load));

  async function follow(jobs) {
    const job = jobs.find((one) => one.kind === kind);
    if (!job) return;
    const total = job.total ? ` ${percent(job.done / job.total)}` : "";
    state.textContent = job.state === "done" ? summary[kind](job.report) : `${job.state}${job.state === "running" ? total : ""} ${job.error}`;
    if (!job.has_result || job.job_id === shown) return;
    shown = job.job_id;
    rows = [];
    await load();
  }
  return { root: element("section", { "aria-label": kind }, state, list, element("p", {}, more)), follow };
}

const many = (count, name) => `${count.toLocaleString("en")} ${name}`;

const summary = {
  duplicates: (report) => `${many(report.groups, "groups")}: ${many(report.same_content, "with the same content")}, ${many(report.near_duplicates, "near-duplicates")}, ${many(report.variants, "variants")}.${report.untitled ? ` ${many(report.untitled, "without a title")}: pictures alone do not tell variants.` : ""}`,
  audit: (report) => `${many(report.suspects, "labels")} of ${many(report.judged, "are worth a look")}; ${many(report.probable, "are more probably wrong than right")}.`,
};

function card(row, ...lines) {
  return element("li", { className: "card" }, picture(row),
    element("div", { className: "text" }, element("strong", {}, itemLink(row)), ...lines,
      element("span", { className: "small dim" }, row.item_id)));
}

function groups(rows) {
  const found = new Map();
  for (const row of rows) found.set(row.group, [...(found.get(row.group) ?? []), row]);
  return [...found].flatMap(([number, members]) => [
    element("h3", {}, `Group ${number}`),
    element("ul", { className: "grid" }, ...members.map((row) => card(row,
      row.kept ? element("span", {}, element("span", { className: "badge accepted" }, "keep")) : null,
      row.kind === "centre" ? null : element("span", { className: "small" }, `${row.kind} of ${row.like_id}, ${row.similarity.toFixed(3)}`))))]);
}

function suspects(rows) {
  return [element("ul", { className: "grid" }, ...rows.map((row) => card(row,
    element("span", { className: "small" }, "typed ", element("s", { className: "error" }, row.typed)),
    element("span", { className: "accepted" }, row.label),
    element("span", { className: "small dim number" }, `wrong with ${percent(row.wrong_probability)}`))))];
}
