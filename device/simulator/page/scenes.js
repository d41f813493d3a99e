// Sixteen scenes, the two kept places with the morph between them, and the song: everything that is remembered.

const HOLD_MS = 600; // a pad held so long saves
const REPEATS = [1, 2, 4, 8, 16];
const LONGEST = 64;

export class Scenes {
  /** places: elements by name; hand: {say(message), explain(text | null), shiftDown(), tell(text)} */
  constructor(places, hand) {
    Object.assign(this, { places, hand });
    this.saved = [];
    this.words = [];
    this.scene = -1;
    this.next = null;
    this.song = [];
    this.pads = Array.from({ length: 16 }, (_, index) => this.pad(index));
    places.scenes.append(...this.pads);
    this.sides = [places.keepA, places.keepB];
    this.sides.forEach((button, index) => {
      const side = "ab"[index];
      const help = `${side.toUpperCase()}: keeps what plays now as ${index ? "the other" : "one"} end of the morph.`;
      this.explains(button, help);
      button.addEventListener("click", () => {
        hand.say({ type: "keep", side });
      });
    });
    this.explains(places.morph, "Morph: moves between the two places kept as A and B.");
    places.morph.addEventListener("input", () => {
      this.morphedAt = performance.now();
      hand.morph(Number(places.morph.value) / 1000);
    });
    this.explains(places.playSong, "Song: plays the scenes of the chain one after the other, from the next first bar on.");
    places.playSong.addEventListener("click", () => hand.say({ type: "play_song", on: places.playSong.getAttribute("aria-pressed") !== "true" }));
    this.explains(places.addSong, "Adds the scene that plays to the song.");
    places.addSong.addEventListener("click", () => this.add());
  }

  explains(element, text) {
    element.setAttribute("aria-description", text);
    for (const name of ["pointerenter", "focus"]) element.addEventListener(name, () => this.hand.explain(text));
    for (const name of ["pointerleave", "blur"]) element.addEventListener(name, () => this.hand.explain(null));
  }

  pad(index) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "scene";
    button.textContent = index + 1;
    let timer = null;
    let stored = false; // by this very press
    const stop = () => {
      clearTimeout(timer);
      timer = null;
      button.classList.remove("holding");
    };
    const store = () => {
      stop();
      stored = true;
      this.save(index);
    };
    button.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      stored = false;
      if (this.hand.shiftDown()) return;
      button.classList.add("holding");
      timer = setTimeout(store, HOLD_MS);
    });
    for (const name of ["pointerup", "pointercancel", "pointerleave"]) button.addEventListener(name, stop);
    button.addEventListener("contextmenu", (event) => event.preventDefault());
    button.addEventListener("click", (event) => {
      if (stored && event.detail) stored = false;
      else if (event.shiftKey || this.hand.shiftDown()) {
        this.hand.useShift();
        this.save(index);
      } else this.recall(index);
    });
    button.addEventListener("keydown", (event) => {
      const to = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 8, ArrowUp: -8 }[event.key];
      if (to) {
        event.preventDefault();
        this.pads[(index + to + 16) % 16].focus();
      } else if ((event.key === "Delete" || event.key === "Backspace") && this.saved[index]) {
        event.preventDefault();
        this.hand.say({ type: "scene", action: "clear", scene: index });
      }
    });
    for (const name of ["pointerenter", "focus"]) button.addEventListener(name, () => this.hand.explain(this.help(index)));
    for (const name of ["pointerleave", "blur"]) button.addEventListener(name, () => this.hand.explain(null));
    return button;
  }

  help(index) {
    const name = `Scene ${index + 1}`;
    if (!this.saved[index]) return `${name} is empty: hold it, or press it with SHIFT, to save what plays.`;
    const words = this.words[index] ? ` (${this.words[index]})` : "";
    return `${name}${words}: press to play it from the next bar on; hold, or press with SHIFT, to save over it; Delete empties it.`;
  }

  save(index) {
    this.hand.say({ type: "scene", action: "save", scene: index });
  }

  recall(index) {
    if (!this.saved[index]) {
      this.hand.tell(`Scene ${index + 1} is empty: hold it to save what plays.`);
      return;
    }
    this.next = index;
    this.hand.say({ type: "scene", action: "recall", scene: index });
    this.draw();
  }

  show({ scenes, scene, scene_words, playing, next_scene }) {
    if (scene !== this.scene || !playing) this.next = null;
    if (next_scene !== undefined) this.next = next_scene >= 0 ? next_scene : null;
    Object.assign(this, { saved: scenes ?? [], words: scene_words ?? [], scene });
    this.draw();
  }

  draw() {
    this.pads.forEach((button, index) => {
      const kind = index === this.next && index !== this.scene ? "next" : this.saved[index] ? (index === this.scene ? "playing" : "saved") : "empty";
      if (button.dataset.kind === kind && button.dataset.words === (this.words[index] ?? "")) return;
      button.dataset.kind = kind;
      button.dataset.words = this.words[index] ?? "";
      const said = { next: "comes at the bar", playing: "plays", saved: "saved", empty: "empty" }[kind];
      button.setAttribute("aria-label", `Scene ${index + 1}, ${said}${this.words[index] ? `, ${this.words[index]}` : ""}`);
      button.setAttribute("aria-pressed", String(kind === "playing"));
    });
  }

  showMorph(position, kept = [false, false]) {
    this.sides.forEach((button, index) => button.setAttribute("aria-pressed", String(Boolean(kept[index]))));
    const { morph } = this.places;
    morph.disabled = !(kept[0] && kept[1]);
    if (performance.now() - (this.morphedAt ?? -Infinity) > 350) morph.value = Math.round(position * 1000);
    morph.setAttribute("aria-valuetext", `${Math.round(position * 100)} % from A to B`);
  }

  showSong(song = [], at = -1) {
    this.song = song;
    const { chain, playSong } = this.places;
    playSong.disabled = song.length === 0;
    playSong.setAttribute("aria-pressed", String(at >= 0));
    const focused = [...chain.children].indexOf(document.activeElement);
    chain.replaceChildren(...song.map((entry, index) => this.link(entry, index, at)));
    if (focused >= 0) (chain.children[Math.min(focused, song.length - 1)] ?? this.places.addSong).focus();
  }

  link([scene, repeats], index, at) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "link";
    button.innerHTML = "<b></b><small></small>";
    button.querySelector("b").textContent = scene + 1;
    button.querySelector("small").textContent = `×${repeats}`;
    button.classList.toggle("now", index === at);
    button.setAttribute("aria-label", `Song, part ${index + 1}: scene ${scene + 1}, ${repeats} times${index === at ? ", plays" : ""}`);
    this.explains(button, "Press for more repeats (1, 2, 4, 8, 16, then out of the song); Delete takes it out.");
    button.addEventListener("click", () => {
      const more = REPEATS.find((count) => count > repeats);
      this.sing(this.song.flatMap((entry, place) => (place !== index ? [entry] : more ? [[scene, more]] : [])));
    });
    button.addEventListener("keydown", (event) => {
      if (event.key !== "Delete" && event.key !== "Backspace") return;
      event.preventDefault();
      this.sing(this.song.filter((_, place) => place !== index));
    });
    return button;
  }

  add() {
    if (!this.saved[this.scene]) this.hand.tell("Save a scene first: hold one of the sixteen.");
    else if (this.song.length >= LONGEST) this.hand.tell(`A song has at most ${LONGEST} parts.`);
    else this.sing([...this.song, [this.scene, 2]]);
  }

  sing(entries) {
    this.hand.say({ type: "song", entries });
  }
}
