// What is reviewed: the queue of some items, verdicts on them, skipped ones, and the way back.
import { ask } from "./parts.js";

const PAGE = 40;

// By label set: it outlives a look at another view.
const kept = new Map();

export function session(set, choice) {
  if (!kept.has(set)) kept.set(set, { skipped: new Set(), done: [] });
  const { skipped, done } = kept.get(set);
  const asked = { limit: PAGE, set, category: choice.category === null ? [] : [choice.category],
    status: choice.status ? [choice.status] : [], ...(choice.items ? { item_ids: choice.items } : {}) };
  const figures = { total: 0, doubtful: 0, reviewed: 0, expected_wrong: 0, calibrated: false };

  // The first items of the queue that were not skipped and are not shown already.
  async function next(count, shown = new Set()) {
    const items = [];
    for (let offset = 0; items.length < count; offset += PAGE) {
      const answer = await ask("/v1/review/queue", { method: "POST", json: { ...asked, offset } });
      for (const name of Object.keys(figures)) figures[name] = answer[name];
      items.push(...answer.items.filter((item) => !skipped.has(item.item_id) && !shown.has(item.item_id)));
      if (offset + PAGE >= answer.total) break;
    }
    return items.slice(0, count);
  }

  // Figures follow at once; the next page tells them anew.
  function count(items, sign) {
    for (const item of items) {
      figures.total -= sign;
      figures.reviewed += sign;
      figures.doubtful -= item.status === "accepted" ? 0 : sign;
      figures.expected_wrong -= sign * (1 - item.score);
    }
  }

  // Verdicts, each { item, verdict, label }; the answer tells which were refused, and whether items have them by now.
  async function give(verdicts) {
    const answer = await ask("/v1/review/several", { method: "POST", json: { verdicts: verdicts.map(({ item, verdict, label }) => (
      { item_id: item.item_id, verdict, label: label ?? "", seen: item.label_id, label_set: set })) } });
    const made = [];
    const errors = [];
    answer.results.forEach((result, at) => {
      if (result.error) errors.push(result.error);
      else made.push({ item: verdicts[at].item, time: result.time });
    });
    if (made.length) done.push({ made });
    const items = made.map((one) => one.item);
    count(items, 1);
    return { items, errors, stored: answer.stored };
  }

  function skip(items) {
    for (const item of items) skipped.add(item.item_id);
    done.push({ skipped: items });
  }

  // Takes the last step back; the items of it are to be looked at again.
  async function undo() {
    const last = done.at(-1);
    if (!last) return { items: [], errors: [] };
    if (last.skipped) {
      for (const item of last.skipped) skipped.delete(item.item_id);
      done.pop();
      return { items: last.skipped, errors: [] };
    }
    const json = { label_set: set, verdicts: last.made.map(({ item, time }) => ({ item_id: item.item_id, time })) };
    const answer = await ask("/v1/review/withdraw", { method: "POST", json });
    done.pop();
    const items = last.made.filter((_, at) => !answer.results[at].error).map((one) => one.item);
    count(items, -1);
    return { items, errors: answer.results.map((one) => one.error).filter(Boolean) };
  }

  return { set, figures, open: true, next, give, skip, undo,
    canUndo: () => done.length > 0, skippedCount: () => skipped.size, forgetSkipped: () => skipped.clear() };
}
