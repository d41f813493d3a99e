// What leaves the page as a file, and the box's little screen.

const SCREEN_MS = 200;

export class Takes {
  /** places: {midi, wav, record, screen}; hand: {tell(text, kind), explain(text | null)} */
  constructor(places, hand) {
    Object.assign(this, { places, hand });
    this.explain(places.midi, "MIDI: what plays now as a standard MIDI file, eight bars.");
    this.explain(places.wav, "WAV: what plays now as sound, eight bars and the last sounds ringing out.");
    this.explain(places.record, "Record: keeps everything you hear as a WAV file until you press it again.");
    for (const kind of ["midi", "wav"]) places[kind].addEventListener("click", () => this.take(kind));
    places.record.addEventListener("click", () => this.ask(`record/${this.recording ? "stop" : "start"}`));
    places.screen.addEventListener("load", () => this.next());
    places.screen.addEventListener("error", () => this.next());
  }

  explain(button, text) {
    button.setAttribute("aria-description", text);
    for (const name of ["pointerenter", "focus"]) button.addEventListener(name, () => this.hand.explain(text));
    for (const name of ["pointerleave", "blur"]) button.addEventListener(name, () => this.hand.explain(null));
  }

  /** POST; the answer, or null when the instrument has said why not */
  async ask(path) {
    try {
      const answer = await fetch(path, { method: "POST" });
      if (answer.ok) return answer;
      this.hand.tell((await answer.text()).trim(), "wrong");
    } catch {
      this.hand.tell("The instrument does not answer.", "wrong");
    }
    return null;
  }

  async take(kind) {
    const button = this.places[kind];
    button.disabled = true;
    const answer = await this.ask(`take/${kind}`);
    button.disabled = false;
    if (!answer) return;
    const name = /filename="(.+)"/.exec(answer.headers.get("Content-Disposition"))?.[1] ?? `latido.${kind}`;
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(await answer.blob()), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    this.hand.tell(`${name} is yours.`);
  }

  show(recording) {
    if (recording && !this.recording) this.hand.tell(`Recording to ${recording}.`);
    this.recording = recording;
    this.places.record.setAttribute("aria-pressed", String(Boolean(recording)));
    const label = recording ? "Stop recording" : "Record";
    if (this.places.record.textContent !== label) this.places.record.textContent = label;
  }

  /** The little screen, as long as it is looked at. */
  watch(open) {
    this.open = open;
    if (open) this.look();
  }

  next() {
    clearTimeout(this.timer);
    if (this.open) this.timer = setTimeout(() => this.look(), document.hidden ? 5 * SCREEN_MS : SCREEN_MS);
  }

  look() {
    this.places.screen.src = `screen.png?${Date.now()}`;
  }
}
