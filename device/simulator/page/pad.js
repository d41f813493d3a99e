// A place in a plane, under a finger: one dot that is X and Y at once. Touch the plane and the dot comes;
// take the dot itself and it moves along without a jump. Arrow keys walk it.

const GRAB_PIXELS = 26;
const TRUST_MS = 350; // after a move the dot shows the hand, not what the server still says
const FINE = 5; // times finer with Alt or Ctrl
const STRIDE = 0.02;
const STRIDES = {
  ArrowLeft: [-STRIDE, 0], ArrowRight: [STRIDE, 0], ArrowDown: [0, -STRIDE], ArrowUp: [0, STRIDE],
  Home: [-1, 0], End: [1, 0], PageDown: [0, -0.1], PageUp: [0, 0.1],
};
const clamp = (share) => Math.min(Math.max(share, 0), 1);

export class Pad {
  /** place: holds canvases and a .dot; hand: {placed(x, y), explain(text | null), looked(place | null)} */
  constructor(place, help, hand) {
    this.place = place;
    this.hand = hand;
    this.dot = place.querySelector(".dot");
    this.still = place.querySelector("canvas");
    this.live = place.querySelector("canvas + canvas") ?? this.still;
    this.x = this.y = 0.5;
    this.movedAt = -Infinity;
    this.dirty = true;
    new ResizeObserver(() => this.resize()).observe(place);
    this.listen(help);
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.place;
    const scale = Math.min(window.devicePixelRatio || 1, 3);
    for (const canvas of new Set([this.still, this.live])) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    Object.assign(this, { width, height, scale, dirty: true });
    this.draw();
  }

  pen(canvas) {
    const pen = canvas.getContext("2d");
    pen.setTransform(this.scale, 0, 0, this.scale, 0, 0);
    pen.clearRect(0, 0, this.width, this.height);
    return pen;
  }

  /** pixels from the left and the top; y goes up */
  pixels(x, y) {
    return [x * this.width, (1 - y) * this.height];
  }

  /** What the instrument says; the hand goes first while it moves. */
  show(x, y, text) {
    this.dot.setAttribute("aria-valuetext", text);
    if (!this.drag && performance.now() - this.movedAt > TRUST_MS) this.put(x, y);
  }

  put(x, y) {
    this.x = x;
    this.y = y;
    this.dot.style.left = `${(100 * x).toFixed(2)}%`;
    this.dot.style.top = `${(100 * (1 - y)).toFixed(2)}%`;
    this.dot.setAttribute("aria-valuenow", Math.round(x * 100));
  }

  move(x, y) {
    this.movedAt = performance.now();
    this.put(clamp(x), clamp(y));
    this.hand.placed(this.x, this.y);
  }

  at(event) {
    const box = this.place.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height];
  }

  draw() {}

  listen(help) {
    const { place, dot } = this;
    dot.setAttribute("aria-description", help);
    dot.setAttribute("aria-valuemin", "0");
    dot.setAttribute("aria-valuemax", "100");
    place.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || event.target.closest("button, select")) return;
      event.preventDefault();
      dot.focus({ preventScroll: true, focusVisible: false });
      place.setPointerCapture(event.pointerId);
      const [x, y] = this.at(event);
      const far = Math.hypot((x - this.x) * this.width, (y - this.y) * this.height);
      this.drag = { id: event.pointerId, x, y };
      place.classList.add("held");
      if (far > GRAB_PIXELS) this.move(x, y);
    });
    place.addEventListener("pointermove", (event) => {
      const [x, y] = this.at(event);
      this.hand.looked?.([clamp(x), clamp(y)]);
      if (this.drag?.id !== event.pointerId) return;
      const finer = event.altKey || event.ctrlKey ? FINE : 1;
      this.move(this.x + (x - this.drag.x) / finer, this.y + (y - this.drag.y) / finer);
      if (x >= 0 && x <= 1) this.drag.x = x; // outside the dot waits at the border
      if (y >= 0 && y <= 1) this.drag.y = y;
    });
    const letGo = (event) => {
      if (this.drag?.id !== event.pointerId) return;
      this.drag = null;
      place.classList.remove("held");
    };
    for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) place.addEventListener(name, letGo);
    dot.addEventListener("keydown", (event) => {
      const stride = STRIDES[event.key];
      const home = event.key === "Delete" || event.key === "Backspace";
      if (!stride && !home) return;
      event.preventDefault();
      if (home) this.move(...this.home());
      else {
        const finer = event.altKey || event.ctrlKey ? FINE : 1;
        this.move(this.x + stride[0] / finer, this.y + stride[1] / finer);
      }
    });
    place.addEventListener("pointerenter", () => this.hand.explain(help));
    place.addEventListener("pointerleave", () => {
      this.hand.explain(null);
      this.hand.looked?.(null);
    });
    dot.addEventListener("focus", () => this.hand.explain(help));
    dot.addEventListener("blur", () => this.hand.explain(null));
  }

  /** where Delete leads */
  home() {
    return [0.5, 0.5];
  }
}
