// The nine voices, beside their rows of the grid: play, choose, mute, and how loud each is.

export class Voices {
  /** hand: {choose(voice), hit(voice), mute(voice, muted), explain(text | null)} */
  constructor(place, hand) {
    this.place = place;
    this.hand = hand;
    this.rows = [];
  }

  build(table) {
    this.place.replaceChildren();
    this.rows = table.voices.map(({ name, label }, index) => {
      const row = document.createElement("div");
      row.className = "voice";
      row.style.setProperty("--tint", `var(--voice-${index})`);
      const pad = this.button(row, "pad", String(index + 1), `${index + 1}: play ${label}`, `Plays ${label} now (key ${index + 1}).`);
      const pick = this.button(row, "pick", "", null, `Puts ${label} under the sound knobs.`);
      const title = document.createElement("b");
      title.textContent = label;
      const sound = document.createElement("small");
      pick.append(title, " ", sound);
      const meter = document.createElement("span");
      meter.className = "meter";
      meter.append(document.createElement("i"));
      row.append(meter);
      const mute = this.button(row, "mute", "", `Mute ${label}`, `Silences the pattern of ${label}; it can still be played by hand.`);
      mute.innerHTML =
        '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M4 9.5v5h3.5L12 18.5v-13L7.5 9.5z" fill="currentColor"/>' +
        '<path class="waves" d="M15.5 8.5a5 5 0 0 1 0 7" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round"/>' +
        '<path class="cross" d="M15.5 9.5l5 5m0-5l-5 5" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round"/></svg>';
      pad.addEventListener("pointerdown", (event) => {
        if (event.button !== 0) return;
        event.preventDefault();
        this.hand.hit(index);
      });
      pad.addEventListener("click", (event) => event.detail === 0 && this.hand.hit(index));
      pick.addEventListener("click", () => this.hand.choose(index));
      mute.addEventListener("click", () => this.hand.mute(index, mute.getAttribute("aria-pressed") !== "true"));
      this.place.append(row);
      return { row, pad, pick, sound, mute, meter: meter.firstChild, name };
    });
  }

  button(row, kind, text, label, help) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = kind;
    button.textContent = text;
    if (label) button.setAttribute("aria-label", label);
    button.setAttribute("aria-description", help);
    for (const name of ["pointerenter", "focus"]) button.addEventListener(name, () => this.hand.explain(help));
    for (const name of ["pointerleave", "blur"]) button.addEventListener(name, () => this.hand.explain(null));
    row.append(button);
    return button;
  }

  show(state) {
    const mutes = state.positions.mute ?? [];
    this.rows.forEach(({ row, pick, sound, mute, name }, index) => {
      const chosen = index === state.voice;
      const muted = (mutes[index] ?? 0) >= 0.5;
      const heard = soundName(state.sounds[index] ?? name);
      row.classList.toggle("chosen", chosen);
      row.classList.toggle("muted", muted);
      pick.setAttribute("aria-pressed", String(chosen));
      sound.textContent = (state.sounds[index] ?? name) === name ? "" : heard;
      mute.setAttribute("aria-pressed", String(muted));
    });
  }

  level(index, share) {
    this.rows[index].meter.style.transform = `scaleX(${share.toFixed(3)})`;
  }

  flash(index) {
    const { pad } = this.rows[index] ?? {};
    if (!pad) return;
    pad.classList.remove("hit");
    void pad.offsetWidth; // starts the animation again
    pad.classList.add("hit");
  }
}

export function soundName(name) {
  return name.replaceAll("_", " ");
}
