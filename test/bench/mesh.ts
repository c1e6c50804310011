/**
 * Mesh: what messages cost on loopback, with all peers in this process, beside bare TCP.
 *
 *   node test/bench/mesh.ts [--peers 5] [--rounds 3] [--check]
 *
 * CPU is that of this process, so of sender and receiver together. Requests and bare round trips of equal
 * size are measured in turns.
 */
import { buffer } from "node:stream/consumers";
import { MeshWorld, until } from "../../packages/mesh/src/testing/mesh-world.ts";
import { median } from "../lab/load/bare.ts";
import { bareRoundTripsMs } from "./support/bare-round-trip.ts";
import { print, printRatio } from "./support/figures.ts";
import { benchOptions } from "./support/options.ts";

const { peers: peersWanted, rounds } = benchOptions({ peers: 5, rounds: 3 });
const bodyBytes = 200;
const idleMs = 10_000;

const cpuMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

const world = new MeshWorld();
const beganMs = performance.now();
const peers = await world.mesh(peersWanted);
print(`mesh of ${peersWanted} formed`, [performance.now() - beganMs], "ms");
const [a, b] = peers;
if (a === undefined || b === undefined) throw new Error("Cannot measure a mesh of one");

b.mesh.handle("echo", (_, body) => body);
const body = Buffer.alloc(bodyBytes, 1);
const ask = (): Promise<Uint8Array> =>
  a.mesh.request(b.nodeId, { name: "echo", body, timeoutMs: 10_000 });
for (let n = 0; n < 500; n += 1) await ask();

const tripsPerRound = 1000;
const requestMs: number[] = [];
const bareMs: number[] = [];
let cpuBefore = cpuMs();
for (let round = 0; round < rounds; round += 1) {
  bareMs.push(median(await bareRoundTripsMs(tripsPerRound, bodyBytes)));
  const laps: number[] = [];
  cpuBefore = cpuMs();
  for (let n = 0; n < tripsPerRound; n += 1) {
    const startMs = performance.now();
    await ask();
    laps.push(performance.now() - startMs);
  }
  requestMs.push(median(laps));
}
print("CPU of a request", [((cpuMs() - cpuBefore) / tripsPerRound) * 1000], "µs");
print("a request and its answer, p50", requestMs, "ms");
print("a bare TCP round trip, p50", bareMs, "ms");
printRatio("a request and its answer, to a bare round trip", requestMs, bareMs, { most: 9 });

const rpcStartMs = performance.now();
await Promise.all(
  Array.from({ length: 32 }, async () => {
    for (let n = 0; n < 200; n += 1) await ask();
  }),
);
print("rpc 32 at once", [6_400 / ((performance.now() - rpcStartMs) / 1000)], "/s");

/** Messages sent like heartbeats: one at a time, each in its own turn of the event loop. */
const spaced = 2_000;
let heard = until("messages", (done: (value: undefined) => void) => {
  let count = 0;
  const stop = b.mesh.onMessage(() => {
    count += 1;
    if (count < spaced) return;
    stop();
    done(undefined);
  });
});
cpuBefore = cpuMs();
for (let n = 0; n < spaced; n += 1) {
  a.mesh.send(b.nodeId, "raft", body);
  await new Promise((resolve) => setTimeout(resolve, 1));
}
await heard;
print("send spaced cpu", [((cpuMs() - cpuBefore) / spaced) * 1000], "µs");

const burst = 50_000;
heard = until("messages", (done: (value: undefined) => void) => {
  let count = 0;
  b.mesh.onMessage(() => {
    count += 1;
    if (count === burst) done(undefined);
  });
});
const burstStartMs = performance.now();
for (let n = 0; n < burst; n += 1) {
  a.mesh.send(b.nodeId, "raft", body);
  if (n % 1_000 === 999) await new Promise((resolve) => setImmediate(resolve));
}
await heard;
print("send in bursts", [burst / ((performance.now() - burstStartMs) / 1000)], "/s");

const bulk = Buffer.alloc(64 * 1024 * 1024, 1);
b.mesh.handleStream("bulk", async (_, __, stream) => {
  stream.end(bulk);
});
const bulkStartMs = performance.now();
const stream = await a.mesh.stream(b.nodeId, "bulk", new Uint8Array());
stream.end();
await buffer(stream);
print("byte stream", [64 / ((performance.now() - bulkStartMs) / 1000)], "MiB/s");

globalThis.gc?.();
cpuBefore = cpuMs();
await new Promise((resolve) => setTimeout(resolve, idleMs));
print("idle cpu per peer", [(cpuMs() - cpuBefore) / (idleMs / 100) / peersWanted], "% of a core");
const publishing = setInterval(() => {
  for (const { mesh } of peers) mesh.publish("usage", body);
}, 1_000);
cpuBefore = cpuMs();
await new Promise((resolve) => setTimeout(resolve, idleMs));
print(
  "gossiping cpu per peer",
  [(cpuMs() - cpuBefore) / (idleMs / 100) / peersWanted],
  "% of a core",
);
clearInterval(publishing);
print("memory of the process", [process.memoryUsage().rss / 1024 / 1024], "MiB");
await world.close();
