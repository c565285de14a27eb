// The catalog at a glance: categories, dead letters, jobs.
import { saveAs } from "./elements.js";
import { ask, attempt, chosenSet, element, say, setChooser } from "./parts.js";
import { tree } from "./tree.js";

export function show(view, { onCount, query }) {
  const set = chosenSet(query);
  let open = true;
  let running = false;
  let timer = null;
  const cards = new Map(); // by job: a card stays, and with it the focus on its buttons
  const glance = element("div");
  const jobs = element("div", { className: "jobs" });
  view.append(element("h2", {}, "Catalog"), setChooser("catalog", set), glance, element("h3", {}, "Jobs"),
    element("div", { className: "keys" },
      start("Categorize", "/v1/jobs/categorize", { sets: [set] }), start("Learn from corrections", `/v1/jobs/teach?set=${encodeURIComponent(set)}`),
      element("button", { type: "button", className: "quiet", onclick: attempt(() => download(`/v1/review/corrections?set=${encodeURIComponent(set)}`, "corrections.csv")) }, "Export corrections")),
    jobs);

  function start(title, path, json) {
    return element("button", { type: "button", onclick: attempt(async () => {
      await ask(path, { method: "POST", json });
      running = true;
      await watch();
    }) }, title);
  }

  async function look() {
    const found = await ask(`/v1/catalog?set=${encodeURIComponent(set)}`);
    if (!open) return;
    const dead = Object.entries(found.dead_letters);
    const count = dead.reduce((sum, [, many]) => sum + many, 0);
    glance.replaceChildren(
      element("div", { className: "tiles" }, tile(found.items, "items"), tile(found.labels, "labels"),
        tile(found.reviewed, "looked at by people"), tile(count, "dead letters"),
        tile(found.adapted ? "yes" : "no", "labels adapted to the catalog"), tile(found.model, "model", true)),
      element("h3", {}, set === "category" ? "Categories" : `Label set ${set}`),
      found.categories.length ? tree(found.categories, set)
        : element("p", { className: "dim" }, "Not categorized yet, or not with write-back."),
      element("h3", {}, "Dead letters"),
      dead.length ? table(["reason", "items"], dead.map(([reason, many]) => [reason, many]))
        : element("p", { className: "dim" }, "None: every item could be used."),
      dead.length ? element("p", {}, start("Try them again", "/v1/jobs/retry")) : "");
  }

  async function watch() {
    let again = 0;
    try {
      const found = await ask("/v1/jobs");
      if (!open) return;
      draw(found.jobs);
      const before = running;
      running = found.jobs.some(isUnderWay);
      if (running) again = 700;
      else if (before) {
        await look();
        onCount();
      }
    } catch (error) {
      say(error.message);
      if (running && error.status !== 401) again = 5000;
    } finally {
      clearTimeout(timer);
      if (open && again) timer = setTimeout(watch, again);
    }
  }

  function draw(found) {
    for (const [at, job] of found.entries()) {
      if (!cards.has(job.job_id)) cards.set(job.job_id, jobCard(job));
      const card = cards.get(job.job_id);
      card.update(job);
      if (jobs.children[at] !== card.root) jobs.insertBefore(card.root, jobs.children[at]);
    }
    for (const [id, card] of cards) {
      if (found.some((job) => job.job_id === id)) continue;
      card.root.remove();
      cards.delete(id);
    }
  }

  look().then(watch).catch((error) => say(error.message));
  return () => {
    open = false;
    clearTimeout(timer);
  };
}

function tile(value, name, small = false) {
  const shown = typeof value === "number" ? value.toLocaleString("en") : value;
  return element("div", { className: "tile" }, element(small ? "span" : "b", {}, shown), element("span", { className: "small dim" }, ` ${name}`));
}

function table(head, rows) {
  return element("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": head[0] },
    element("table", {},
      element("thead", {}, element("tr", {}, ...head.map((name, at) => element("th", { scope: "col", className: at ? "number" : "" }, name)))),
      element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((cell, at) => element("td", { className: at ? "number" : "" }, String(cell))))))));
}

const isUnderWay = (job) => ["queued", "running"].includes(job.state);

function jobCard({ job_id, kind, created }) {
  const asked = new Date(created).toLocaleString("en", { dateStyle: "medium", timeStyle: "medium" });
  const state = element("span");
  const count = element("span", { className: "small dim number" });
  const bar = element("progress", { "aria-label": `${kind} progress` });
  const wrong = element("p", { className: "error" });
  const cancel = element("button", { type: "button", className: "quiet",
    onclick: attempt(() => ask(`/v1/jobs/${job_id}`, { method: "DELETE" })) }, "Cancel");
  const table = element("button", { type: "button", className: "quiet",
    onclick: attempt(() => download(`/v1/jobs/${job_id}/result`, `${kind}.parquet`)) }, "Download the table");
  // An article, not a section: a landmark each would drown the page's own, and kinds repeat.
  const root = element("article", { className: "result", "aria-label": `${kind}, ${asked}`, tabIndex: -1 },
    element("strong", {}, kind), " ", element("span", { className: "small dim" }, asked), " ", state, " ", count, bar, wrong, cancel, table);

  function update(job) {
    state.textContent = job.state === "running" && job.stage ? `running: ${job.stage.toLowerCase()}` : job.state;
    count.textContent = job.total ? `${job.done.toLocaleString("en")} of ${job.total.toLocaleString("en")}` : "";
    bar.max = job.total || 1;
    if (job.total) bar.value = job.done;
    wrong.textContent = job.error;
    wrong.hidden = !job.error;
    table.hidden = !job.has_result;
    if (!isUnderWay(job) && document.activeElement === cancel) root.focus();
    bar.hidden = cancel.hidden = !isUnderWay(job);
  }
  return { root, update };
}

const download = async (path, name) => saveAs(name, await ask(path));
