// The map X and Y move over: the learned one, or four scenes in its corners.

const GAP = "\u2003\u2003"; // a closed chip shows the number only
const NAMES = ["bottom left", "bottom right", "top left", "top right"];

export class Corners {
  /** buttons: {learned, corners}; hand: {say(message), explain(text | null)} */
  constructor(place, buttons, hand) {
    this.place = place;
    this.buttons = buttons;
    this.words = "";
    const help = {
      learned: "Learned: X and Y move over the map the model has laid out.",
      corners: "Corners: X and Y move between four scenes; choose one in each corner of the map.",
    };
    for (const [kind, button] of Object.entries(buttons)) {
      button.addEventListener("click", () => hand.say({ type: "map", kind }));
      button.setAttribute("aria-description", help[kind]);
      for (const name of ["pointerenter", "focus"]) button.addEventListener(name, () => hand.explain(help[kind]));
      for (const name of ["pointerleave", "blur"]) button.addEventListener(name, () => hand.explain(null));
    }
    this.selects = NAMES.map((name, corner) => {
      const select = document.createElement("select");
      select.className = `corner at-${corner}`;
      select.setAttribute("aria-label", `Corner ${name}`);
      select.addEventListener("change", () => hand.say({ type: "corner", corner, scene: select.value === "" ? null : Number(select.value) }));
      return select;
    });
    place.append(...this.selects.toReversed());
    this.options([], []);
  }

  scenes({ scenes, scene_words }) {
    this.options(scenes ?? [], scene_words ?? []);
  }

  options(saved, words) {
    const told = JSON.stringify([saved, words]);
    if (told === this.words) return;
    this.words = told;
    for (const select of this.selects) {
      const chosen = select.value;
      const rows = [["", `–${GAP}the map's own`], ...saved.flatMap((is, index) => (is ? [[index, `${index + 1}${GAP}${words[index] ?? ""}`]] : []))];
      select.replaceChildren(...rows.map(([value, text]) => new Option(text, value)));
      select.value = chosen;
    }
  }

  show({ map, corners }) {
    for (const [kind, button] of Object.entries(this.buttons)) button.setAttribute("aria-pressed", String(kind === (map ?? "learned")));
    this.place.hidden = map !== "corners";
    this.selects.forEach((select, corner) => {
      const wanted = String(corners?.[corner] ?? "");
      if (![...select.options].some((option) => option.value === wanted)) select.append(new Option(`${Number(wanted) + 1}`, wanted));
      if (document.activeElement !== select || select.value !== wanted) select.value = wanted;
    });
  }
}
