/**
 * Writes: how long one takes at each peer of five, and how many a second there may be.
 *
 *   node test/bench/writes.ts [--writes 200] [--clients 32] [--seconds 10] [--lab 52] [--check]
 *
 * A write is a service update that changes a label of a service without replicas: read, change, send.
 * Only the sending is timed. For the rate each client has a service and a peer of its own, and keeps a
 * connection open.
 */
import { Agent, request } from "node:http";
import { parseArgs } from "node:util";
import { type Host, Lab, LabError } from "../lab/lab.ts";
import { LabMesh, type ServiceRow } from "../lab/lab-mesh.ts";
import { print } from "./figures.ts";

const { values } = parseArgs({
  options: {
    writes: { type: "string", default: "200" },
    clients: { type: "string", default: "32" },
    seconds: { type: "string", default: "10" },
    lab: { type: "string", default: "52" },
    check: { type: "boolean", default: false },
  },
});
const writes = Number(values.writes);
const clients = Number(values.clients);
const seconds = Number(values.seconds);

/** A client of one peer, with one connection. */
class Client {
  readonly #socketPath: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #name: string;
  #written = 0;

  constructor(host: Host, name: string) {
    this.#socketPath = host.agentSocket;
    this.#name = name;
  }

  read(): Promise<ServiceRow> {
    return this.#call("GET", `/services/${this.#name}`);
  }

  async write({ ID, Version, Spec }: ServiceRow): Promise<void> {
    this.#written += 1;
    const Labels = { ...Spec.Labels, written: String(this.#written) };
    const path = `/services/${ID}/update?version=${Version.Index}`;
    await this.#call("POST", path, { ...Spec, Labels });
  }

  close(): void {
    this.#agent.destroy();
  }

  #call<T>(method: string, path: string, body?: object): Promise<T> {
    const headers = { "content-type": "application/json" };
    const options = { socketPath: this.#socketPath, agent: this.#agent, method, path, headers };
    return new Promise((resolve, reject) => {
      const sent = request(options, (answer) => {
        let text = "";
        answer.setEncoding("utf8").on("data", (part: string) => {
          text += part;
        });
        answer.on("end", () => {
          if ((answer.statusCode ?? 500) < 400) return resolve(JSON.parse(text) as T);
          reject(new LabError(`Cannot ${method} ${path}: ${answer.statusCode} ${text}`));
        });
      });
      sent.on("error", reject);
      sent.end(body && JSON.stringify(body));
    });
  }
}

const lab = await Lab.up({ hosts: 5, number: Number(values.lab), agents: true });
try {
  const mesh = await LabMesh.form(lab);
  const first = lab.host(1);
  for (let n = 0; n < clients; n += 1) await mesh.createService(first, `idle${n}`, 0);
  const leader = await mesh.leader(first);
  for (const host of lab.hosts) {
    const place = host.number === leader ? "the leader" : `a follower, host${host.number}`;
    const tookMs = await latencies(host);
    print(`write at ${place}, one client`, tookMs, "ms", { most: 10 });
  }
  const { rate, tookMs } = await throughput();
  print(`writes with ${clients} clients at all peers`, [rate], "a second", { least: 200 });
  print(`write with ${clients} clients at all peers`, tookMs, "ms");
} finally {
  await lab.down();
}

async function latencies(host: Host): Promise<number[]> {
  const client = new Client(host, "idle0");
  const tookMs: number[] = [];
  for (let n = 0; n < writes; n += 1) {
    const service = await client.read();
    const beganMs = performance.now();
    await client.write(service);
    tookMs.push(performance.now() - beganMs);
  }
  client.close();
  return tookMs;
}

async function throughput(): Promise<{ rate: number; tookMs: number[] }> {
  const tookMs: number[] = [];
  const beganMs = performance.now();
  const untilMs = beganMs + seconds * 1000;
  const work = async (n: number): Promise<void> => {
    const client = new Client(lab.host(1 + (n % lab.hosts.length)), `idle${n}`);
    while (performance.now() < untilMs) {
      const service = await client.read();
      const startMs = performance.now();
      await client.write(service);
      tookMs.push(performance.now() - startMs);
    }
    client.close();
  };
  await Promise.all(Array.from({ length: clients }, (_, n) => work(n)));
  return { rate: tookMs.length / ((performance.now() - beganMs) / 1000), tookMs };
}
