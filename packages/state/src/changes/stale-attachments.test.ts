import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import { aNetwork, TestLog } from "../testing/index.ts";
import { staleAttachments } from "./stale-attachments.ts";

const self = "a" as NodeId;
const at = (address: string, node: string = self) => ({ node: node as NodeId, name: "c", address });

test("an attachment whose container is gone is stale, on its own node only", () => {
  const log = new TestLog();
  const attachments = {
    held: at(""),
    lives: at("10.0.1.4"),
    gone: at("10.0.1.5"),
    // Nobody asked for it since this agent started.
    forgotten: at(""),
    elsewhere: at("10.0.1.6", "b"),
  };
  const network = aNetwork("n", { Gam: { vni: 1, gateways: {}, attachments } });
  log.write({ kind: "createNetwork", network });
  const [stored] = log.store.networks();
  assert.ok(stored);
  const endpoints = [
    { network: stored.Id, address: "10.0.1.4" },
    // The same address in another network is a different endpoint.
    { network: "m" as typeof stored.Id, address: "10.0.1.5" },
  ];
  const stale = staleAttachments([stored], self, { endpoints, held: new Set(["held"]) });
  assert.deepEqual(stale, [
    { kind: "detachContainer", network: "n", key: "gone" },
    { kind: "detachContainer", network: "n", key: "forgotten" },
  ]);
});
