import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import type { NetworkId } from "@gam/core";
import { freePort } from "@gam/core/testing";
import { DnsServer } from "./dns-server.ts";
import { probePath } from "./probe-path.ts";

const to = "127.0.54.1";
const from = "127.0.54.2";

/** A path that drops packets longer than `bytesMax` on the way there. */
async function way(
  t: TestContext,
  bytesMax: number,
): Promise<{ port: number; longest: () => number }> {
  const port = await freePort();
  const server = new DnsServer({ log: { info: () => undefined, warn: () => undefined }, port });
  t.after(() => server.close());
  const names = new Map();
  const reverse = new Map();
  const at = { network: "n" as NetworkId, internal: false, gateway: to, subnet: "127.0.0.0/16" };
  const zone = { ...at, name: "n", names, reverse };
  server.serve({ zones: [zone], clients: new Map(), confined: new Set() });
  const relay = createSocket("udp4").bind(0, from);
  t.after(() => relay.close());
  await once(relay, "listening");
  let back = 0;
  let longest = 0;
  relay.on("message", (message, sender) => {
    if (sender.address === to) relay.send(message, back, from);
    else {
      back = sender.port;
      longest = Math.max(longest, message.length);
      if (message.length <= bytesMax) relay.send(message, port, to);
    }
  });
  return { port: relay.address().port, longest: () => longest };
}

test("probePath() of a path that carries all sends the network's longest packet", async (t) => {
  const { port, longest } = await way(t, 9000);
  assert.equal(await probePath({ from, to: from, mtu: 1450, port }), "whole");
  assert.equal(longest(), 1450 - 28);
});

test("probePath() of a path that carries short packets only", async (t) => {
  const { port } = await way(t, 500);
  assert.equal(await probePath({ from, to: from, mtu: 1450, port }), "small");
});

test("probePath() of a path that carries nothing, and from an address that this host does not have", async (t) => {
  const { port } = await way(t, 0);
  const results = await Promise.all([
    probePath({ from, to: from, mtu: 1450, port }),
    probePath({ from: "192.0.2.1", to: from, mtu: 1450, port }),
  ]);
  assert.deepEqual(results, ["none", "none"]);
});
