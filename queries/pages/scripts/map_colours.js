// The colours of classes. They were searched for, so that any two, the greys of the others included,
// are as far apart in OKLab as can be as people see them who see all colours, or no red, no green or no
// blue (Machado 2009), with 3:1 of contrast to the ground. Small points of dark colours look alike on
// white, so the light scheme has none darker than .48. Neighbours in the list differ most, and every
// second class is of squares, too.

const LIGHT = ["#1f98ed", "#b00d6b", "#ed6e12", "#2662fe", "#d71908", "#2aa654", "#861ccb", "#357518", "#ec4acf", "#675796"];
const DARK = ["#7a57f2", "#d9ff17", "#b76006", "#86cdff", "#cca124", "#61a0f4", "#f3669a", "#bcf8fb", "#d22488", "#ffaba5"];

export const MOST = LIGHT.length;

const scheme = window.matchMedia("(prefers-color-scheme: dark)");

const numbers = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

// What a class looks like: the n-th most frequent value, then all others, then none.
export function paletteNow() {
  const colours = scheme.matches ? [...DARK, "#8b95a3", "#5d6672"] : [...LIGHT, "#7d8794", "#a9b1bb"];
  return colours.map((hex, at) => ({ hex, colour: numbers(hex), square: at % 2 === 1 && at < MOST }));
}

export const groundsNow = () => (scheme.matches
  ? { ground: numbers("#1b2027"), faint: numbers("#343c47") }
  : { ground: numbers("#ffffff"), faint: numbers("#dde2e8") });

export function onScheme(action) {
  scheme.addEventListener("change", action);
  return () => scheme.removeEventListener("change", action);
}
