import assert from "node:assert/strict";
import { test } from "node:test";
import { type Chains, engineLines, lacksEngine, lostLines } from "./engine-lines.ts";

const jumps = ["-j DOCKER-USER", "-j DOCKER-ISOLATION-STAGE-1"];
const bridged = (bridge: string): string[] => [
  `-o ${bridge} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
  `-o ${bridge} -j DOCKER`,
  `-i ${bridge} ! -o ${bridge} -j ACCEPT`,
];
const within = (bridge: string, what = "ACCEPT"): string => `-i ${bridge} -o ${bridge} -j ${what}`;
const whole = [
  ...jumps,
  ...bridged("gam-7"),
  within("gam-7"),
  ...bridged("docker0"),
  within("docker0", "DROP"),
];
const foreign = "-s 192.0.2.0/24 -j DROP";

/** An engine before 28 with two bridges. */
function old(forward: readonly string[]): Chains {
  const stage = ["gam-7", "docker0"].map(
    (one) => `-i ${one} ! -o ${one} -j DOCKER-ISOLATION-STAGE-2`,
  );
  return new Map([
    ["FORWARD", forward],
    ["DOCKER", []],
    ["DOCKER-ISOLATION-STAGE-1", [...stage, "-j RETURN"]],
    ["DOCKER-ISOLATION-STAGE-2", ["-j RETURN"]],
    ["DOCKER-USER", ["-j RETURN"]],
  ]);
}

function engine28(forward: readonly string[], own: readonly string[] = ["-j DOCKER-CT"]): Chains {
  return new Map([
    ["FORWARD", forward],
    ["DOCKER", []],
    ["DOCKER-FORWARD", own],
    ["DOCKER-ISOLATION-STAGE-1", ["-j RETURN"]],
    ["DOCKER-USER", []],
  ]);
}

const cases: readonly {
  readonly name: string;
  readonly chains: Chains;
  readonly seen?: readonly string[];
  readonly lost: readonly string[];
  /** What only the engine can restore is missing afterwards. */
  readonly lacks?: boolean;
}[] = [
  { name: "a whole chain", chains: old(whole), seen: whole, lost: [] },
  { name: "a whole chain with foreign rules", chains: old([foreign, ...whole]), lost: [] },
  { name: "a flushed chain that was seen", chains: old([]), seen: whole, lost: whole },
  {
    name: "a flushed chain that was not seen",
    chains: old([]),
    lost: [...jumps, ...bridged("gam-7"), within("gam-7"), ...bridged("docker0")],
  },
  {
    name: "a chain with a firewall's own rules in place of the engine's",
    chains: old([foreign, jumps[1] ?? ""]),
    seen: whole,
    lost: whole.filter((rule) => rule !== jumps[1]),
  },
  {
    name: "a bridge's lines alone: the engine removes them with the network",
    chains: old(jumps),
    seen: whole,
    lost: [],
    lacks: true,
  },
  {
    name: "chains that somebody deleted",
    chains: new Map([["FORWARD", []]]),
    seen: whole,
    lost: [],
  },
  {
    name: "a jump to a chain that is gone",
    chains: new Map([...old([])].filter(([chain]) => chain !== "DOCKER")),
    seen: whole,
    lost: whole.filter((rule) => !rule.endsWith("-j DOCKER")),
  },
  {
    name: "all chains flushed",
    chains: new Map([...old([]).keys()].map((chain) => [chain, []])),
    seen: whole,
    lost: whole,
    lacks: true,
  },
  {
    name: "a flushed chain of Engine 28",
    chains: engine28([]),
    lost: ["-j DOCKER-USER", "-j DOCKER-FORWARD"],
  },
  {
    name: "all flushed chains of Engine 28",
    chains: engine28([], []),
    lost: ["-j DOCKER-USER", "-j DOCKER-FORWARD"],
    lacks: true,
  },
  { name: "a host without the engine's rules", chains: new Map([["FORWARD", []]]), lost: [] },
];
for (const { name, chains, seen = [], lost, lacks = false } of cases) {
  test(`what is put back: ${name}`, () => {
    const found = lostLines(chains, seen);
    assert.deepEqual(found, lost);
    const after = new Map([...chains, ["FORWARD", [...found, ...(chains.get("FORWARD") ?? [])]]]);
    assert.deepEqual(lostLines(after, seen), [], "nothing is put back twice");
    assert.equal(lacksEngine(after), lacks);
  });
}

test("only the engine's lines are put back, in their order", () => {
  assert.deepEqual(engineLines(old([foreign, ...whole, "-j LOG"])), whole);
});
