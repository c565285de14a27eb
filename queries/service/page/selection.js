// Items that were chosen on the map, for the views that show them: too many for an address, so they
// are kept by this tab of the browser, and the address has their name.

export const MOST_SELECTED = 10000; // that the service takes at a time
const KEPT = 5;
const PREFIX = "selection-";

// Keeps ids; the name to find them by.
export function keepSelection(ids) {
  const name = Date.now().toString(36);
  const others = Object.keys(sessionStorage).filter((key) => key.startsWith(PREFIX)).sort();
  for (const key of others.slice(0, Math.max(0, others.length - KEPT + 1))) sessionStorage.removeItem(key);
  sessionStorage.setItem(PREFIX + name, JSON.stringify(ids));
  return name;
}

// The ids of a selection; null where the tab does not have it, as after a link was sent to others.
export const selectionOf = (name) => JSON.parse(sessionStorage.getItem(PREFIX + name) ?? "null");

export const GONE = "This tab does not have that selection: choose the items on the map again.";
