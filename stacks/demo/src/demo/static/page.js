"use strict";

const COLOURS = ["#0f6fde", "#12a37b", "#e0862a", "#8a5cf0", "#d1477a", "#2aa7c9", "#7c8a1e", "#b0562d"];
const BARS = 60;
const colours = new Map();
const answers = [];
let asked = 0;
let failed = 0;
let reconnectAfter = 500;
let socket;

const $ = (id) => document.getElementById(id);
const clock = (text) => new Date(text).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

function pill(state, text = state) {
  return element("span", `pill ${state}`, text);
}

function colourOf(host) {
  if (!colours.has(host)) colours.set(host, COLOURS[colours.size % COLOURS.length]);
  return colours.get(host);
}

function dot(host) {
  const made = element("i", "dot");
  made.style.background = colourOf(host);
  return made;
}

async function get(path, options = {}) {
  const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(8000), ...options });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer;
}

const getJson = async (path, options) => (await get(path, options)).json();

/* Requests: one a second, each a bar in the colour of the host that answered. */
async function ask() {
  const begun = performance.now();
  const answer = { host: null, release: null, ms: 0 };
  asked += 1;
  try {
    const reply = await get("/version");
    const version = await reply.json();
    const edge = reply.headers.get("x-edge"); // an edge that says which one it is
    Object.assign(answer, { host: version.host, release: version.release, ms: performance.now() - begun });
    $("release").textContent = version.release;
    $("host").textContent = edge ? `${version.host} via ${edge}` : version.host;
    $("schema").textContent = version.schema ?? "unknown";
  } catch {
    failed += 1;
  }
  answers.push(answer);
  if (answers.length > BARS) answers.shift();
  drawAnswers();
}

function drawAnswers() {
  const times = answers.filter((answer) => answer.host).map((answer) => answer.ms).sort((a, b) => a - b);
  const full = Math.max(20, 4 * (times[Math.floor(times.length / 2)] ?? 0)); // one slow answer must not flatten the others
  const bars = answers.map((answer) => {
    const bar = element("i", answer.host ? "" : "failed");
    if (answer.host) {
      bar.style.background = colourOf(answer.host);
      bar.style.height = `${Math.min(100, Math.max(12, (answer.ms / full) * 100))}%`;
      bar.title = `${answer.host}, ${answer.release}, ${answer.ms.toFixed(0)} ms`;
    }
    return bar;
  });
  const missing = Array.from({ length: BARS - bars.length }, () => element("i"));
  $("answers").replaceChildren(...missing, ...bars);
  $("asked").textContent = asked;
  $("failed").textContent = failed;
  $("failed").className = failed ? "bad" : "good";
  $("median").textContent = times.length ? `${times[Math.floor(times.length / 2)].toFixed(0)} ms` : "…";
  drawLegend();
}

function drawLegend() {
  const counts = new Map();
  for (const answer of answers) {
    if (!answer.host) continue;
    const key = `${answer.host}\n${answer.release}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const items = [...counts].sort().map(([key, count]) => {
    const [host, release] = key.split("\n");
    return element("li", "", dot(host), element("b", "", host), ` ${release}, ${count} of the last ${answers.length}`);
  });
  $("legend").replaceChildren(...items);
}

/* Fleet: who has been heard of in the last seconds, by host. */
async function drawFleet() {
  const { members } = await getJson("/api/fleet");
  const hosts = Map.groupBy ? Map.groupBy(members, (one) => one.host) : groupByHost(members);
  const machines = [...hosts].sort(([a], [b]) => a.localeCompare(b)).map(([host, ones]) => {
    const lines = ones.map((one) => element("li", "", element("span", "", one.service), element("span", "", one.release)));
    return element("div", "machine", element("h3", "", dot(host), host), element("ul", "", ...lines));
  });
  const releases = new Set(members.map((one) => one.release));
  $("fleet").replaceChildren(...machines);
  $("fleet-note").textContent = `${members.length} processes on ${hosts.size} hosts, ` +
    (releases.size === 1 ? "one release" : `${releases.size} releases`);
}

function groupByHost(members) {
  const hosts = new Map();
  for (const one of members) hosts.set(one.host, [...(hosts.get(one.host) ?? []), one]);
  return hosts;
}

/* Jobs */
const PAYLOADS = {
  sum: () => ({ numbers: Array.from({ length: 4 }, () => Math.floor(Math.random() * 90) + 10) }),
  sleep: () => ({ seconds: 4 }),
  fail: () => ({ reason: "asked to, by the page" }),
};

async function submit(kind) {
  const options = { method: "POST", headers: { "content-type": "application/json" } };
  await getJson("/api/jobs", { ...options, body: JSON.stringify({ kind, payload: PAYLOADS[kind]() }) });
  await drawJobs();
}

function told(job) {
  if (job.kind === "sum") return `${job.payload.numbers.join(" + ")}${job.result ? ` = ${job.result.sum}` : ""}`;
  if (job.kind === "sleep") return `sleep ${job.payload.seconds} s`;
  return job.error ? `${job.kind}: ${job.error}` : job.kind;
}

async function drawJobs() {
  const { jobs, counts, queue } = await getJson("/api/jobs?limit=10");
  const rows = jobs.map((job) => element("li", "", pill(job.state), element("span", "", told(job)),
    element("small", "worker", job.host ? `${job.host}, ${job.release}` : "")));
  $("jobs").replaceChildren(...(rows.length ? rows : [element("li", "empty", "Nothing yet. Submit one and see which worker takes it.")]));
  $("counts").textContent = `${counts.done ?? 0} done, ${counts.failed ?? 0} failed, ${queue ?? "?"} in the queue`;
}

/* Scheduler */
async function drawScheduler() {
  const { ticks, leases, overlaps } = await getJson("/api/scheduler");
  $("ticks").replaceChildren(...ticks.slice(0, 8).reverse().map((tick) => element("li", "", clock(tick.at))));
  const holder = leases.find((lease) => !lease.ended_at);
  $("holder").textContent = holder ? `${holder.host} since ${clock(holder.started_at)}; ticks every 5 s` : "No scheduler is running.";
  $("overlaps").textContent = overlaps.length ? `ran twice: ${overlaps.length}` : "never two at once";
  $("overlaps").className = `pill ${overlaps.length ? "twice" : "held"}`;
  $("leases").replaceChildren(...leases.slice(0, 4).map((lease) => element("li", "",
    pill(lease.ended_at ? "ended" : "open", lease.ended_at ? "ended" : "holds"), element("span", "", `${lease.host}, ${lease.release}`),
    element("small", "", `${clock(lease.started_at)} to ${clock(lease.ended_at ?? lease.last_seen)}`))));
}

/* WebSocket */
function connect() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
  socket.onopen = () => { reconnectAfter = 500; showSocket("open"); };
  socket.onmessage = ({ data }) => received(data);
  socket.onclose = ({ code }) => {
    showSocket("closed", `closed, ${code}`);
    setTimeout(connect, reconnectAfter);
    reconnectAfter = Math.min(reconnectAfter * 2, 8000);
  };
}

function showSocket(state, text = state) {
  $("socket-state").className = `pill ${state}`;
  $("socket-state").textContent = text;
}

function eventIn(data) {
  try {
    const event = JSON.parse(data);
    return event && typeof event === "object" && event.type ? event : null;
  } catch {
    return null;
  }
}

function received(data) {
  const event = eventIn(data);
  if (!event) return say("echo", data);
  if (event.type === "hello") return say("hello", `from ${event.host}, ${event.release}`);
  if (event.type === "tick") { later(drawScheduler); return say("tick", `number ${event.id}, ${event.host}`); }
  if (event.type === "draining") { showSocket("draining"); return socket.close(1000); }
  if (event.type === "job" && event.kind !== "tick") { later(drawJobs); return say("job", `${event.kind} ${event.state}${event.host ? `, ${event.host}` : ""}`); }
}

function say(kind, text) {
  const row = element("li", "", pill(kind === "echo" ? "done" : "", kind), element("span", "", text), element("small", "", clock(Date.now())));
  $("messages").prepend(row);
  while ($("messages").children.length > 30) $("messages").lastChild.remove();
}

/* Rhythm: what events bring is drawn at once, everything else every few seconds. */
const waiting = new Set();
function later(draw) {
  if (waiting.has(draw)) return;
  waiting.add(draw);
  setTimeout(() => { waiting.delete(draw); draw().catch(() => {}); }, 100);
}

function every(seconds, work) {
  const turn = async () => {
    try { await work(); } catch { /* the request strip shows it; the next turn tries again */ }
    setTimeout(turn, seconds * 1000);
  };
  turn();
}

document.querySelectorAll("button[data-kind]").forEach((button) => {
  button.addEventListener("click", async () => {
    button.disabled = true;
    try { await submit(button.dataset.kind); } catch (error) { say("error", error.message); }
    button.disabled = false;
  });
});
$("echo").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("echo-text").value || "hello";
  if (socket?.readyState === WebSocket.OPEN) socket.send(text);
  $("echo-text").value = "";
});

every(1, ask);
every(3, drawFleet);
every(4, drawJobs);
every(5, drawScheduler);
every(60, async () => { $("visits").textContent = (await getJson("/api/whoami")).visits; });
connect();
