// One knob: an SVG dial that is a slider for mouse, touch, wheel, keyboard and screen readers.

const SVG = "http://www.w3.org/2000/svg";
const SWEEP = 270; // degrees
const DRAG_PIXELS = 220; // from one end to the other
const WHEEL_PIXELS = 4000;
const FINE = 5; // times finer with Alt or Ctrl
const TRUST_MS = 350; // after a turn the knob shows the hand, not what the server still says
const RADIUS = 42;
const DOUBLE_TAP_MS = 320;

export function arc(from, to) {
  const at = (share) => {
    const angle = ((share * SWEEP - SWEEP / 2 - 90) * Math.PI) / 180;
    return `${(50 + RADIUS * Math.cos(angle)).toFixed(2)} ${(50 + RADIUS * Math.sin(angle)).toFixed(2)}`;
  };
  const [low, high] = from < to ? [from, to] : [to, from];
  if (high - low < 0.002) return "";
  return `M${at(low)}A${RADIUS} ${RADIUS} 0 ${(high - low) * SWEEP > 180 ? 1 : 0} 1 ${at(high)}`;
}

/** How far one arrow key and one PageUp go, in positions. */
export function strides(entry, styles) {
  const span = entry.high - entry.low;
  if (entry.name === "style") return { fine: 0.01, coarse: 1 / Math.max(styles - 2, 1) };
  if (entry.name === "mute") return { fine: 1, coarse: 1 };
  if (span >= 20) return { fine: 1 / span, coarse: Math.min(10 / span, 0.5) };
  return { fine: 0.01, coarse: 0.1 };
}

const clamp = (value) => Math.min(Math.max(value, 0), 1);

export class Knob {
  /** hand: {turned(entry, position), learn(entry, on), explain(entry | null)} */
  constructor(place, hand) {
    this.hand = hand;
    this.entry = null;
    this.text = "";
    this.shown = 0;
    this.turnedAt = -Infinity;
    this.element = document.createElement("div");
    this.element.className = "knob";
    this.element.tabIndex = 0;
    this.element.setAttribute("role", "slider");
    this.element.setAttribute("aria-valuemin", "0");
    this.element.setAttribute("aria-valuemax", "100");
    this.element.setAttribute("aria-orientation", "vertical");
    this.label = this.part("span", "label");
    this.dial = document.createElementNS(SVG, "svg");
    this.dial.setAttribute("viewBox", "0 0 100 100");
    this.dial.setAttribute("aria-hidden", "true");
    this.shape("path", "track").setAttribute("d", arc(0, 1));
    this.fill = this.shape("path", "fill");
    this.ghost = this.shape("path", "ghost");
    const body = this.shape("circle", "body");
    for (const [name, value] of Object.entries({ cx: 50, cy: 50, r: 32 })) body.setAttribute(name, value);
    this.pointer = this.shape("line", "pointer");
    for (const [name, value] of Object.entries({ x1: 50, x2: 50, y1: 22, y2: 33 })) this.pointer.setAttribute(name, value);
    this.element.append(this.dial);
    this.value = this.part("span", "value");
    place.append(this.element);
    this.listen();
  }

  part(tag, name) {
    const element = document.createElement(tag);
    element.className = name;
    this.element.append(element);
    return element;
  }

  shape(tag, name) {
    const element = document.createElementNS(SVG, tag);
    element.setAttribute("class", name);
    this.dial.append(element);
    return element;
  }

  /** Puts a parameter under the knob. */
  assign(entry, styles) {
    if (this.entry !== entry) this.drag = null;
    this.entry = entry;
    this.strides = strides(entry, styles);
    this.label.textContent = entry.label;
    this.element.dataset.parameter = entry.name;
    this.element.setAttribute("aria-label", entry.label);
    this.element.setAttribute("aria-description", entry.help);
    this.element.classList.toggle("of-voice", entry.per_voice);
    this.centre = entry.low < 0 ? -entry.low / (entry.high - entry.low) : 0;
    this.turnedAt = -Infinity;
  }

  /** What the instrument says; the hand goes first while it turns. */
  show(position, text) {
    if (text !== undefined && this.text !== text) {
      this.text = text;
      this.value.textContent = text.replace("semitones", "st");
      this.element.setAttribute("aria-valuetext", text);
    }
    if (!this.drag && performance.now() - this.turnedAt > TRUST_MS) this.draw(position);
  }

  draw(position) {
    this.shown = position;
    this.fill.setAttribute("d", arc(this.centre, position));
    this.pointer.setAttribute("transform", `rotate(${(position * SWEEP - SWEEP / 2).toFixed(2)} 50 50)`);
    this.element.setAttribute("aria-valuenow", Math.round(position * 100));
  }

  /** Where the hand on the box's own knob stands while it catches up with the value; null: it has, or there is none. */
  haunt(position) {
    if (position === this.haunted) return;
    this.haunted = position;
    if (position === null) this.ghost.removeAttribute("d");
    else {
      const angle = ((position * SWEEP - SWEEP / 2 - 90) * Math.PI) / 180;
      const at = (radius) => `${(50 + radius * Math.cos(angle)).toFixed(2)} ${(50 + radius * Math.sin(angle)).toFixed(2)}`;
      this.ghost.setAttribute("d", `M${at(RADIUS - 5)}L${at(RADIUS + 6)}`);
    }
    this.element.classList.toggle("haunted", position !== null);
  }

  /** Waits for a MIDI controller, or not. */
  waits(learning) {
    this.learning = learning;
    this.element.classList.toggle("learning", learning);
  }

  turn(position) {
    const wanted = clamp(position);
    this.turnedAt = performance.now();
    if (wanted === this.shown) return;
    this.draw(wanted);
    this.hand.turned(this.entry, wanted);
  }

  listen() {
    const element = this.element;
    let tappedAt = -Infinity;
    element.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      event.preventDefault();
      element.focus({ preventScroll: true });
      element.setPointerCapture(event.pointerId);
      this.drag = { id: event.pointerId, y: event.clientY, position: this.shown, moved: 0 };
      element.classList.add("held");
    });
    element.addEventListener("pointermove", (event) => {
      if (!this.drag || this.drag.id !== event.pointerId) return;
      const step = (this.drag.y - event.clientY) / DRAG_PIXELS / (event.altKey || event.ctrlKey ? FINE : 1);
      this.drag.moved += Math.abs(this.drag.y - event.clientY);
      this.drag.y = event.clientY;
      this.drag.position = clamp(this.drag.position + step);
      this.turn(this.drag.position);
    });
    const let_go = (event) => {
      if (!this.drag || this.drag.id !== event.pointerId) return;
      const tap = this.drag.moved < 4;
      this.drag = null;
      element.classList.remove("held");
      if (!tap || event.type !== "pointerup") return;
      if (performance.now() - tappedAt < DOUBLE_TAP_MS) this.turn(this.entry.default);
      tappedAt = performance.now();
    };
    for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) element.addEventListener(name, let_go);
    element.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        const pixels = event.deltaMode === 1 ? event.deltaY * 33 : event.deltaY || event.deltaX;
        this.turn(this.shown - pixels / WHEEL_PIXELS / (event.altKey || event.ctrlKey ? FINE : 1));
      },
      { passive: false },
    );
    element.addEventListener("keydown", (event) => {
      const { fine, coarse } = this.strides;
      const move = {
        ArrowUp: fine, ArrowRight: fine, ArrowDown: -fine, ArrowLeft: -fine,
        PageUp: coarse, PageDown: -coarse, Home: -1, End: 1,
      }[event.key];
      if (move !== undefined) {
        event.preventDefault();
        this.turn(this.shown + move);
      } else if (event.key === "Delete" || event.key === "Backspace") {
        event.preventDefault();
        this.turn(this.entry.default);
      } else if (event.key.toLowerCase() === "m" && !event.ctrlKey && !event.metaKey && !event.altKey) {
        event.preventDefault();
        this.hand.learn(this.entry, !this.learning);
      }
    });
    element.addEventListener("contextmenu", (event) => {
      event.preventDefault();
      if (event.pointerType !== "touch") this.hand.learn(this.entry, !this.learning);
    });
    for (const name of ["pointerenter", "focus"]) element.addEventListener(name, () => this.hand.explain(this.entry));
    for (const name of ["pointerleave", "blur"]) element.addEventListener(name, () => this.hand.explain(null));
  }
}
