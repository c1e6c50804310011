import assert from "node:assert/strict";
import { test } from "node:test";
import type { HostFacts } from "@gam/api";
import { decode, encode, GamError, type NetworkId, type NodeId, type ProposalId } from "@gam/core";
import { testId } from "@gam/core/testing";
import type { RequestHandler } from "@gam/mesh";
import type { NetworkPlane, NodePlan, Unsafe } from "@gam/network";
import { type Change, Store } from "@gam/state";
import { aCluster, aNetwork, aNode, aNodeNetwork } from "@gam/state/testing";
import { Examiner, type ExaminerParts, portsOut, waysOut } from "./examiner.ts";

const [a, b, c] = ["a", "b", "c"].map((name) => testId<NodeId>(name)) as [NodeId, NodeId, NodeId];

/** Networks by name to the bridges in them. */
function stateOf(networks: Readonly<Record<string, Readonly<Record<string, string>>>>): Store {
  const store = new Store();
  const changes: Change[] = [
    { kind: "createCluster", cluster: aCluster() },
    ...[a, b, c].map((id): Change => ({ kind: "joinNode", node: aNode(id) })),
    ...Object.entries(networks).map(
      ([name, gateways]): Change => ({
        kind: "createNetwork",
        network: aNetwork(name, { Gam: { vni: 1, gateways, attachments: {} } }),
      }),
    ),
  ];
  for (const [at, change] of changes.entries()) {
    const proposal = { id: `p${at}` as ProposalId, atMs: 0, changes: [change] };
    assert.equal(store.apply(at + 1, proposal).outcome.kind, "applied");
  }
  return store;
}

function plane(
  name: string,
  gateway: string,
  remotes: Readonly<Record<string, string>>,
): NetworkPlane {
  return {
    ...{ id: name as NetworkId, name, gateway, mtu: 1370 },
    remotes: Object.entries(remotes).map(([address, via]) => ({ address, via })),
  } as unknown as NetworkPlane;
}

const plan = {
  self: a,
  vxlanPort: 4789,
  tunnels: { port: 51820, peers: [{ node: c, tunnel: "198.18.0.3" }] },
  networks: [
    plane("back", "10.0.2.1", { "10.0.2.3": "198.18.0.3" }),
    plane("front", "10.0.1.1", { "10.0.1.2": "10.88.0.2", "10.0.1.3": "10.88.0.3" }),
    plane("more", "10.0.3.1", { "10.0.3.2": "10.88.0.2", "10.0.3.40": "10.88.0.3" }),
  ],
} as unknown as NodePlan;

test("waysOut() takes one path to each node for each port, from bridge to bridge", () => {
  const view = stateOf({
    back: { [a]: "10.0.2.1", [c]: "10.0.2.3" },
    front: { [a]: "10.0.1.1", [b]: "10.0.1.2", [c]: "10.0.1.3" },
    more: { [a]: "10.0.3.1", [b]: "10.0.3.2" },
  });
  const shown = waysOut(view, plan).map(
    ({ node, network, port, ends: { from, to, mtu } }) =>
      `${node} ${port} ${network} ${from} ${to} ${mtu}`,
  );
  assert.deepEqual(shown, [
    `${c} 51820/udp back 10.0.2.1 10.0.2.3 1370`,
    `${b} 4789/udp front 10.0.1.1 10.0.1.2 1370`,
    `${c} 4789/udp front 10.0.1.1 10.0.1.3 1370`,
  ]);
});

test("waysOut() skips bridges that are not in the plan", () => {
  const view = stateOf({ front: { [a]: "10.0.1.1", [b]: "10.0.1.77" } });
  assert.deepEqual(waysOut(view, plan), []);
});

test("portsOut() takes the port of each other node without a path to it", () => {
  const store = new Store();
  const troubled = { network: aNodeNetwork({ problem: "no VXLAN" }) };
  const nodes = [
    aNode(a, { address: "10.88.0.1" }),
    aNode("way", { address: "10.88.0.2" }),
    aNode("plain", { address: "10.88.0.3" }),
    aNode("tunnel", { address: "10.88.0.4" }),
    aNode("down", { address: "10.88.0.5", state: "down" }),
    aNode("troubled", { address: "10.88.0.6" }),
  ].map((node) => (node.ID === "troubled" ? { ...node, Gam: { ...node.Gam, ...troubled } } : node));
  const changes = nodes.map((node): Change => ({ kind: "joinNode", node }));
  const proposal = {
    id: "p" as ProposalId,
    atMs: 0,
    changes: [{ kind: "createCluster", cluster: aCluster() } as Change, ...changes],
  };
  assert.equal(store.apply(1, proposal).outcome.kind, "applied");
  const mine = {
    ...plan,
    underlay: "10.88.0.1",
    neighbours: ["10.88.0.2", "10.88.0.3", "10.88.0.5", "10.88.0.6"],
  };
  const ways = [{ node: "way" }] as unknown as ReturnType<typeof waysOut>;
  const shown = (known: Partial<Unsafe<NodePlan>>): string[] =>
    portsOut(store, known as NodePlan, ways).map(
      ({ node, ends: { from, to, port, bytes } }) => `${node} ${from} ${to} ${port} ${bytes}`,
    );
  assert.deepEqual(shown(mine), [
    "plain 10.88.0.1 10.88.0.3 4789 1500",
    "tunnel 10.88.0.1 10.88.0.4 51820 1500",
  ]);
  const { tunnels: _, ...untunnelled } = mine;
  assert.deepEqual(shown(untunnelled), ["plain 10.88.0.1 10.88.0.3 4789 1500"]);
});

const host: HostFacts = {
  ...{ hostname: "host", version: "0.1.0", line: "up", disks: [] },
  engine: { state: "ready", reason: "", version: "28.0.1", inSwarm: false },
  memory: { availableBytes: 1, totalBytes: 2 },
  conntrack: { used: 1, max: 2 },
};

/** An examiner of node a, beside which b answers with what `change` makes of a's answer, and c is not connected. */
function examinerOf(
  change: (answer: object) => object,
  more: Partial<ExaminerParts> = {},
): { examiner: Examiner; heard: Map<string, RequestHandler> } {
  const heard = new Map<string, RequestHandler>();
  const parts: ExaminerParts = {
    self: a,
    view: () => stateOf({}),
    plan: () => undefined,
    quorum: () => ({ leaderlessMs: 0, voters: [a], rivals: [] }),
    problems: () => ["Cannot answer names"],
    heard: async () => [],
    log: () => ({ applied: 7, commit: 7, stopped: "" }),
    host: async () => host,
    hears: () => true,
    knock: async () => "silent",
    mesh: {
      handle: (name, handler) => {
        heard.set(name, handler);
        return () => undefined;
      },
      peers: () =>
        [
          { nodeId: b, state: "connected" },
          { nodeId: c, state: "silent" },
        ] as never,
      request: async (to, { body }) => {
        if (to === c) throw new GamError("UNREACHABLE", 'Cannot reach node "c": it is slow');
        const answer = decode(await (heard.get("examine") as RequestHandler)(a, body));
        return encode(change(answer as object));
      },
    },
    ...more,
  };
  return { examiner: new Examiner(parts), heard };
}

test("Examiner has each node examine itself once, and continues without those that do not answer", async () => {
  let looks = 0;
  const { examiner } = examinerOf((answer) => ({ ...answer, wallMs: Date.now() + 60_000 }), {
    host: async () => {
      looks += 1;
      return host;
    },
  });
  const { examined } = await examiner.examine(true);
  const [own, other, silent] = examined;
  assert.deepEqual(own?.examination?.problems, ["Cannot answer names"]);
  assert.deepEqual(own?.examination?.connected, [b]);
  assert.equal(own?.clockAheadMs, 0);
  const off = (other?.clockAheadMs ?? 0) - 60_000;
  assert.ok(Math.abs(off) <= (other?.clockDoubtMs ?? 0) + 2, `off by ${off}`);
  assert.equal(silent?.examination, undefined);
  assert.equal(silent?.failure, "it is slow");
  assert.equal(silent?.door, "silent");
  assert.equal(looks, 1, "both asked for one look");
});

test("Examiner says which entry each node had time to reach", async () => {
  const ahead = { log: { applied: 9, commit: 9, stopped: "" } };
  const { examiner } = examinerOf((answer) => ({ ...answer, ...ahead }));
  const { examined } = await examiner.examine(false);
  assert.deepEqual(
    examined.map(({ examination, expected }) => [examination?.log.applied, expected]),
    [
      [7, 9],
      [9, 7],
      [undefined, 7],
    ],
  );
});

test("Examiner mends only what managers ask for, and only what it knows", async () => {
  const { heard } = examinerOf((answer) => answer, {
    view: () => {
      const store = stateOf({});
      const { Spec, Version } = store.node(b) ?? assert.fail();
      const spec = { ...Spec, Role: "worker" as const };
      const change = { kind: "updateNode", id: b, spec, basedOn: Version.Index } as const;
      store.apply(99, { id: "w" as ProposalId, atMs: 0, changes: [change] });
      return store;
    },
  });
  const mend = heard.get("mend") as RequestHandler;
  const order = encode({ mend: "conntrack" });
  await assert.rejects(async () => await mend(b, order), { code: "REFUSED" });
  await assert.rejects(async () => await mend(testId<NodeId>("x"), order), { code: "REFUSED" });
  await assert.rejects(async () => await mend(a, encode({ mend: "rm" })), { code: "BAD_FRAME" });
});
