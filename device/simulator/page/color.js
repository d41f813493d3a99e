// Colours an eye finds evenly far apart: Oklab (Björn Ottosson, 2020), where a mix of two colours looks like one.

/** how light and how strong the colours of a map are, in either dress */
export const DRESS = {
  dark: { lightness: 0.45, chroma: 0.105, label: "rgb(255 250 244 / 0.8)", node: "rgb(255 250 244 / 0.2)" },
  light: { lightness: 0.83, chroma: 0.095, label: "rgb(43 36 33 / 0.82)", node: "rgb(43 36 33 / 0.2)" },
};
const FIRST_HUE = 20; // degrees

/** red, green, blue 0..255 of an Oklab colour, clipped */
export function rgb(lightness, a, b) {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ].map((share) => {
    const clear = Math.min(Math.max(share, 0), 1);
    return 255 * (clear <= 0.0031308 ? 12.92 * clear : 1.055 * clear ** (1 / 2.4) - 0.055);
  });
}

/** (a, b) of one of ``count`` hues, evenly around the circle; neighbours in the list are neighbours in colour */
export function hue(index, count, chroma) {
  const angle = ((FIRST_HUE + (360 * index) / Math.max(count, 1)) * Math.PI) / 180;
  return [chroma * Math.cos(angle), chroma * Math.sin(angle)];
}

export function css(channels) {
  return `rgb(${channels.map(Math.round).join(" ")})`;
}

/** a lattice's cell weights at x, y in 0..1: [[node, weight], ...] with node = row * side + column */
export function around(side, x, y) {
  const column = Math.min(Math.max(x, 0), 1) * (side - 1);
  const row = Math.min(Math.max(y, 0), 1) * (side - 1);
  const left = Math.min(Math.floor(column), side - 2);
  const low = Math.min(Math.floor(row), side - 2);
  const [u, v] = [column - left, row - low];
  const node = low * side + left;
  return [
    [node, (1 - u) * (1 - v)],
    [node + 1, u * (1 - v)],
    [node + side, (1 - u) * v],
    [node + side + 1, u * v],
  ];
}

export function bytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}
