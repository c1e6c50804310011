import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId, ProposalId } from "@gam/core";
import { testId, testKey } from "@gam/core/testing";
import { type Change, type NodeNetwork, Store } from "@gam/state";
import { checkDoctorReport } from "@gam/state/answers";
import { aCluster, aNetwork, aNode, aNodeNetwork } from "@gam/state/testing";
import {
  checkExamination,
  type DoctorFacts,
  diagnose,
  type Examination,
  type Examined,
} from "./gam-doctor.ts";

const [a, b] = ["a", "b"] as NodeId[] as [NodeId, NodeId];
const pools = { subnets: 100, subnetsFree: 90, networks: [] };

interface Host {
  readonly engine?: { readonly ready: boolean; readonly reason: string };
  readonly version?: string;
  readonly network?: Partial<NodeNetwork>;
  readonly down?: boolean;
}

function stateOf(hosts: Readonly<Record<string, Host>>, encrypted = false): Store {
  const nodes = Object.entries(hosts).map(([id, { engine, version, network, down }]): Change => {
    const plain = aNode(id, {
      state: down ? "down" : "ready",
      address: `10.0.0.${id.charCodeAt(0)}`,
    });
    const Engine = { EngineVersion: version ?? "28.0.1", Labels: {}, Plugins: [] };
    const node = {
      ...plain,
      Description: { ...plain.Description, Engine },
      Gam: {
        ...plain.Gam,
        network: aNodeNetwork(network),
        engine: engine ?? { ready: true, reason: "" },
      },
    };
    return { kind: "joinNode", node };
  });
  const store = new Store();
  const network = aNetwork("vault", { Options: { encrypted: "" } });
  store.apply(1, { id: "p" as ProposalId, atMs: 0, changes: nodes });
  if (encrypted) {
    const changes: Change[] = [{ kind: "createNetwork", network }];
    store.apply(2, { id: "q" as ProposalId, atMs: 0, changes });
  }
  return store;
}

function examined(
  node: NodeId,
  own: Partial<Examination> = {},
  rest: Partial<Examined> = {},
): Examined {
  const other = node === a ? b : a;
  const path = {
    to: other,
    network: "front",
    port: "4789/udp",
    bytes: 1450,
    result: "whole",
  } as const;
  const examination: Examination = {
    ...{ wallMs: 0, tookMs: 0, inSwarm: false, problems: [], connected: [other] },
    ...{ paths: [path], ...own },
  };
  return { node, examination, failure: "", clockAheadMs: 0, clockDoubtMs: 1, ...rest };
}

const way = { to: b, network: "front", port: "51820/udp", bytes: 1370 } as const;
const silent: Examined = {
  ...{ node: b, failure: "no answer in 8000 ms", clockAheadMs: 0, clockDoubtMs: 0 },
};

const cases: readonly {
  readonly name: string;
  readonly hosts?: Readonly<Record<string, Host>>;
  readonly encrypted?: boolean;
  readonly facts?: Partial<DoctorFacts>;
  /** Topic, subject and finding of all checks that did not pass. */
  readonly want: readonly string[];
  readonly healthy?: boolean;
}[] = [
  { name: "two hosts that have what they need", want: [], healthy: true },
  {
    name: "an agent that does not answer",
    facts: { examined: [examined(a), silent] },
    want: ["agents host-b: Its agent does not answer: no answer in 8000 ms"],
  },
  {
    name: "a host that is down, once and not for each pair",
    hosts: { a: {}, b: { down: true } },
    facts: { examined: [examined(a, { connected: [], paths: [] })] },
    want: ["agents host-b: Its agent does not answer: it was not asked"],
  },
  {
    name: "an engine that is missing",
    hosts: { a: {}, b: { engine: { ready: false, reason: "Cannot reach engine: it is gone" } } },
    want: ["engines host-b: Cannot reach engine: it is gone"],
  },
  {
    name: "an engine that is too old",
    hosts: { a: { version: "19.03.15" }, b: { version: "20.10.24+dfsg1" } },
    want: ["engines host-a: Its engine is version 19.03.15"],
  },
  {
    name: "a swarm that was left behind",
    facts: { examined: [examined(a, { inSwarm: true }), examined(b)] },
    want: [
      "leftovers host-a: Its engine is in a Docker swarm, which uses the ports that gam needs",
    ],
  },
  {
    name: "a kernel without a part",
    hosts: { a: { network: { problem: "The kernel has no VXLAN: run `modprobe vxlan`" } }, b: {} },
    want: ["kernels host-a: The kernel has no VXLAN: run `modprobe vxlan`"],
  },
  {
    name: "no encryption where a network demands it",
    hosts: { a: {}, b: { network: { encryption: "kernel" } } },
    encrypted: true,
    want: ['encryption host-a: It has no WireGuard, so tasks of "vault" cannot run there'],
  },
  {
    name: "a clock that is behind",
    facts: { examined: [examined(a), examined(b, {}, { clockAheadMs: -3500, clockDoubtMs: 20 })] },
    want: ["clocks host-b: Its clock is 3.5 s behind"],
  },
  {
    name: "a clock whose difference is within the error",
    facts: { examined: [examined(a), examined(b, {}, { clockAheadMs: 3500, clockDoubtMs: 1600 })] },
    want: [],
    healthy: true,
  },
  {
    name: "a pair without a connection",
    facts: { examined: [examined(a), examined(b, { connected: [] })] },
    want: ["mesh host-b to host-a: There is no connection to 10.0.0.97:7946"],
  },
  {
    name: "a port that is closed one way",
    facts: { examined: [examined(a, { paths: [{ ...way, result: "none" }] }), examined(b)] },
    want: [
      'overlay host-a to host-b: Packets through network "front" do not arrive, or the answers do not',
    ],
  },
  {
    name: "a path for short packets only",
    facts: { examined: [examined(a, { paths: [{ ...way, result: "small" }] }), examined(b)] },
    want: [
      'overlay host-a to host-b: Short packets arrive through network "front", those of 1370 bytes do not',
    ],
  },
  {
    name: "a port that is closed, where no network is on both hosts",
    facts: {
      examined: [examined(a, { paths: [{ ...way, network: "", result: "none" }] }), examined(b)],
    },
    want: [`overlay host-a to host-b: Packets to ${way.port} do not arrive`],
  },
  {
    name: "a port for short packets only, where no network is on both hosts",
    facts: {
      examined: [examined(a, { paths: [{ ...way, network: "", result: "small" }] }), examined(b)],
    },
    want: [
      `overlay host-a to host-b: Short packets arrive at ${way.port}, those of 1370 bytes do not`,
    ],
  },
  {
    name: "a pair that could not be probed, which is no failure",
    facts: { examined: [examined(a, { paths: [] }), examined(b)] },
    want: ["overlay host-a to host-b: One of the two hosts could not probe the path between them"],
    healthy: true,
  },
  {
    name: "a data plane that reports a problem",
    facts: { examined: [examined(a, { problems: ["Cannot answer names"] }), examined(b)] },
    want: ["data planes host-a: Cannot answer names"],
  },
  {
    name: "addresses that run out",
    facts: {
      pools: {
        ...{ subnets: 100, subnetsFree: 10 },
        networks: [
          { name: "big", subnet: "10.0.1.0/24", used: 90, size: 253 },
          { name: "front", subnet: "10.0.2.0/28", used: 12, size: 13 },
        ],
      },
    },
    want: [
      "addresses address pool: 10 of 100 subnets are left for new networks",
      'addresses front: 12 of 13 addresses of network "front" (10.0.2.0/28) are in use',
    ],
  },
  {
    name: "a mesh that has just lost its leader",
    facts: { leaderlessMs: 9_000 },
    want: [],
    healthy: true,
  },
  {
    name: "a mesh whose majority is gone",
    facts: {
      leaderlessMs: 61_000,
      voters: [a, b, "c" as NodeId, "d" as NodeId, "e" as NodeId],
      examined: [examined(a), examined(b)],
    },
    want: ["leader mesh: No leader for 61 s: 2 of 5 voters answer"],
  },
  {
    name: "a host with a second recovery",
    facts: { rivals: [b] },
    want: [
      'leader host-b: "gam recover" was run on this host, too: there is a second life of this cluster',
    ],
  },
  {
    name: "a subnet that a host has a route to",
    facts: {
      clashes: [{ network: "front", subnet: "10.0.2.0/24", node: b, route: "10.0.0.0/16" }],
    },
    want: ["addresses front: Its subnet 10.0.2.0/24 overlaps with route 10.0.0.0/16 of host-b"],
  },
];

for (const { name, hosts = { a: {}, b: {} }, encrypted, facts, want, healthy = false } of cases) {
  test(`diagnose() of ${name}`, () => {
    const led = { leaderlessMs: 0, voters: [a], rivals: [] };
    const whole = { examined: [examined(a), examined(b)], pools, clashes: [], ...led, ...facts };
    const report = diagnose(stateOf(hosts, encrypted), whole);
    assert.deepEqual(checkDoctorReport(report, "report"), report);
    const shown = report.checks.filter(({ result }) => result !== "passed");
    assert.deepEqual(
      shown.map(({ topic, subject, found }) => `${topic} ${subject}: ${found}`),
      want,
    );
    assert.equal(report.healthy, healthy);
    for (const { result, remedy } of report.checks)
      assert.equal(result === "failed", remedy !== "");
  });
}

test("diagnose() mentions gam unlock where managers are locked when they start, and only there", () => {
  const UnlockKey = { [testKey("root")]: "sealed" };
  const examination = { examined: [examined(a), silent], pools, clashes: [], rivals: [] };
  const facts = { ...examination, leaderlessMs: 61_000, voters: [a, b] };
  for (const cluster of [aCluster(), aCluster({ UnlockKey })]) {
    const store = stateOf({ a: {}, b: {} });
    const nodes = store.nodes().map(({ ID, Spec, Version }): Change => {
      const spec = { ...Spec, Role: "manager" as const };
      return { kind: "updateNode", id: ID, spec, basedOn: Version.Index };
    });
    const changes: Change[] = [{ kind: "createCluster", cluster }, ...nodes];
    store.apply(9, { id: "c" as ProposalId, atMs: 0, changes });
    const { checks } = diagnose(store, facts);
    const mentioned = checks.filter(({ remedy }) => remedy.includes("gam unlock"));
    assert.deepEqual(
      mentioned.map(({ topic, subject }) => `${topic} ${subject}`),
      cluster.UnlockKey === undefined ? [] : ["leader mesh", "agents host-b"],
    );
  }
});

test("checkExamination() accepts an examination and refuses malformed ones", () => {
  const said = examined(a).examination;
  assert.ok(said !== undefined);
  const paths = said.paths.map((path) => ({ ...path, to: testId<NodeId>("b") }));
  const own = { ...said, connected: [testId<NodeId>("b")], paths };
  assert.deepEqual(checkExamination(own, "examination"), own);
  assert.throws(() => checkExamination({ ...own, paths: [{ to: "b" }] }, "examination"), {
    code: "BAD_FRAME",
  });
});
