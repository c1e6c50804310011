/**
 * Writer: makes configs at a steady rate, each at another host, and says in the end which are lost.
 *
 *   const writer = new Writer(hosts, 20);
 *   ... something happens ...
 *   const { written, lost } = await writer.end();
 *
 * A host that takes no call at that moment is passed over, as a client with several addresses does. A name that is
 * there already was written by a call whose answer did not arrive.
 */
import { setTimeout as pause } from "node:timers/promises";
import { type Host, LabError } from "../clusters/lab.ts";
import { engineCall } from "../hosts/engine-call.ts";

export interface Writes {
  /** Acknowledged. */
  readonly written: number;
  /** Acknowledged, and not there in the end. */
  readonly lost: readonly string[];
  /** Names for which no host took the call in time, with the last error. */
  readonly failed: readonly string[];
  readonly slowestMs: number;
}

const writeMsMax = 20_000;
const retryMs = 50;

export class Writer {
  readonly #hosts: readonly Host[];
  readonly #written: string[] = [];
  readonly #failed: string[] = [];
  readonly #underWay = new Set<Promise<void>>();
  #slowestMs = 0;
  #count = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(hosts: readonly Host[], perSecond: number) {
    this.#hosts = hosts;
    this.#timer = setInterval(() => {
      const write = this.#write(this.#count).finally(() => this.#underWay.delete(write));
      this.#underWay.add(write);
      this.#count += 1;
    }, 1000 / perSecond);
  }

  async end(): Promise<Writes> {
    clearInterval(this.#timer);
    await Promise.all(this.#underWay);
    const [first] = this.#hosts;
    if (first === undefined) throw new LabError("There is no host to read from");
    const { text } = await engineCall(first.agentSocket, { path: "/configs" });
    const rows = JSON.parse(text) as { Spec: { Name: string } }[];
    const found = new Set(rows.map(({ Spec }) => Spec.Name));
    return {
      written: this.#written.length,
      lost: this.#written.filter((name) => !found.has(name)),
      failed: this.#failed,
      slowestMs: this.#slowestMs,
    };
  }

  async #write(number: number): Promise<void> {
    const name = `write-${number}`;
    const beganMs = performance.now();
    let reason = "";
    for (let turn = number; performance.now() - beganMs < writeMsMax; turn += 1) {
      const host = this.#hosts[turn % this.#hosts.length];
      if (host === undefined) break;
      try {
        const { status, text } = await engineCall(host.agentSocket, {
          ...{ method: "POST", path: "/configs/create", timeoutMs: writeMsMax },
          body: { Name: name, Data: Buffer.from(name).toString("base64") },
        });
        if (status === 201 || (status === 409 && turn > number)) {
          this.#written.push(name);
          this.#slowestMs = Math.max(this.#slowestMs, performance.now() - beganMs);
          return;
        }
        reason = `${host.name}: ${status} ${text.trim()}`;
      } catch (thrown) {
        if (!(thrown instanceof LabError)) throw thrown;
        reason = `${host.name}: ${thrown.message}`;
      }
      await pause(retryMs);
    }
    this.#failed.push(`${name}: ${reason}`);
  }
}
