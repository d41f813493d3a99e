// The panel: builds itself from the table the instrument sends, then shows what it says and says what hands do.

import { BeatClock } from "./clock.js";
import { Connection } from "./connection.js";
import { Corners } from "./corners.js";
import { Keys } from "./keys.js";
import { Knob } from "./knob.js";
import { RhythmMap } from "./map.js";
import { Meter } from "./meters.js";
import { Scenes } from "./scenes.js";
import { PageSound } from "./sound.js";
import { Steps } from "./steps.js";
import { Store } from "./store.js";
import { Takes } from "./takes.js";
import { dressed, listenToTheme } from "./theme.js";
import { SoundMap, Wave } from "./tone.js";
import { Voices, soundName } from "./voices.js";

const KEY_VELOCITY = 0.9;
const MESSAGE_MS = 6000;
const LATE_HIT_MS = 400; // a hit told later than this is no longer flashed

const at = (name) => document.getElementById(name);
const store = new Store();
const clock = new BeatClock();
const sound = new PageSound(showSound);
const meters = Array.from({ length: 11 }, () => new Meter());
const knobs = []; // the eight of the page that is up, then the small ones
const counters = { frames: 0, states: 0, hits: 0 };
let coming = []; // hits on their way to the ear: [voice, velocity, step, frame]
let drawing = false;
let drawnAt = 0;
let wanted = new Map(); // parameter or step -> newest message, sent once a frame
let explained = null;

// ---- hands -----------------------------------------------------------------------------------------

const hand = {
  turned: (entry, position) => soon(entry.name, { type: "set", name: entry.name, position: Number(position.toFixed(5)) }),
  step(step, voice, on, velocity) {
    soon(`${step},${voice}`, { type: "step", step, voice, on, velocity: Number(velocity.toFixed(3)) });
    wakeUp();
  },
  learn: (entry, on) => connection.say({ type: "learn_cc", name: on ? entry.name : "" }),
  wake: () => wakeUp(),
  say: (message) => connection.say(message),
  tell: (text, kind) => showMessage(text, kind),
  shiftDown: () => shiftDown,
  useShift: () => keys.useShift(),
  morph: (position) => soon("morph", { type: "set", name: "morph", position }),
  explain(subject) {
    explained = subject;
    showHelp();
  },
  press: (button) => connection.say({ type: "press", button }),
  release: (button) => connection.say({ type: "release", button }),
  hit: (voice, velocity = KEY_VELOCITY) => {
    connection.say({ type: "hit", voice, velocity });
    voices.flash(voice);
  },
  choose: (voice) => connection.say({ type: "voice", voice }),
  mute: (voice, muted) => connection.say({ type: "set", name: "mute", position: muted ? 1 : 0, voice }),
  shifted: (down) => {
    shiftDown = down;
    keys.meaning(store.state.page, down);
  },
};
let shiftDown = false;
const keys = new Keys(at("keys"), hand);
const voices = new Voices(at("voices"), hand);
keys.listenToKeyboard(document);
const grid = new Steps(at("grid"), hand);
const wave = new Wave(at("wave"));
const plane = (x, y) => ({
  explain: hand.explain,
  placed(...place) {
    [x, y].forEach((name, index) => hand.turned({ name }, place[index]));
    wakeUp();
  },
});
const map = new RhythmMap(at("map"), plane("x", "y"));
const tone = new SoundMap(at("tone"), plane("tone_x", "tone_y"));
const scenes = new Scenes(
  {
    scenes: at("scenes"), keepA: at("keep-a"), keepB: at("keep-b"), morph: at("morph"),
    playSong: at("play-song"), chain: at("chain"), addSong: at("add-song"),
  },
  hand,
);
const corners = new Corners(at("corners"), { learned: at("map-learned"), corners: at("map-corners") }, hand);

const takes = new Takes({ midi: at("take-midi"), wav: at("take-wav"), record: at("record"), screen: at("screen") }, hand);

function soon(name, message) {
  wanted.set(name, message);
  if (wanted.size === 1) requestAnimationFrame(sayTurns);
}

function sayTurns() {
  for (const message of wanted.values()) connection.say(message);
  wanted.clear();
}

// ---- what the instrument says ------------------------------------------------------------------------

function build(table) {
  const same = JSON.stringify(table) === JSON.stringify(store.table);
  store.table = table;
  if (same) return;
  for (const place of ["kit-knobs", "voice-knobs", "more-knobs"]) at(place).replaceChildren();
  knobs.length = 0;
  for (let number = 1; number <= 8; number += 1) {
    const entry = table.parameters.find((row) => row.page === "play" && row.knob === number);
    knobs.push({ number, knob: new Knob(at(entry.per_voice ? "voice-knobs" : "kit-knobs"), hand) });
  }
  for (const entry of table.parameters.filter((row) => !row.page && row.name !== "mute")) {
    const knob = new Knob(at("more-knobs"), hand);
    knob.assign(entry, table.styles.length);
    knobs.push({ number: 0, knob });
  }
  keys.build(table);
  voices.build(table);
  grid.build(table);
  map.build(table);
  tone.build(table);
  assign();
  if (store.state.positions.x !== undefined) showPlaces(store.state);
}

function assign() {
  if (!store.table) return;
  const page = store.state.page ?? "play";
  at("face").dataset.page = page;
  for (const { number, knob } of knobs) {
    if (number) {
      const name = store.state.knobs?.[number - 1];
      const entry = store.table.parameters.find((row) => (name ? row.name === name : row.page === page && row.knob === number));
      knob.assign(entry, store.table.styles.length);
    }
  }
  keys.meaning(page, shiftDown);
  showKnobs();
}

function showKnobs() {
  for (const { knob } of knobs) knob.show(store.position(knob.entry), store.state.texts[knob.entry.name]);
}

function showHands({ hands, taking_over }) {
  for (const { number, knob } of knobs) {
    if (number) knob.haunt(taking_over?.[number - 1] ? (hands[number - 1] ?? null) : null);
  }
}

function showPlaces(state) {
  if (!store.table || state.positions.x === undefined) return;
  const { positions, texts } = state;
  map.show(positions.x, positions.y, `X ${texts.x}, Y ${texts.y}: ${map.words(positions.x, positions.y)}`);
  map.choose(state.map ?? "learned", (state.corners ?? []).map((scene) => (scene === null ? "" : (state.scene_words?.[scene] ?? ""))));
  const [x, y] = state.map === undefined ? [positions.x, positions.y] : state.place;
  map.follow(x, y, performance.now());
  const voice = state.voice ?? 0;
  const at = state.tones?.[voice] ?? [positions.tone_x?.[voice] ?? 0.5, positions.tone_y?.[voice] ?? 0.5];
  const heard = state.sounds[voice] ?? store.table.voices[voice].name;
  tone.choose(heard, voice, kitPlace(voice, heard));
  tone.show(...at, `TONE X ${texts.tone_x}, TONE Y ${texts.tone_y}`);
}

/** Where the kit of the style that plays has its sound, when it is of this class. */
function kitPlace(voice, heard) {
  const { kits, styles, sound_classes } = store.table;
  if (!kits) return null;
  const style = Math.round((store.state.positions.style ?? 0) * Math.max(styles.length - 2, 1));
  return sound_classes[kits.classes[style][voice]] === heard ? kits.places[style][voice] : null;
}

function showEdits({ edited, editing, undo, learn }) {
  const words = learn ? learn : editing ? "Your beat …" : edited ? "Your beat" : "";
  const element = at("yours");
  if (element.textContent !== words) element.textContent = words;
  at("undo").disabled = !undo;
}

function showVoice(state) {
  if (!store.table) return;
  const { label, name } = store.table.voices[state.voice];
  const heard = state.sounds[state.voice] ?? name;
  at("voice-caption").textContent = heard === name ? `Sound of ${label}` : `Sound of ${label}, now a ${soundName(heard)}`;
  at("face").style.setProperty("--tint", `var(--voice-${state.voice})`);
  voices.show(state);
}

function showGrid(state) {
  const row = (name) => store.table.parameters.find((entry) => entry.name === name);
  const whole = (name, position) => {
    const { low, high } = row(name);
    return Math.round(low + position * (high - low));
  };
  const { positions } = state;
  if (!store.table || positions.density === undefined) return;
  grid.choose({
    from: state.plays_from,
    mutes: positions.mute,
    length: whole("length", positions.length),
    voiceLengths: positions.voice_length.map((position) => whole("voice_length", position)),
    humanize: positions.humanize,
    swing: positions.swing,
    voice: state.voice,
  });
}

let messageTimer = null;
function showMessage(text, kind = "") {
  const element = at("message");
  element.textContent = text;
  element.className = `message ${kind} ${text ? "told" : ""}`;
  clearTimeout(messageTimer);
  if (text) messageTimer = setTimeout(() => element.classList.remove("told"), MESSAGE_MS);
}

function showHelp() {
  const text = typeof explained === "string" ? explained : explained ? `${explained.label}: ${explained.help}${explained.cc ? ` MIDI: CC ${explained.cc}; M or a right click learns another.` : ""}` : "";
  at("help").textContent = text || "Drag, scroll or arrow keys turn a knob; space starts and stops; 1 to 9 play the voices.";
  at("help").classList.toggle("idle", !text);
}

function milliseconds(value) {
  return `${Math.round(value)} ms`;
}

function showSound() {
  const { audio } = store.state;
  const element = at("health");
  const words = [];
  if (audio.alive === false) words.push("the sound has stopped and is being brought back");
  else if (sound.state === "elsewhere") {
    words.push(audio.sink ? `Sound: ${audio.sink}` : "");
    if (audio.latency_ms) words.push(milliseconds(audio.latency_ms));
  } else {
    const where = { silent: "waits for a tap", starting: "is starting", playing: "in this page", off: "off in this page", failed: "cannot start in this page" };
    words.push(`Sound ${where[sound.state]}${sound.state === "failed" && sound.trouble ? ` (${sound.trouble})` : ""}`);
    if (sound.state === "playing" && sound.latencyMs !== null) words.push(milliseconds(sound.latencyMs + (audio.latency_ms || 0)));
    if (sound.numbers.empty) words.push(`${sound.numbers.empty} ${sound.numbers.empty === 1 ? "gap" : "gaps"}`);
  }
  if (audio.late) words.push(`${audio.late} late ${audio.late === 1 ? "block" : "blocks"}`);
  else if (audio.alive) words.push("no late blocks");
  if (audio.underruns) words.push(`${audio.underruns} ${audio.underruns === 1 ? "underrun" : "underruns"}`);
  const text = words.filter(Boolean).join(" · ");
  if (element.textContent !== text) element.textContent = text;
  const pill = at("hear");
  pill.hidden = !["playing", "off", "starting"].includes(sound.state);
  const label = { playing: "Sound on", off: "Sound off", starting: "Starting" }[sound.state] ?? "";
  if (pill.textContent !== label) pill.textContent = label;
  pill.setAttribute("aria-pressed", String(sound.state === "playing"));
  at("hear-first").hidden = !sound.wantsGesture;
}

function takeHits(hits) {
  coming.push(...hits);
  counters.hits += hits.length;
}

store.watch("voice sounds positions", showVoice);
store.watch("positions voice plays_from", showGrid);
store.watch("positions texts voice", showKnobs);
store.watch("page knobs", assign);
store.watch("hands taking_over page", showHands);
store.watch("positions texts voice place map corners tones sounds scene_words", showPlaces);
store.watch("cc_learn page knobs", ({ cc_learn }) => knobs.forEach(({ knob }) => knob.waits(Boolean(cc_learn) && knob.entry.name === cc_learn)));
store.watch("edited editing undo learn", showEdits);
store.watch("recording", (state) => takes.show(state.recording));
store.watch("wave", (state) => wave.take(state.wave));
store.watch("scenes scene scene_words playing next_scene", (state) => {
  scenes.show(state);
  corners.scenes(state);
});
store.watch("map corners scenes scene_words", (state) => corners.show(state));
store.watch("positions kept", (state) => scenes.showMorph(state.positions.morph ?? 0, state.kept));
store.watch("song song_at", (state) => scenes.showSong(state.song, state.song_at));
store.watch("pattern", (state) => store.table && grid.take(state.pattern));
store.watch("lights", (state) => keys.light(state.lights));
let saidLast = "";
store.watch("message", ({ message }) => {
  if (message !== saidLast) showMessage(message); // a page that comes back is told everything again
  saidLast = message;
});
store.watch("style", (state) => (at("style").textContent = state.style || " "));
store.watch("tempo", (state) => (at("tempo").textContent = state.tempo.toFixed(1)));
store.watch("audio", (state) => {
  sound.follow(state.audio);
  showSound();
});
store.watch("hits", (state) => takeHits(state.hits));
store.watch("peaks", (state) => state.peaks.forEach((peak, index) => meters[index].tell(peak)));
clock.heardBehind = () => {
  const heard = sound.heardFrame(performance.now());
  if (heard !== null) return Math.max(clock.rendered() - heard, 0);
  return ((store.state.audio.latency_ms || 0) * clock.rate) / 1000;
};

const connection = new Connection({
  table: build,
  state(message) {
    store.take(message);
    clock.take(store.state, new Set(Object.keys(message)));
    counters.states += 1;
    wakeUp();
  },
  error: (text) => showMessage(text, "wrong"),
  told: ({ text }) => showMessage(text),
  line(state) {
    at("away").hidden = state !== "lost";
    at("face").classList.toggle("lost", state === "lost");
    if (state === "lost") {
      at("away").textContent = "The instrument does not answer. The panel tries again by itself.";
      clock.playing = false;
      coming = [];
    }
    if (state === "back") {
      showMessage("Connected again.");
      clock.offset = null;
    }
  },
});

// ---- what moves --------------------------------------------------------------------------------------

function wakeUp() {
  if (drawing) return;
  drawing = true;
  drawnAt = performance.now();
  requestAnimationFrame(draw);
}

function draw(now) {
  const seconds = Math.min((now - drawnAt) / 1000, 0.25);
  drawnAt = now;
  counters.frames += 1;
  const heard = clock.heard();
  const place = clock.playing ? clock.place(heard) : null;
  flashUpTo(heard, now);
  const moving = grid.draw(now, place) | map.drawLive(now);
  if (place !== null) pulse(place);
  const lively = drawMeters(seconds);
  if (moving || lively || coming.length) requestAnimationFrame(draw);
  else drawing = false;
}

function flashUpTo(heard, now) {
  if (!coming.length) return;
  const later = [];
  for (const hit of coming) {
    const [voice, velocity, step, frame] = hit;
    if (frame > heard && frame - heard < 4 * clock.rate) later.push(hit);
    else if (heard - frame < (LATE_HIT_MS * clock.rate) / 1000) {
      grid.flash(voice, step, velocity, now);
      if (step >= 0) voices.flash(voice);
    }
  }
  coming = later;
}

function drawMeters(seconds) {
  let lively = false;
  meters.forEach((meter, index) => {
    const share = meter.pass(seconds);
    if (index < 9) {
      if (voices.rows.length) voices.level(index, share);
    } else at(index === 9 ? "left" : "right").style.transform = `scaleX(${share.toFixed(3)})`;
    if (!meter.resting) lively = true;
  });
  return lively;
}

let pulsed = -1;
function pulse(place) {
  const beat = Math.floor(place / (store.table?.steps_per_beat ?? 4));
  if (beat === pulsed) return;
  pulsed = beat;
  const element = at("pulse");
  element.classList.remove("beats");
  void element.getBoundingClientRect();
  element.classList.add("beats");
}

// a button clicked with the mouse does not keep the focus: space goes on to start and stop
document.addEventListener("mousedown", (event) => event.target.closest?.("button") && event.preventDefault());

// undo and redo are SHIFT with NEW and with FILL, here as on the box
function withShift(button) {
  for (const [type, name] of [["press", "SHIFT"], ["press", button], ["release", button], ["release", "SHIFT"]]) connection.say({ type, button: name });
}
at("undo").addEventListener("click", () => withShift("NEW"));
scenes.explains(at("undo"), "Undo: takes back the last change; Ctrl with Z does too, Ctrl with Y brings it back.");
document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
  const key = event.key.toLowerCase();
  if (key !== "z" && key !== "y") return;
  event.preventDefault();
  withShift(key === "z" && !event.shiftKey ? "NEW" : "FILL");
});

const bars = [...at("bars").children];
function zoom(bar) {
  grid.zoom(bar);
  for (const button of bars) button.setAttribute("aria-pressed", String(button.dataset.bar === String(bar ?? "")));
  wakeUp();
}
grid.zoomed = zoom;
for (const button of bars) button.addEventListener("click", () => zoom(button.dataset.bar === "" ? null : Number(button.dataset.bar)));

// ---- the page itself ---------------------------------------------------------------------------------

listenToTheme(at("theme"), () => {
  grid.dress();
  map.dress(dressed());
  tone.dress(dressed());
  wave.draw();
  wakeUp();
});
new ResizeObserver(wakeUp).observe(at("grid"));
document.fonts?.ready.then(() => {
  grid.dirty = true;
  wakeUp();
});
for (const name of ["hear", "hear-first"]) at(name).addEventListener("click", () => sound.toggle());
const gesture = (event) => {
  if (sound.state === "silent" && !event.target.closest?.("#hear-first, #hear")) sound.start();
};
for (const name of ["pointerup", "keydown"]) document.addEventListener(name, gesture, { capture: true });
for (const name of ["visibilitychange", "pointerdown", "keydown"]) document.addEventListener(name, () => sound.wake());
at("more-toggle").addEventListener("click", () => more(at("more").hidden));
function more(open) {
  at("more").hidden = !open;
  at("more-toggle").setAttribute("aria-expanded", String(open));
  localStorage.setItem("latido-more", open ? "open" : "");
  takes.watch(open);
}
more(localStorage.getItem("latido-more") === "open");
showHelp();

// what tests and the curious look at
window.latido = { store, clock, sound, grid, map, tone, wave, scenes, counters, knobs, meters, theme: dressed };
