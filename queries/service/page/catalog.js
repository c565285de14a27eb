// The catalog at a glance: categories, dead letters, jobs.
import { ask, attempt, element, percent, say } from "./parts.js";

export function show(view, { onCount }) {
  let open = true;
  const glance = element("div");
  const jobs = element("div");
  view.append(element("h2", {}, "Catalog"), glance, element("h3", {}, "Jobs"),
    element("div", { className: "keys" },
      start("Categorize", "/v1/jobs/categorize", {}), start("Learn from corrections", "/v1/jobs/teach"),
      element("button", { type: "button", className: "quiet", onclick: attempt(() => download("/v1/review/corrections", "corrections.csv")) }, "Export corrections")),
    jobs);

  function start(title, path, json) {
    return element("button", { type: "button", onclick: attempt(async () => {
      await ask(path, { method: "POST", json });
      await watch();
    }) }, title);
  }

  async function look() {
    const found = await ask("/v1/catalog");
    if (!open) return;
    const dead = Object.entries(found.dead_letters);
    const count = dead.reduce((sum, [, many]) => sum + many, 0);
    glance.replaceChildren(
      element("div", { className: "tiles" }, tile(found.items, "items"), tile(found.labels, "labels"),
        tile(found.reviewed, "looked at by people"), tile(count, "dead letters"),
        tile(found.adapted ? "yes" : "no", "labels adapted to the catalog"), tile(found.model, "model", true)),
      element("h3", {}, "Categories"),
      found.categories.length ? table(["category", "items", "mean score", "to look at"],
        found.categories.map((one) => [one.label || "none fits", one.items.toLocaleString("en"), percent(one.mean_score),
          ((one.statuses.review || 0) + (one.statuses.unknown || 0)).toLocaleString("en")]))
        : element("p", { className: "dim" }, "Not categorized yet, or not with write-back."),
      element("h3", {}, "Dead letters"),
      dead.length ? table(["reason", "items"], dead.map(([reason, many]) => [reason, many]))
        : element("p", { className: "dim" }, "None: every item could be used."),
      dead.length ? element("p", {}, start("Try them again", "/v1/jobs/retry")) : "");
  }

  async function watch() {
    const found = await ask("/v1/jobs");
    if (!open) return;
    jobs.replaceChildren(...found.jobs.map(jobCard));
    if (found.jobs.some((job) => ["queued", "running"].includes(job.state))) {
      watch.running = true;
      setTimeout(() => watch().catch((error) => say(error.message)), 700);
    } else if (watch.running) {
      watch.running = false;
      await look();
      onCount();
    }
  }

  look().then(watch).catch((error) => say(error.message));
  return () => { open = false; };
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

function jobCard(job) {
  const running = ["queued", "running"].includes(job.state);
  const bar = element("progress", { "aria-label": `${job.kind} progress`, max: job.total || 1 });
  if (job.total) bar.value = job.done;
  return element("section", { className: "result", "aria-label": job.kind },
    element("strong", {}, job.kind), ` ${job.state} `,
    element("span", { className: "small dim number" }, job.total ? `${job.done.toLocaleString("en")} of ${job.total.toLocaleString("en")}` : ""),
    running ? bar : null,
    job.error ? element("p", { className: "error" }, job.error) : null,
    running ? element("button", { type: "button", className: "quiet", onclick: attempt(() => ask(`/v1/jobs/${job.job_id}`, { method: "DELETE" })) }, "Cancel") : null,
    job.has_result ? element("button", { type: "button", className: "quiet", onclick: attempt(() => download(`/v1/jobs/${job.job_id}/result`, `${job.kind}.parquet`)) }, "Download the table") : null);
}

async function download(path, name) {
  const blob = await ask(path);
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  URL.revokeObjectURL(link.href);
}
