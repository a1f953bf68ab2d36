// Each result becomes a line of the page; when all are there, the page is reported as done.

function show(text) {
  const line = document.createElement("li");
  line.textContent = text;
  document.getElementById("results").append(line);
}

async function image() {
  const image = document.getElementById("image");
  await image.decode();
  return `image: ${image.naturalWidth} x ${image.naturalHeight}`;
}

async function style() {
  return `style: ${getComputedStyle(document.getElementById("styled")).width}`;
}

async function post() {
  const answer = await fetch("/echo", { method: "POST", body: "x".repeat(300000) });
  return `post: ${answer.status} ${(await answer.text()).length} bytes back`;
}

function events() {
  return new Promise((resolve) => {
    const seen = [];
    const source = new EventSource("/events");
    source.onmessage = (event) => {
      seen.push(event.data);
      if (seen.length === 3) {
        source.close();
        resolve(`events: ${seen.join(", ")}`);
      }
    };
  });
}

function socket() {
  return new Promise((resolve) => {
    const seen = [];
    const socket = new WebSocket(`ws://${location.host}/socket`);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      socket.send("hello");
      socket.send(new Uint8Array(70000));
    };
    socket.onmessage = (event) => {
      seen.push(typeof event.data === "string" ? event.data : `binary ${event.data.byteLength}`);
      if (seen.length === 2) {
        socket.close(1000);
      }
    };
    socket.onerror = () => seen.push("error");
    socket.onclose = (event) => resolve(`socket: ${seen.join(", ")}, closed ${event.code}`);
  });
}

Promise.allSettled([style(), image(), post(), events(), socket()]).then(async (results) => {
  results.forEach((result) => show(result.value ?? `failed: ${result.reason}`));
  await fetch("/report", { method: "POST", body: "done" });
});
