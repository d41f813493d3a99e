// The pattern: nine rows of thirty-two steps on two canvases.
//
//   still   what the model wants (level: faint fill) and what will be played (dot: velocity as size,
//           microtiming as place); drawn when the pattern, DENSITY, LENGTH or the size changes
//   live    the playhead and the hits as they sound; drawn every frame while something moves
//
// On a narrow screen one bar may fill the width.

const FLASH_MS = 420;
const RULER = 26; // pixels above the rows
const BAR_GAP = 8; // between the two bars
const WIDEST = 254; // of the offsets as they are told, for one step
const SWING_STEPS = 0.5; // delay of odd steps at full swing
const NARROW_PIXELS = 420;

export class Grid {
  constructor(place) {
    this.place = place;
    this.bar = null; // the only bar that is shown
    this.still = place.querySelector("#grid-still");
    this.live = place.querySelector("#grid-live");
    this.cells = null;
    this.playing = false;
    this.flashes = new Map(); // "voice,column" -> {at, velocity}
    this.table = null;
    this.dirty = true;
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    new ResizeObserver(() => this.resize()).observe(place);
  }

  build(table) {
    this.table = table;
    this.dress();
  }

  /** Reads the colours of the theme. */
  dress() {
    const style = getComputedStyle(this.place);
    const read = (name) => style.getPropertyValue(name).trim();
    this.colors = {
      cell: read("--cell"), beat: read("--cell-beat"), line: read("--line"), ink: read("--ink"), soft: read("--soft"),
      head: read("--head"), flash: read("--flash"), core: Number(read("--flash-core")) || 1, chosen: read("--raise"),
      voices: Array.from({ length: 9 }, (_, index) => read(`--voice-${index}`)),
    };
    this.dirty = true;
  }

  resize() {
    const { width, height } = this.place.getBoundingClientRect();
    const scale = Math.min(window.devicePixelRatio || 1, 3);
    for (const canvas of [this.still, this.live]) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    Object.assign(this, { width, height, scale, dirty: true });
    if (width > NARROW_PIXELS) this.bar = null;
    this.place.classList.toggle("narrow", width <= NARROW_PIXELS);
  }

  /** Only this bar, or (null) all of them. */
  zoom(bar) {
    this.bar = bar;
    this.dirty = true;
  }

  take(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const { steps, voices } = this.table;
    const rows = voices.length;
    this.cells = Array.from({ length: rows }, (_, voice) =>
      Array.from({ length: steps }, (_, step) => {
        const at = (step * rows + voice) * 3;
        const offset = bytes[at + 2] > 127 ? bytes[at + 2] - 256 : bytes[at + 2];
        return { level: bytes[at] / 255, velocity: bytes[at + 1] / 255, offset: offset / WIDEST };
      }),
    );
    this.dirty = true;
  }

  /** what decides which of the wanted hits are played, and how */
  choose({ from, mutes, length, voiceLengths, humanize, swing, voice }) {
    Object.assign(this, { from, mutes, length, voiceLengths, humanize, swing, voice });
    this.dirty = true;
  }

  velocity(voice, step) {
    return this.cells?.[voice][step].velocity ?? 0;
  }

  plays(voice, step) {
    return Boolean(this.cells) && step < this.lengthOf(voice) && this.cells[voice][step].level >= (this.from?.[voice] ?? 0.5);
  }

  lengthOf(voice) {
    return Math.min(this.length ?? 32, this.voiceLengths?.[voice] ?? 32);
  }

  /** the middle of a hit, in cells from the left of its own: microtiming and swing */
  shift(voice, step) {
    return 0.5 + (this.cells?.[voice][step].offset ?? 0) * (this.humanize ?? 1) + (step % 2) * (this.swing ?? 0) * SWING_STEPS;
  }

  /** a hit sounds now */
  flash(voice, step, velocity, now) {
    if (step >= 0) this.flashes.set(`${voice},${step % this.lengthOf(voice)}`, { at: now, velocity });
  }

  words() {
    if (!this.cells) return "No pattern yet.";
    return this.table.voices
      .map(({ label }, voice) => {
        const places = this.cells[voice].map((_, step) => step + 1).filter((step) => this.plays(voice, step - 1));
        return places.length ? `${label} on ${places.join(", ")}` : "";
      })
      .filter(Boolean)
      .join("; ");
  }

  x(column) {
    const { steps, steps_per_bar } = this.table;
    if (this.bar !== null) {
      const wide = this.width / steps_per_bar;
      return [(column - this.bar * steps_per_bar) * wide, wide];
    }
    const bars = steps / steps_per_bar;
    const cell = (this.width - BAR_GAP * (bars - 1)) / steps;
    return [column * cell + Math.floor(column / steps_per_bar) * BAR_GAP, cell];
  }

  /** is this step in the part that is shown? */
  shows(step) {
    return this.bar === null || Math.floor(step / this.table.steps_per_bar) === this.bar;
  }

  /** voice and step under a point of the page, or null above the rows */
  cell(event) {
    const box = this.place.getBoundingClientRect();
    const [left, top] = [event.clientX - box.left, event.clientY - box.top - RULER];
    const { steps, voices } = this.table;
    if (top < 0 || top >= this.height - RULER) return null;
    const voice = Math.floor((top / (this.height - RULER)) * voices.length);
    let step = steps - 1;
    while (step > 0 && (!this.shows(step) || this.x(step)[0] > left)) step -= 1;
    return this.shows(step) ? [voice, step] : [voice, this.bar * this.table.steps_per_bar];
  }

  y(voice) {
    const row = (this.height - RULER) / this.table.voices.length;
    return [RULER + voice * row, row];
  }

  /** returns whether anything still moves */
  draw(now, place) {
    if (!this.table || !this.width) return false;
    if (this.dirty) {
      this.drawStill();
      this.dirty = false;
      this.place.setAttribute("aria-label", `The pattern: ${this.words()}`);
    }
    return this.drawLive(now, place);
  }

  drawStill() {
    const { steps, steps_per_beat, steps_per_bar, voices } = this.table;
    const pen = this.still.getContext("2d");
    pen.setTransform(this.scale, 0, 0, this.scale, 0, 0);
    pen.clearRect(0, 0, this.width, this.height);
    pen.font = `600 11px ${getComputedStyle(this.place).fontFamily}`;
    pen.textBaseline = "middle";
    for (let step = 0; step < steps; step += steps_per_beat) {
      if (!this.shows(step)) continue;
      const [x] = this.x(step);
      const first = step % steps_per_bar === 0;
      pen.fillStyle = first ? this.colors.ink : this.colors.soft;
      pen.globalAlpha = step < (this.length ?? 32) ? 1 : 0.35;
      const bar = step / steps_per_bar + 1;
      pen.fillText(first ? String(bar) : `${Math.floor(bar)}.${((step % steps_per_bar) / steps_per_beat) + 1}`, x + 2, RULER / 2 - 2);
    }
    voices.forEach((_, voice) => {
      const [y, row] = this.y(voice);
      const tint = this.colors.voices[voice];
      const muted = (this.mutes?.[voice] ?? 0) >= 0.5;
      if (voice === this.voice) {
        pen.globalAlpha = 1;
        pen.fillStyle = this.colors.chosen;
        box(pen, 0, y, this.width, row, 8);
      }
      for (let step = 0; step < steps; step += 1) {
        if (!this.shows(step)) continue;
        const [x, cell] = this.x(step);
        const pad = Math.max(0.5, Math.min(cell * 0.06, 2));
        const inside = step < this.lengthOf(voice);
        pen.globalAlpha = inside ? 1 : 0.28;
        pen.fillStyle = Math.floor(step / steps_per_beat) % 2 ? this.colors.cell : this.colors.beat;
        box(pen, x + pad, y + pad, cell - 2 * pad, row - 2 * pad, Math.min(cell, row) * 0.2);
        const { level } = this.cells?.[voice][step] ?? { level: 0 };
        const velocity = this.velocity(voice, step);
        if (level > 0.03) {
          pen.fillStyle = tint;
          pen.globalAlpha = (inside ? 1 : 0.28) * (muted ? 0.25 : 1) * 0.3 * level;
          box(pen, x + pad, y + pad, cell - 2 * pad, row - 2 * pad, Math.min(cell, row) * 0.2);
        }
        if (this.plays(voice, step)) {
          pen.fillStyle = tint;
          pen.globalAlpha = muted ? 0.28 : 1;
          const radius = this.radius(velocity, cell, row);
          pen.beginPath();
          pen.arc(x + this.shift(voice, step) * cell, y + row / 2, radius, 0, 2 * Math.PI);
          pen.fill();
        }
      }
    });
    pen.globalAlpha = 1;
  }

  radius(velocity, cell, row) {
    return (0.14 + 0.26 * velocity) * Math.min(cell * 1.15, row);
  }

  drawLive(now, place) {
    const pen = this.live.getContext("2d");
    pen.setTransform(this.scale, 0, 0, this.scale, 0, 0);
    pen.clearRect(0, 0, this.width, this.height);
    if (place !== null) this.drawHead(pen, place);
    for (const [key, { at, velocity }] of this.flashes) {
      const age = (now - at) / FLASH_MS;
      if (age >= 1) {
        this.flashes.delete(key);
        continue;
      }
      const [voice, column] = key.split(",").map(Number);
      if (!this.shows(column)) continue;
      const [x, cell] = this.x(column);
      const [y, row] = this.y(voice);
      const middle = x + this.shift(voice, column) * cell;
      const left = (1 - age) ** 2;
      const radius = this.radius(velocity, cell, row);
      const grow = this.calm.matches ? 1 : 1 + 0.9 * age;
      pen.fillStyle = this.colors.voices[voice];
      pen.globalAlpha = 0.5 * left;
      circle(pen, middle, y + row / 2, radius * 1.75 * grow);
      pen.globalAlpha = 1 - age;
      circle(pen, middle, y + row / 2, radius * 1.12);
      pen.fillStyle = this.colors.flash;
      pen.globalAlpha = left;
      circle(pen, middle, y + row / 2, radius * this.colors.core);
    }
    pen.globalAlpha = 1;
    return place !== null || this.flashes.size > 0;
  }

  drawHead(pen, place) {
    const length = this.length ?? 32;
    const column = Math.floor(place) % length;
    if (!this.shows(column)) return;
    const [x, cell] = this.x(column);
    pen.fillStyle = this.colors.head;
    pen.globalAlpha = 0.09;
    box(pen, x, RULER, cell, this.height - RULER, Math.min(cell * 0.2, 5));
    const through = this.calm.matches ? 0 : place - Math.floor(place);
    pen.globalAlpha = 0.85;
    box(pen, x + through * cell - 1, RULER - 5, 2, this.height - RULER + 5, 1);
    box(pen, x, RULER - 5, cell, 2.5, 1.2);
  }
}

function box(pen, x, y, width, height, radius) {
  pen.beginPath();
  pen.roundRect(x, y, width, height, radius);
  pen.fill();
}

function circle(pen, x, y, radius) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.fill();
}
