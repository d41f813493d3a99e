// A worker of its own for the sound's WebSocket: a busy page never holds up the sound.

const WAIT_MS = 500;
let worklet = null;
let socket = null;
let wanted = false;
let timer = null;

function open(address) {
  socket = new WebSocket(address);
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => {
    if (typeof data === "string") postMessage(JSON.parse(data));
    else worklet?.postMessage(data, [data]);
  };
  socket.onclose = () => {
    postMessage({ type: "closed" });
    if (wanted) timer = setTimeout(() => open(address), WAIT_MS);
  };
}

onmessage = ({ data }) => {
  if (data.port) worklet = data.port;
  if (data.open) {
    wanted = true;
    open(data.open);
  }
  if (data.close) {
    wanted = false;
    clearTimeout(timer);
    socket?.close();
  }
};
