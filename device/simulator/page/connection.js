// The line to the instrument: one WebSocket that comes back by itself.

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 2000;

export class Connection {
  /** told: {table(message), state(message), error(text), line("open" | "lost" | "back")} */
  constructor(told) {
    this.told = told;
    this.waitMs = FIRST_WAIT_MS;
    this.wasOpen = false;
    this.open();
  }

  open() {
    const socket = new WebSocket(`ws://${location.host}/play`);
    this.socket = socket;
    socket.onopen = () => {
      this.waitMs = FIRST_WAIT_MS;
      this.told.line(this.wasOpen ? "back" : "open");
      this.wasOpen = true;
    };
    socket.onmessage = (event) => {
      const message = JSON.parse(event.data);
      if (message.type === "error") this.told.error(message.text);
      else this.told[message.type]?.(message);
    };
    socket.onclose = () => {
      this.told.line("lost");
      setTimeout(() => this.open(), this.waitMs);
      this.waitMs = Math.min(this.waitMs * 1.6, LONGEST_WAIT_MS);
    };
  }

  say(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }
}
