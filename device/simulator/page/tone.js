// The sound map of the chosen voice: lighter is a brighter sound, a larger grain a longer one. And its waveform.

import { around, bytes, hue, rgb } from "./color.js";
import { Pad } from "./pad.js";

const FIELD = 40;
const HELP = "Sound map: drag, or use the arrow keys; lighter sounds brighter, larger grains ring longer. Delete: the kit's place (square).";
const RANGE = { dark: [0.27, 0.6], light: [0.7, 0.94] }; // lightness of the darkest and the brightest sound
const KIT = 4; // pixels

export class SoundMap extends Pad {
  constructor(place, hand) {
    super(place, HELP, hand);
    this.kit = null;
    this.index = -1;
  }

  build({ sound_maps, sound_classes, voices }) {
    this.classes = sound_classes ?? [];
    this.voices = voices.length;
    this.side = sound_maps?.side ?? 0;
    this.bright = sound_maps ? bytes(sound_maps.bright) : [];
    this.decay = sound_maps ? bytes(sound_maps.decay) : [];
    this.dirty = true;
    this.draw();
  }

  dress(theme) {
    const style = getComputedStyle(this.place);
    this.theme = theme;
    this.ink = style.getPropertyValue("--head").trim();
    this.dirty = true;
    this.draw();
  }

  /** The map of this class, tinted as the voice is; kit: the place of the style's kit, or null. */
  choose(name, voice, kit) {
    const index = this.classes?.indexOf(name) ?? -1;
    if (index === this.index && voice === this.voice && String(kit) === String(this.kit)) return;
    Object.assign(this, { index, voice, kit, dirty: true });
    this.draw();
  }

  home() {
    return this.kit ?? [0.5, 0.5];
  }

  draw() {
    if (!this.width || !this.theme || !this.dirty) return;
    this.dirty = false;
    const pen = this.pen(this.still);
    if (!this.side || this.index < 0) return;
    const first = this.index * this.side ** 2;
    const [low, high] = RANGE[this.theme];
    const [a, b] = hue(this.voice, this.voices, this.theme === "light" ? 0.055 : 0.075);
    this.field ??= Object.assign(document.createElement("canvas"), { width: FIELD, height: FIELD });
    const paint = this.field.getContext("2d");
    const image = paint.createImageData(FIELD, FIELD);
    for (let row = 0; row < FIELD; row += 1) {
      for (let column = 0; column < FIELD; column += 1) {
        let bright = 0;
        for (const [node, weight] of around(this.side, column / (FIELD - 1), 1 - row / (FIELD - 1))) bright += weight * this.bright[first + node];
        image.data.set([...rgb(low + ((high - low) * bright) / 255, a, b), 255], 4 * (row * FIELD + column));
      }
    }
    paint.putImageData(image, 0, 0);
    pen.imageSmoothingQuality = "high";
    pen.drawImage(this.field, 0, 0, this.width, this.height);
    pen.fillStyle = this.ink;
    pen.globalAlpha = 0.28;
    for (let node = 0; node < this.side ** 2; node += 1) {
      const [x, y] = this.pixels(((node % this.side) + 0.5) / this.side, (Math.floor(node / this.side) + 0.5) / this.side);
      pen.beginPath();
      pen.arc(x, y, 0.5 + (2.2 * this.decay[first + node]) / 255, 0, 2 * Math.PI);
      pen.fill();
    }
    if (this.kit) {
      const [x, y] = this.pixels(...this.kit);
      pen.globalAlpha = 0.9;
      pen.strokeStyle = this.ink;
      pen.lineWidth = 1.5;
      pen.strokeRect(Math.min(Math.max(x, KIT + 1), this.width - KIT - 1) - KIT, Math.min(Math.max(y, KIT + 1), this.height - KIT - 1) - KIT, 2 * KIT, 2 * KIT);
    }
    pen.globalAlpha = 1;
  }
}

/** The newest sound of the voice, as peaks mirrored around the middle. */
export class Wave {
  constructor(canvas) {
    this.canvas = canvas;
    this.peaks = [];
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  take(text) {
    this.peaks = text ? bytes(text) : [];
    this.draw();
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width) return;
    const scale = Math.min(window.devicePixelRatio || 1, 3);
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(height * scale);
    const pen = this.canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.fillStyle = getComputedStyle(this.canvas).color;
    const wide = width / Math.max(this.peaks.length, 1);
    this.peaks.forEach((peak, index) => {
      const tall = Math.max((peak / 255) * (height - 2), 1);
      pen.fillRect(index * wide, (height - tall) / 2, Math.max(wide - 0.6, 0.6), tall);
    });
  }
}
