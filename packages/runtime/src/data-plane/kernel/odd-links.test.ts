/** Batch lines for ip and bridge from plans of any state, on a real kernel: neither program refuses a line. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import { type NodePlan, planNode } from "@gam/network";
import { evenView, oddViews } from "@gam/network/testing";
import fc from "fast-check";
import { reasonToSkip } from "../../testing/reason-to-skip.ts";
import { type LinkState, linksOf } from "./link-state.ts";
import { linkSteps, within } from "./link-steps.ts";

const skip = reasonToSkip(["ip", "bridge", "unshare"]);

/** The two programs' errors for the lines that make a plan's links on existing bridges. */
function refusals({ networks }: NodePlan, want: LinkState): string {
  const bare = { mac: "", mtu: 0, up: false, filtered: false, addresses: new Set<string>() };
  const bridges = new Map(
    networks.map(({ bridge }) => [bridge as string, { ...bare, ports: new Map() }]),
  );
  const have: LinkState = { bridges, overlays: new Map() };
  const steps = linkSteps(have, within(want, have)).filter(({ line }) => !line.includes("nf_call"));
  const batch = (program: string): string =>
    `${program} -force -batch - <<'END' 2>&1 || true\n${steps.flatMap((step) => (step.program === program ? [step.line] : [])).join("\n")}\nEND`;
  const lines = [...bridges.keys()].map((name) => `ip link add ${name} type bridge`);
  const input = [...lines, batch("ip"), batch("bridge")].join("\n");
  return spawnSync("unshare", ["--net", "sh"], { input, encoding: "utf8" }).stdout;
}

test("ip and bridge accept the lines of a normal state, and refuse unsafe ones", {
  skip,
}, () => {
  const plan = planNode(evenView(), "a" as NodeId);
  assert.ok(plan !== undefined);
  assert.equal(refusals(plan, linksOf(plan)), "");
  const links = linksOf(plan);
  const overlays = [...links.overlays].map(
    ([name, one]) => [name, { ...one, local: "192.0.2.1 x" }] as const,
  );
  assert.notEqual(refusals(plan, { ...links, overlays: new Map(overlays) }), "");
});

test("ip and bridge accept the lines of any state", { skip }, () => {
  fc.assert(
    fc.property(oddViews, (view) => {
      const plan = planNode(view, view.nodes()[0]?.ID ?? ("a" as NodeId));
      if (plan !== undefined) assert.equal(refusals(plan, linksOf(plan)), "");
    }),
    { numRuns: 40 },
  );
});
