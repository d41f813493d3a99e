// The rhythm map: every place a beat, coloured by the styles that are at home there.
//
//   still   the colours (mixed in Oklab between the nodes), the nodes, the names of the styles where they are strongest
//   live    the way the sound has come: a trail that fades; a ring where the sound is, when drift or the
//           morph have taken it away from the dot
//   dot     yours: X and Y

import { DRESS, around, bytes, css, hue, rgb } from "./color.js";
import { Pad } from "./pad.js";

const FIELD = 72; // colours across
const TRAIL_MS = 7000;
const LONGEST_TRAIL = 600; // points
const TRAIL_STEP = 0.004; // of the side: nearer is the same place
const APART = 0.012; // sound and hand are at different places
const NAMED = 0.42; // affinity from which on a style's name is written
const NAME_PIXELS = [52, 17]; // room around a name
const TOLD = 3; // styles in the legend
const HELP = "Rhythm map: drag, or use the arrow keys; near places sound alike. Same as X and Y.";

export class RhythmMap extends Pad {
  /** hand: as of a Pad, and looked(mix, place) is ours */
  constructor(place, hand) {
    super(place, HELP, hand);
    this.legend = place.querySelector(".legend");
    this.hand = { ...hand, looked: (where) => this.look(where) };
    this.trail = []; // {x, y, at}
    this.sound = null; // where the sound comes from
    this.kind = "learned";
    this.corners = [null, null, null, null];
    this.styles = [];
  }

  build({ map, styles }) {
    this.styles = styles.slice(0, -1); // the last one is "fill", at home nowhere
    this.side = map?.side ?? 0;
    const told = map ? bytes(map.styles) : [];
    this.nodes = Array.from({ length: this.side ** 2 }, (_, node) =>
      Array.from(this.styles, (_, style) => told[node * styles.length + style] / 255),
    );
    this.dress(this.theme ?? "dark");
  }

  dress(theme) {
    this.theme = theme;
    this.colors = DRESS[theme];
    const style = getComputedStyle(this.place);
    this.font = `600 11px ${style.fontFamily}`;
    this.ink = style.getPropertyValue("--head").trim();
    this.dirty = true;
    this.draw();
  }

  /** What X and Y move over: the learned map, or four corners with the style (or null: the map's own) of each. */
  choose(kind, cornerStyles) {
    const corners = cornerStyles.map((name) => this.styles.indexOf(name));
    if (kind === this.kind && String(corners) === String(this.corners)) return;
    Object.assign(this, { kind, corners, dirty: true });
    this.draw();
  }

  /** how much of each style is at a place: [[index, share], ...], most first */
  mix(x, y) {
    const shares = this.shares(x, y);
    const sum = shares.reduce((one, other) => one + other, 0) || 1;
    return shares
      .map((share, index) => [index, share / sum])
      .filter(([, share]) => share >= 0.08)
      .sort((one, other) => other[1] - one[1])
      .slice(0, TOLD);
  }

  shares(x, y) {
    const shares = new Array(this.styles.length).fill(0);
    if (!this.side) return shares;
    if (this.kind === "corners") {
      const weights = [(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y];
      weights.forEach((weight, corner) => {
        const own = this.corners[corner];
        if (own >= 0) shares[own] += weight;
        else this.nodes[this.cornerNode(corner)].forEach((share, index) => (shares[index] += weight * share));
      });
    } else {
      for (const [node, weight] of around(this.side, x, y)) {
        this.nodes[node].forEach((share, index) => (shares[index] += weight * share));
      }
    }
    return shares;
  }

  cornerNode(corner) {
    return (corner > 1 ? this.side * (this.side - 1) : 0) + (corner % 2 ? this.side - 1 : 0);
  }

  color(shares) {
    const { lightness, chroma } = this.colors;
    let [a, b, sum] = [0, 0, 0];
    shares.forEach((share, index) => {
      const [one, other] = hue(index, this.styles.length, chroma);
      a += share * one;
      b += share * other;
      sum += share;
    });
    return rgb(lightness, a / (sum || 1), b / (sum || 1));
  }

  /** the colour of one style, as on the map but as strong as a swatch wants it */
  swatch(index) {
    return css(rgb(this.theme === "light" ? 0.68 : 0.68, ...hue(index, this.styles.length, 0.14)));
  }

  words(x, y) {
    return this.mix(x, y)
      .map(([index, share]) => `${this.name(index)} ${Math.round(share * 100)}`)
      .join(", ");
  }

  name(index) {
    return this.styles[index].replaceAll("_", " ");
  }

  /** Under the pointer: which styles are at home there. */
  look(where) {
    if (!this.legend) return;
    this.legend.hidden = where === null || !this.side;
    if (this.legend.hidden) return;
    this.legend.classList.toggle("above", where[1] < 0.3);
    this.legend.replaceChildren(
      ...this.mix(...where).map(([index, share]) => {
        const row = document.createElement("span");
        const swatch = document.createElement("i");
        swatch.style.background = this.swatch(index);
        row.append(swatch, `${this.name(index)} ${Math.round(share * 100)}`);
        return row;
      }),
    );
  }

  /** The sound comes from here now. */
  follow(x, y, now) {
    const last = this.trail.at(-1);
    this.sound = [x, y];
    if (last && Math.hypot(x - last.x, y - last.y) < TRAIL_STEP) last.at = now;
    else this.trail.push({ x, y, at: now });
    if (this.trail.length > LONGEST_TRAIL) this.trail.shift(); // nobody looks: a hidden page draws nothing
  }

  draw() {
    if (!this.width || !this.colors || !this.dirty) return;
    this.dirty = false;
    const pen = this.pen(this.still);
    if (!this.side) return;
    this.field ??= Object.assign(document.createElement("canvas"), { width: FIELD, height: FIELD });
    const paint = this.field.getContext("2d");
    const image = paint.createImageData(FIELD, FIELD);
    for (let row = 0; row < FIELD; row += 1) {
      for (let column = 0; column < FIELD; column += 1) {
        const channels = this.color(this.shares(column / (FIELD - 1), 1 - row / (FIELD - 1)));
        image.data.set([...channels, 255], 4 * (row * FIELD + column));
      }
    }
    paint.putImageData(image, 0, 0);
    pen.imageSmoothingQuality = "high";
    pen.drawImage(this.field, 0, 0, this.width, this.height);
    if (this.kind === "learned") {
      pen.fillStyle = this.colors.node;
      for (let node = 0; node < this.side ** 2; node += 1) {
        const [x, y] = this.pixels((node % this.side) / (this.side - 1), Math.floor(node / this.side) / (this.side - 1));
        pen.beginPath();
        pen.arc(x, y, 1.3, 0, 2 * Math.PI);
        pen.fill();
      }
      this.writeNames(pen);
    }
  }

  /** Names where their style is strongest, the strongest first, none upon another. */
  writeNames(pen) {
    pen.font = this.font;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillStyle = this.colors.label;
    const places = this.nodes.flatMap((shares, node) => shares.map((share, style) => ({ share, style, node })));
    const taken = [];
    const written = new Set();
    for (const { share, style, node } of places.sort((one, other) => other.share - one.share)) {
      if (share < NAMED) break;
      if (written.has(style)) continue;
      const text = this.name(style);
      const half = pen.measureText(text).width / 2 + 7;
      const [column, row] = [node % this.side, Math.floor(node / this.side)];
      let [x, y] = this.pixels((column + 0.5) / this.side, (row + 0.5) / this.side);
      x = Math.min(Math.max(x, half), this.width - half);
      if (taken.some(([left, top]) => Math.abs(left - x) < NAME_PIXELS[0] + half / 2 && Math.abs(top - y) < NAME_PIXELS[1])) continue;
      pen.fillText(text, x, y);
      taken.push([x, y]);
      written.add(style);
    }
  }

  /** returns whether anything still moves */
  drawLive(now) {
    if (!this.width) return false;
    this.trail = this.trail.filter(({ at }, index, all) => now - at < TRAIL_MS || index === all.length - 1);
    const pen = this.pen(this.live);
    pen.strokeStyle = pen.fillStyle = this.ink;
    pen.lineCap = "round";
    for (let index = 1; index < this.trail.length; index += 1) {
      const [one, other] = [this.trail[index - 1], this.trail[index]];
      const left = Math.max(1 - (now - one.at) / TRAIL_MS, 0);
      pen.globalAlpha = 0.75 * left ** 1.5;
      pen.lineWidth = 1 + 2.5 * left;
      pen.beginPath();
      pen.moveTo(...this.pixels(one.x, one.y));
      pen.lineTo(...this.pixels(other.x, other.y));
      pen.stroke();
    }
    if (this.sound && Math.hypot(this.sound[0] - this.x, this.sound[1] - this.y) > APART) {
      const [x, y] = this.pixels(...this.sound);
      pen.globalAlpha = 0.5;
      pen.lineWidth = 1;
      pen.setLineDash([2, 4]);
      pen.beginPath();
      pen.moveTo(...this.pixels(this.x, this.y));
      pen.lineTo(x, y);
      pen.stroke();
      pen.setLineDash([]);
      pen.globalAlpha = 1;
      pen.lineWidth = 2;
      pen.beginPath();
      pen.arc(x, y, 6, 0, 2 * Math.PI);
      pen.stroke();
      pen.beginPath();
      pen.arc(x, y, 2, 0, 2 * Math.PI);
      pen.fill();
    }
    pen.globalAlpha = 1;
    return this.trail.length > 1;
  }
}
