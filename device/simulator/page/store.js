// What the instrument last said, and who wants to know when a part of it changes.

const MAPS = ["positions", "texts", "lights"]; // told entry by entry

export class Store {
  constructor() {
    this.state = { positions: {}, texts: {}, lights: {}, peaks: [], sounds: [], audio: {} };
    this.table = null;
    this.watchers = new Map();
  }

  /** call(value, state) whenever one of the named parts of the state changes */
  watch(names, call) {
    for (const name of names.split(" ")) {
      if (!this.watchers.has(name)) this.watchers.set(name, new Set());
      this.watchers.get(name).add(call);
    }
  }

  take(message) {
    const calls = new Set();
    for (const [name, value] of Object.entries(message)) {
      if (name === "type") continue;
      this.state[name] = MAPS.includes(name) ? { ...this.state[name], ...value } : value;
      for (const call of this.watchers.get(name) ?? []) calls.add(call);
    }
    for (const call of calls) call(this.state);
  }

  /** position 0..1 of a parameter; of the chosen voice where there are nine */
  position(entry, voice = this.state.voice ?? 0) {
    const value = this.state.positions[entry.name];
    if (value === undefined) return entry.default;
    return Array.isArray(value) ? value[voice] : value;
  }
}
