import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import type { Connection } from "@libp2p/interface";
import type { Certificate } from "../trust/certificate.ts";
import { defaultLimits } from "../trust/limits.ts";
import { type Link, Links, sweepMs } from "./link.ts";

const { pingAfterMs, suspectAfterMs, dropAfterMs } = defaultLimits;

class Watch {
  readonly events: string[] = [];
  readonly links: Links;
  #nowMs = 0;
  #count = 0;

  constructor(self = "a") {
    this.links = new Links({
      self: self as NodeId,
      limits: defaultLimits,
      onLinked: ({ connection }) => this.events.push(`linked ${connection.id}`),
      onUnlinked: ({ connection }, last) =>
        this.events.push(`unlinked ${connection.id}${last ? " last" : ""}`),
      onSilent: ({ connection }) => this.events.push(`silent ${connection.id}`),
    });
  }

  link(nodeId: string, boot = "1"): Link {
    this.#count += 1;
    const id = `${nodeId}${this.#count}`;
    const connection = {
      id,
      abort: () => this.events.push(`abort ${id}`),
      close: async () => {
        this.events.push(`close ${id}`);
      },
    };
    const certificate = { role: "manager", asOf: 0 } as Certificate;
    const link: Link = {
      nodeId: nodeId as NodeId,
      connection: connection as unknown as Connection,
      certificate,
      boot,
      address: "",
      addresses: [],
      openedMs: this.#nowMs,
      heardMs: this.#nowMs,
      pingedMs: this.#nowMs,
      rttMs: undefined,
      silent: false,
      ping: () => this.events.push(`ping ${id} at ${this.#nowMs}`),
      show: () => this.events.push(`show ${id}`),
    };
    this.links.add(link);
    return link;
  }

  /** Lets time pass, with sweeps as in the mesh. */
  pass(ms: number): void {
    for (const endMs = this.#nowMs + ms; this.#nowMs < endMs; ) {
      this.#nowMs += sweepMs;
      this.links.sweep(this.#nowMs);
    }
  }

  /** Lets time pass without sweeps, as in a frozen process. */
  freeze(ms: number): void {
    this.#nowMs += ms;
  }

  hear(link: Link): void {
    this.links.heard(link, this.#nowMs);
  }
}

test("a quiet peer is pinged, then called silent, then dropped, each once", () => {
  const watch = new Watch();
  watch.link("b");
  watch.pass(dropAfterMs + 2 * sweepMs);
  const [firstPing] = watch.events.filter((event) => event.startsWith("ping"));
  assert.equal(firstPing, `ping b1 at ${pingAfterMs + sweepMs}`);
  assert.deepEqual(
    watch.events.filter((event) => !event.startsWith("ping")),
    ["linked b1", "silent b1", "abort b1", "unlinked b1 last"],
  );
});

test("one message makes a silent peer connected again", () => {
  const watch = new Watch();
  const link = watch.link("b");
  watch.pass(suspectAfterMs + 2 * sweepMs);
  assert.equal(link.silent, true);
  watch.hear(link);
  assert.equal(link.silent, false);
  watch.pass(suspectAfterMs);
  assert.equal(link.silent, false);
});

test("a process that was frozen does not blame its peers", () => {
  const watch = new Watch();
  const link = watch.link("b");
  watch.pass(2 * sweepMs);
  watch.freeze(10 * dropAfterMs);
  watch.pass(sweepMs);
  assert.equal(link.silent, false);
  assert(!watch.events.includes("abort b1"));
});

test("a restarted peer's old connections are dropped before the new one counts", () => {
  const watch = new Watch();
  watch.link("b", "before");
  watch.link("b", "after");
  assert.deepEqual(watch.events, ["linked b1", "abort b1", "unlinked b1 last", "linked b2"]);
});

test("of two connections to one process the smaller id closes the older, after a while", () => {
  for (const { self, want } of [
    { self: "a", want: ["close b1"] },
    { self: "c", want: [] },
  ]) {
    const watch = new Watch(self);
    const links = [watch.link("b"), watch.link("b")];
    const talk = (ms: number): void => {
      for (let n = 0; n < ms / sweepMs; n += 1) {
        for (const link of links) watch.hear(link);
        watch.pass(sweepMs);
      }
    };
    talk(1_500);
    const closed = (): string[] => watch.events.filter((event) => event.startsWith("close"));
    assert.deepEqual(closed(), []);
    talk(sweepMs);
    assert.deepEqual(closed(), want);
    assert.equal(watch.links.to("b" as NodeId), links[1]);
  }
});
