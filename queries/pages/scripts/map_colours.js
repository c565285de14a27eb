// The colours of classes. They were searched for: any two are at least .119 apart in OKLab as people
// see them who see all colours, or no red, no green, or (counted .6) no blue (Machado 2009), and have
// 3:1 of contrast to the ground, in both schemes. Every second class is of squares, too.

const LIGHT = ["#240fad", "#a49245", "#6d86ff", "#55101c", "#525c80", "#44085f", "#2055e1", "#cc6ca7", "#806e1c", "#66442c"];
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
