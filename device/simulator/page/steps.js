// The grid under a hand. A cell is edited where it is: a click (or Enter on the cursor) turns it on or off, a stroke
// along the row paints or wipes, a stroke up or down on a hit makes it louder or softer. Every edit is one that
// undo takes back.

import { Grid } from "./grid.js";

const NEW_VELOCITY = 0.8;
const SOFTEST = 0.05;
const VELOCITY_PIXELS = 90; // from silent to full
const DEAD_PIXELS = 5; // a finger that trembles
const TRUST_MS = 600; // after an edit the grid shows the hand, not what the instrument still says
const HELP = "Steps: click to set or clear one, drag along to paint, drag a hit up or down for its loudness.";
const KEYS_HELP = "Steps: arrow keys walk, Enter or space sets and clears, Page Up and Page Down make a hit louder and softer.";

export class Steps extends Grid {
  /** hand: {step(step, voice, on, velocity), wake(), explain(text | null)} */
  constructor(place, hand) {
    super(place);
    this.hand = hand;
    this.cursor = place.querySelector(".cursor");
    this.at = [0, 0]; // voice, step of the cursor
    this.stroke = null;
    this.touched = new Map(); // "voice,step" -> {on, velocity, at}: what the hand has just done
    this.listen();
  }

  build(table) {
    super.build(table);
    this.point(...this.at);
  }

  resize() {
    super.resize();
    if (this.table) this.point(...this.at);
  }

  zoom(bar) {
    super.zoom(bar);
    if (bar !== null && !this.shows(this.at[1])) this.at[1] = bar * this.table.steps_per_bar;
    this.point(...this.at);
  }

  take(text) {
    super.take(text);
    this.name();
  }

  choose(words) {
    super.choose(words);
    this.name();
  }

  /** the cell as the hand has just made it, if it has */
  touch(voice, step) {
    const touch = this.touched.get(`${voice},${step}`);
    const held = this.stroke?.voice === voice && this.stroke.from === step;
    if (touch && (held || performance.now() - touch.at < TRUST_MS)) return touch;
    if (touch) this.touched.delete(`${voice},${step}`);
    return null;
  }

  velocity(voice, step) {
    return this.touch(voice, step)?.velocity ?? super.velocity(voice, step);
  }

  plays(voice, step) {
    return this.touch(voice, step)?.on ?? super.plays(voice, step);
  }

  listen() {
    const { place, cursor } = this;
    place.addEventListener("pointerdown", (event) => {
      const cell = event.button === 0 && this.cells && this.cell(event);
      if (!cell) return;
      event.preventDefault();
      cursor.focus({ preventScroll: true, focusVisible: false });
      place.setPointerCapture(event.pointerId);
      const [voice, step] = cell;
      const on = this.plays(voice, step);
      this.stroke = { id: event.pointerId, voice, from: step, last: step, x: event.clientX, y: event.clientY, on, way: "", velocity: on ? this.velocity(voice, step) : NEW_VELOCITY };
      this.point(voice, step);
      this.stroke.waits = event.pointerType === "touch"; // a finger may be about to scroll the page
      if (!on && !this.stroke.waits) this.set(voice, step, true, NEW_VELOCITY);
    });
    place.addEventListener(
      "touchstart",
      (event) => {
        const cell = this.cells && this.cell(event.changedTouches[0]);
        if (cell && this.plays(...cell)) event.preventDefault(); // a hit under the finger: up and down is its loudness
      },
      { passive: false },
    );
    place.addEventListener("pointermove", (event) => {
      const { stroke } = this;
      if (stroke?.id !== event.pointerId) return;
      const [dx, dy] = [event.clientX - stroke.x, event.clientY - stroke.y];
      const [, wide] = this.x(stroke.from);
      if (!stroke.way && Math.abs(dy) > DEAD_PIXELS && Math.abs(dy) > Math.abs(dx) && (stroke.on || !stroke.waits)) stroke.way = "loudness";
      const cell = this.cell({ clientX: event.clientX, clientY: stroke.y });
      if (!stroke.way && Math.abs(dx) > Math.min(DEAD_PIXELS, wide / 2) && cell[1] !== stroke.from) stroke.way = "paint";
      if (stroke.way === "loudness") {
        const velocity = Math.min(Math.max(stroke.velocity - dy / VELOCITY_PIXELS, SOFTEST), 1);
        this.show(stroke.voice, stroke.from, true, velocity); // told when the finger lets go: one change, one undo
        this.hand.explain(`${this.table.voices[stroke.voice].label}, step ${stroke.from + 1}: loudness ${Math.round(100 * velocity)} %`);
      } else if (stroke.way === "paint") this.paint(cell[1]);
    });
    const letGo = (event) => {
      const { stroke } = this;
      if (stroke?.id !== event.pointerId) return;
      const velocity = this.velocity(stroke.voice, stroke.from);
      this.stroke = null;
      if (stroke.way === "loudness") {
        this.hand.explain(HELP);
        this.set(stroke.voice, stroke.from, true, velocity);
      }
      if (stroke.way || event.type !== "pointerup") return;
      if (stroke.on) this.set(stroke.voice, stroke.from, false);
      else if (stroke.waits) this.set(stroke.voice, stroke.from, true);
    };
    for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) place.addEventListener(name, letGo);
    cursor.addEventListener("click", (event) => event.detail === 0 && this.turn());
    cursor.addEventListener("keydown", (event) => this.key(event));
    place.addEventListener("pointerenter", () => this.hand.explain(HELP));
    place.addEventListener("pointerleave", () => this.hand.explain(null));
    cursor.addEventListener("focus", () => this.hand.explain(KEYS_HELP));
    cursor.addEventListener("blur", () => this.hand.explain(null));
    cursor.setAttribute("aria-description", KEYS_HELP);
  }

  /** a stroke along the row: every cell it passes becomes what the first one became */
  paint(step) {
    const { stroke } = this;
    const on = !stroke.on;
    if (stroke.last === stroke.from && this.plays(stroke.voice, stroke.from) !== on) this.set(stroke.voice, stroke.from, on);
    const way = Math.sign(step - stroke.last);
    while (stroke.last !== step) {
      stroke.last += way;
      if (this.plays(stroke.voice, stroke.last) !== on) this.set(stroke.voice, stroke.last, on, stroke.velocity);
    }
    this.point(stroke.voice, step);
  }

  set(voice, step, on, velocity = NEW_VELOCITY) {
    this.show(voice, step, on, velocity);
    this.hand.step(step, voice, on, velocity);
  }

  /** the cell as the hand has made it, until the instrument says so too */
  show(voice, step, on, velocity) {
    this.touched.set(`${voice},${step}`, { on, velocity, at: performance.now() });
    this.dirty = true;
    this.name();
    this.hand.wake();
    setTimeout(() => {
      this.dirty = true;
      this.hand.wake();
    }, TRUST_MS + 20);
  }

  turn() {
    if (!this.cells) return;
    const [voice, step] = this.at;
    this.set(voice, step, !this.plays(voice, step), NEW_VELOCITY);
  }

  key(event) {
    const { steps, voices } = this.table;
    const [voice, step] = this.at;
    const walk = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], Home: [0, -step], End: [0, steps - 1 - step] }[event.key];
    const louder = { PageUp: 0.1, PageDown: -0.1 }[event.key];
    if (!walk && !louder) return;
    event.preventDefault();
    if (!this.cursor.matches(":focus-visible")) {
      this.cursor.blur(); // it came under the hand by mouse: from now on it is seen, and space is its own
      this.cursor.focus({ preventScroll: true, focusVisible: true });
    }
    if (walk) {
      const to = (step + walk[1] + steps) % steps;
      if (this.bar !== null) this.zoomed?.(Math.floor(to / this.table.steps_per_bar));
      this.point((voice + walk[0] + voices.length) % voices.length, to);
    } else if (this.plays(voice, step)) this.set(voice, step, true, Math.min(Math.max(this.velocity(voice, step) + louder, SOFTEST), 1));
  }

  /** Puts the cursor on a cell. */
  point(voice, step) {
    this.at = [voice, step];
    if (!this.width) return;
    const [x, cell] = this.x(step);
    const [y, row] = this.y(voice);
    Object.assign(this.cursor.style, { left: `${x}px`, top: `${y}px`, width: `${cell}px`, height: `${row}px` });
    this.name();
  }

  name() {
    if (!this.table) return;
    const [voice, step] = this.at;
    const on = this.plays(voice, step);
    this.cursor.setAttribute("aria-checked", String(on));
    this.cursor.setAttribute("aria-label", `${this.table.voices[voice].label}, step ${step + 1}${on ? `, loudness ${Math.round(100 * this.velocity(voice, step))} %` : ""}`);
  }
}
