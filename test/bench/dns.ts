/**
 * Dns: the load that one agent's DNS server carries on loopback, beside a bare UDP server. Without a lab.
 *
 *   node test/bench/dns.ts [--rounds 6] [--rate 10000] [--seconds 1] [--names 1000] [--check]
 *
 * Each round puts the same load on a bare server in the same process, which sends each message back, and
 * then on the DNS server: names from the plan, long answers, and cached names of other servers. A separate
 * process makes the load at a steady rate, even without answers, so that a server that falls behind shows
 * as slow. The loop's delay is that of the servers' process.
 */
import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";
import type { NetworkId } from "@gam/core";
import type { DnsPlan } from "@gam/network";
import { DnsServer } from "@gam/runtime";
import { decode, encode } from "dns-packet";
import { print, printRatio } from "./support/figures.ts";
import { benchOptions } from "./support/options.ts";

// `loader`: the kind of load, for the process that makes it.
const options = { rounds: 6, rate: 10_000, seconds: 1, names: 1000, loader: "" };
const { rounds, rate, seconds, names, loader } = benchOptions(options);
const gateway = "127.0.53.1";
const bareAddress = "127.0.53.2";
const port = 20_053;
const upstream = { address: "127.0.53.9", port };
const everyMs = 1;
const lastAnswerMs = 1_000;

const kinds = {
  bare: "bare UDP server",
  plan: "names of the plan",
  long: "names of 20 addresses",
  cached: "names of others, cached",
};
type Kind = keyof typeof kinds;

interface Load {
  readonly sent: number;
  readonly answered: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Figures under one kind of load, a value per round. */
class Borne {
  readonly answeredPercent: number[] = [];
  readonly p50Ms: number[] = [];
  readonly p99Ms: number[] = [];
  readonly delayMs: number[] = [];
  readonly cpuMicros: number[] = [];

  async measure(kind: string): Promise<void> {
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const before = process.cpuUsage();
    const { sent, answered, p50Ms, p99Ms } = await loadFromOutside(kind);
    delay.disable();
    const { user, system } = process.cpuUsage(before);
    this.answeredPercent.push((answered / sent) * 100);
    this.p50Ms.push(p50Ms);
    this.p99Ms.push(p99Ms);
    this.delayMs.push(delay.percentile(99) / 1e6);
    this.cpuMicros.push((user + system) / answered);
  }
}

if (loader === "") await measure();
else process.stdout.write(JSON.stringify(await load(loader)));

async function measure(): Promise<void> {
  const bareServer = createSocket({ type: "udp4", recvBufferSize: 1 << 22 });
  bareServer.bind(port, bareAddress);
  bareServer.on("message", (message, from) => bareServer.send(message, from.port, from.address));
  const others = createSocket("udp4").bind(port, upstream.address);
  others.on("message", (message, from) => {
    const { id = 0, questions = [] } = decode(message);
    const answers = [{ type: "A", name: questions[0]?.name ?? "", ttl: 300, data: "192.0.2.1" }];
    others.send(
      encode({ type: "response", id, questions, answers: answers as never }),
      from.port,
      from.address,
    );
  });
  await once(others, "listening");
  const log = { info: console.error, warn: console.error };
  const server = new DnsServer({ log, port, upstreams: async () => [upstream] });
  const beganMs = performance.now();
  server.serve(plan());
  print(`plan of ${names} names taken`, [performance.now() - beganMs], "ms");
  const borne = new Map(Object.keys(kinds).map((kind) => [kind as Kind, new Borne()]));
  for (let round = 0; round < rounds; round += 1) {
    for (const [kind, one] of borne) await one.measure(kind);
  }
  await server.close();
  others.close();
  bareServer.close();
  for (const [kind, one] of borne) {
    print(`${kinds[kind]}: answered`, one.answeredPercent, `% of ${rate}/s`);
    print(`${kinds[kind]}: p50`, one.p50Ms, "ms");
    print(`${kinds[kind]}: p99`, one.p99Ms, "ms");
    print(`${kinds[kind]}: event loop delay p99`, one.delayMs, "ms");
    print(`${kinds[kind]}: CPU`, one.cpuMicros, "µs a query");
  }
  const bare = borne.get("bare") as Borne;
  for (const [kind, one] of borne) {
    if (kind === "bare") continue;
    const name = `${kinds[kind]}, to the bare server`;
    printRatio(`${name}: answered`, one.answeredPercent, bare.answeredPercent, { least: 0.99 });
    printRatio(`${name}: CPU a query`, one.cpuMicros, bare.cpuMicros, { most: 2.2 });
    printRatio(`${name}: p50`, one.p50Ms, bare.p50Ms, { most: 1.5 });
    printRatio(`${name}: p99`, one.p99Ms, bare.p99Ms, { most: 2.5 });
    printRatio(`${name}: event loop delay p99`, one.delayMs, bare.delayMs, { most: 2 });
  }
}

function plan(): DnsPlan {
  const address = (n: number): string => `10.0.${n >> 8}.${n & 255}`;
  const known = Array.from({ length: names }, (_, n): [string, string[]] => [
    `service-${n}`,
    [address(n)],
  ]);
  const twenty = Array.from({ length: 20 }, (_, n) => address(n));
  const zone = { network: "net" as NetworkId, name: "net", internal: false, gateway };
  const subnet = "127.0.0.0/8";
  const zones = [
    {
      ...zone,
      subnet,
      names: new Map([...known, ["tasks.long", twenty] as const]),
      reverse: new Map(),
    },
  ];
  return { zones, clients: new Map(), confined: new Set() };
}

async function loadFromOutside(kind: string): Promise<Load> {
  const args = ["--rate", `${rate}`, "--seconds", `${seconds}`, "--names", `${names}`];
  const self = process.argv[1] ?? "";
  const child = spawn(process.execPath, [self, "--loader", kind, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (part: string) => {
    said += part;
  });
  await once(child, "close");
  return JSON.parse(said);
}

/** Sends each millisecond the queries that are due. A query's time begins when it was due, not when it was sent. */
async function load(kind: string): Promise<Load> {
  const socket = createSocket({ type: "udp4", recvBufferSize: 1 << 22 });
  socket.connect(port, kind === "bare" ? bareAddress : gateway);
  await once(socket, "connect");
  const dueMs = new Map<number, number>();
  const tookMs: number[] = [];
  socket.on("message", (reply) => {
    const id = reply.readUInt16BE(0);
    const due = dueMs.get(id);
    if (due === undefined) return;
    dueMs.delete(id);
    tookMs.push(performance.now() - due);
  });
  const nameOf = (n: number): string => {
    if (kind === "plan" || kind === "bare") return `service-${n % names}`;
    return kind === "long" ? "tasks.long" : `host-${n % 100}.example.org`;
  };
  const messages = Array.from({ length: 1000 }, (_, n) =>
    encode({ type: "query", id: 0, flags: 0x0100, questions: [{ name: nameOf(n), type: "A" }] }),
  );
  // Fills the cache before measuring.
  for (const message of kind === "cached" ? messages : []) {
    socket.send(message);
    await pause(1);
  }
  let sent = 0;
  const beganMs = performance.now();
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const passedMs = Math.min(performance.now() - beganMs, seconds * 1000);
      const due = Math.floor((passedMs / 1000) * rate);
      for (; sent < due; sent += 1) {
        const message = messages[sent % messages.length] ?? Buffer.alloc(0);
        const id = sent & 0xffff;
        message.writeUInt16BE(id, 0);
        dueMs.set(id, beganMs + (sent / rate) * 1000);
        socket.send(message);
      }
      if (passedMs < seconds * 1000) return;
      clearInterval(timer);
      setTimeout(resolve, lastAnswerMs);
    }, everyMs);
  });
  socket.close();
  tookMs.sort((a, b) => a - b);
  const at = (share: number): number => tookMs[Math.floor((tookMs.length - 1) * share)] ?? 0;
  return { sent, answered: tookMs.length, p50Ms: at(0.5), p99Ms: at(0.99) };
}
