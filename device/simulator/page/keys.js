// The eight buttons, under a finger or under the computer's keyboard. Press and release both count.

const SHIFT_WAIT_MS = 120; // Shift + Tab walks backwards and is not SHIFT
const TAP_MS = 520; // after this a release of SHIFT is no tap

export class Keys {
  /** hand: {press(name), release(name), hit(voice), explain(text | null)} */
  constructor(place, hand) {
    this.place = place;
    this.hand = hand;
    this.buttons = new Map();
    this.down = new Map(); // name -> how many fingers and keys hold it
  }

  build(table) {
    this.place.replaceChildren();
    this.buttons.clear();
    for (const entry of table.buttons) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "key";
      button.dataset.button = entry.name;
      button.innerHTML = '<i class="light"></i><b></b> <small></small>';
      button.querySelector("b").textContent = entry.name;
      button.setAttribute("aria-keyshortcuts", entry.key === " " ? "Space" : entry.key);
      this.listen(button, entry);
      this.buttons.set(entry.name, { button, entry });
      this.place.append(button);
    }
    this.byKey = new Map(table.buttons.map((entry) => [entry.key, entry.name]));
    this.voices = table.voices.length;
    this.meaning("play");
  }

  /** Writes below each name what it does now. */
  meaning(page, shiftDown = false) {
    for (const { button, entry } of this.buttons.values()) {
      const words = shiftDown && entry.name !== "SHIFT" ? entry.shift : entry.press;
      button.querySelector("small").textContent = entry.name === "SHIFT" && page === "shift" ? "first page" : words;
      button.classList.toggle("second", shiftDown && entry.name !== "SHIFT");
    }
  }

  light(lights) {
    for (const [name, { button }] of this.buttons) {
      const light = lights[name] ?? "off";
      button.dataset.light = light;
      button.setAttribute("aria-pressed", String(light === "on" || light === "blink"));
    }
  }

  press(name) {
    const held = this.down.get(name) ?? 0;
    this.down.set(name, held + 1);
    if (held === 0) {
      if (name === "SHIFT") Object.assign(this, { shiftAt: performance.now(), shiftUsed: false });
      this.hand.press(name);
      this.mark(name, true);
    }
  }

  release(name) {
    const held = this.down.get(name) ?? 0;
    if (held === 0) return;
    const wait = name === "SHIFT" && held === 1 && this.shiftUsed ? TAP_MS - (performance.now() - this.shiftAt) : 0;
    this.shiftUsed &&= name !== "SHIFT";
    if (wait > 0) {
      this.mark(name, false); // the hand is off already
      setTimeout(() => this.release(name), wait);
      return;
    }
    this.down.set(name, held - 1);
    if (held === 1) {
      this.hand.release(name);
      this.mark(name, false);
    }
  }

  /** SHIFT was down for something the instrument knows nothing of: letting go of it is no tap. */
  useShift() {
    this.shiftUsed = true;
  }

  releaseAll() {
    this.shiftUsed = false;
    for (const [name, held] of this.down) {
      if (held) {
        this.down.set(name, 1);
        this.release(name);
      }
    }
  }

  mark(name, down) {
    this.buttons.get(name)?.button.classList.toggle("down", down);
    if (name === "SHIFT") this.hand.shifted(down);
  }

  listen(button, entry) {
    const fingers = new Set();
    button.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      event.preventDefault();
      button.setPointerCapture(event.pointerId);
      fingers.add(event.pointerId);
      this.press(entry.name);
    });
    const up = (event) => {
      if (fingers.delete(event.pointerId)) this.release(entry.name);
    };
    for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) button.addEventListener(name, up);
    button.addEventListener("contextmenu", (event) => event.preventDefault());
    button.addEventListener("click", (event) => {
      if (event.detail !== 0 || fingers.size) return; // a screen reader's click: nothing went down before it
      this.press(entry.name);
      this.release(entry.name);
    });
    const words = [
      `${entry.name}: ${entry.press}`,
      entry.hold && `hold: ${entry.hold}`,
      entry.shift && `with SHIFT: ${entry.shift}`,
      `key: ${entry.key === " " ? "space" : entry.key}`,
    ];
    const text = words.filter(Boolean).join(" · ");
    button.setAttribute("aria-description", text);
    for (const name of ["pointerenter", "focus"]) button.addEventListener(name, () => this.hand.explain(text));
    for (const name of ["pointerleave", "blur"]) button.addEventListener(name, () => this.hand.explain(null));
  }

  /** The computer's keyboard plays the whole panel. */
  listenToKeyboard(target) {
    const held = new Map(); // physical key -> button
    let shiftTimer = null;
    const shiftNow = () => {
      if (shiftTimer === null) return;
      clearTimeout(shiftTimer);
      shiftTimer = null;
      held.set("Shift", "SHIFT");
      this.press("SHIFT");
    };
    target.addEventListener("keydown", (event) => {
      if (event.repeat) {
        if (event.key === " " && !isControl(event.target)) event.preventDefault();
        return;
      }
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "Shift") {
        shiftTimer = setTimeout(shiftNow, SHIFT_WAIT_MS);
        return;
      }
      if (event.key === "Tab") {
        clearTimeout(shiftTimer);
        shiftTimer = null;
        return;
      }
      shiftNow();
      const focused = event.target.closest?.("[data-button]");
      const own = focused && focused.matches(":focus-visible") && (event.key === "Enter" || event.key === " ");
      if (!own && (event.key === " " || event.key === "Enter") && isControl(event.target)) return;
      const digit = /^Digit([1-9])$/.exec(event.code) ?? /^Numpad([1-9])$/.exec(event.code);
      if (digit && Number(digit[1]) <= this.voices) {
        event.preventDefault();
        this.hand.hit(Number(digit[1]) - 1);
        return;
      }
      const name = own ? focused.dataset.button : this.byKey?.get(event.key.length === 1 ? event.key.toLowerCase() : event.key);
      if (!name || held.has(event.code)) return;
      event.preventDefault();
      held.set(event.code, name);
      this.press(name);
    });
    target.addEventListener("keyup", (event) => {
      if (event.key === "Shift") {
        if (shiftTimer !== null) shiftNow();
        if (held.delete("Shift")) this.release("SHIFT");
        return;
      }
      const name = held.get(event.code);
      if (!name) return;
      event.preventDefault();
      held.delete(event.code);
      this.release(name);
    });
    target.addEventListener("keydown", (event) => {
      if (event.key === "Tab" && held.has("Shift")) this.useShift();
    });
    const letGo = () => {
      clearTimeout(shiftTimer);
      shiftTimer = null;
      held.clear();
      this.releaseAll();
    };
    window.addEventListener("blur", letGo);
    window.addEventListener("pagehide", letGo);
    document.addEventListener("visibilitychange", () => document.hidden && letGo());
  }
}

/** Something that itself answers to space and Enter (and is reached by keyboard). */
function isControl(element) {
  return Boolean(
    element.matches?.("button:not([data-button]), input, select, textarea, a[href], summary") && element.matches(":focus-visible"),
  );
}
