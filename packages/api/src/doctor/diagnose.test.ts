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
  type Examination,
  type Examined,
  type HostFacts,
} from "../door/doctor-facts.ts";
import { diagnose, diagnoseHost, mendsOf } from "./diagnose.ts";

const [a, b, c] = ["a", "b", "c"] as NodeId[] as [NodeId, NodeId, NodeId];
const pools = { subnets: 100, subnetsFree: 90, networks: [] };

interface Host {
  readonly network?: Partial<NodeNetwork>;
  readonly down?: boolean;
}

function stateOf(hosts: Readonly<Record<string, Host>>, encrypted = false): Store {
  const nodes = Object.entries(hosts).map(([id, { network, down }]): Change => {
    const plain = aNode(id, {
      state: down ? "down" : "ready",
      address: `10.0.0.${id.charCodeAt(0)}`,
    });
    return {
      kind: "joinNode",
      node: { ...plain, Gam: { ...plain.Gam, network: aNodeNetwork(network) } },
    };
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

const engine: HostFacts["engine"] = {
  ...{ state: "ready", reason: "", version: "28.0.1", inSwarm: false },
};
const host: HostFacts = {
  ...{ hostname: "", version: "0.1.0", engine, line: "up" },
  disks: [
    { path: "/var/lib/gam", freeBytes: 50 * 2 ** 30, totalBytes: 100 * 2 ** 30, failure: "" },
  ],
  memory: { availableBytes: 2 ** 32, totalBytes: 2 ** 34 },
  conntrack: { used: 100, max: 262_144 },
};

/** The other hosts of `all` are connected and answer the probes. */
function examined(
  node: NodeId,
  own: Partial<Examination> = {},
  rest: Partial<Examined> = {},
  all: readonly NodeId[] = [a, b],
): Examined {
  const others = all.filter((id) => id !== node);
  const examination: Examination = {
    ...host,
    hostname: `host-${node}`,
    ...{ wallMs: 0, tookMs: 0, problems: [], connected: others },
    log: { applied: 9, commit: 9, stopped: "" },
    paths: others.map((to) => ({
      ...{ to, network: "front", port: "4789/udp", bytes: 1450, result: "whole" },
    })),
    ...own,
  };
  return { node, examination, failure: "", clockAheadMs: 0, clockDoubtMs: 1, expected: 9, ...rest };
}

function unheard(node: NodeId, rest: Partial<Examined> = {}): Examined {
  return {
    ...{ node, failure: "no answer in 8000 ms", door: "silent", clockAheadMs: 0, clockDoubtMs: 0 },
    ...rest,
  };
}

const way = { to: b, network: "front", port: "51820/udp", bytes: 1370 } as const;
const three = [a, b, c];
const threeHosts = { a: {}, b: {}, c: {} };
/** Host a answers, and has no leader: of three voters the other two are silent. */
function alone(rest: Partial<Examined> = {}, own: Partial<Examination> = {}): Partial<DoctorFacts> {
  return {
    leaderlessMs: 3_000,
    voters: three,
    examined: [
      examined(a, { connected: [], paths: [], ...own }, {}, three),
      unheard(b, rest),
      unheard(c, rest),
    ],
  };
}

const off = "It does not answer: it is off, or the network to it is cut";
const cases: readonly {
  readonly name: string;
  readonly hosts?: Readonly<Record<string, Host>>;
  readonly encrypted?: boolean;
  readonly facts?: Partial<DoctorFacts>;
  /** Each finding: its cause, what follows, and a part of its remedy after an arrow. */
  readonly want: readonly string[];
}[] = [
  { name: "two hosts that have what they need", want: [] },
  {
    name: "a host that is off",
    facts: { examined: [examined(a, { connected: [], paths: [] }), unheard(b)] },
    want: [`host-b: ${off} -> Start host-b, or open 7946/tcp to it`],
  },
  {
    name: "a host whose agent does not run",
    facts: { examined: [examined(a), unheard(b, { door: "refused" })] },
    want: [
      'host-b: The host is on, and its agent does not run -> Run "systemctl start gam" on host-b',
    ],
  },
  {
    name: "an agent that hangs",
    facts: { examined: [examined(a), unheard(b, { door: "open" })] },
    want: [
      'host-b: Its agent takes connections and does not answer (no answer in 8000 ms) -> Run "systemctl restart gam" on host-b',
    ],
  },
  {
    name: "two silent voters of three: one finding, whose remedy is by reason",
    hosts: threeHosts,
    facts: alone({ door: "refused" }),
    want: [
      '2 of 3 voters are silent: host-b, host-c. Nothing is scheduled, what runs goes on [host-b: The host is on, and its agent does not run; host-c: The host is on, and its agent does not run] -> Run "systemctl start gam" on host-b and host-c; 1 of them is enough. If they run, host-a is cut off',
    ],
  },
  {
    name: "a majority that is gone for long",
    hosts: threeHosts,
    facts: { ...alone(), leaderlessMs: 61_000 },
    want: [
      `2 of 3 voters are silent: host-b, host-c. Nothing is scheduled, what runs goes on [host-b: ${off}; host-c: ${off}] -> Start host-b and host-c, or repair the network to them; 1 of them is enough`,
    ],
  },
  {
    name: "the only voter, which is silent",
    facts: {
      leaderlessMs: 3_000,
      voters: [b],
      examined: [examined(a, { connected: [], paths: [] }), unheard(b)],
    },
    want: [
      `The only voter is silent: host-b. Nothing is scheduled, what runs goes on [host-b: ${off}] -> Start host-b`,
    ],
  },
  {
    name: "a host that is cut off, at that host",
    hosts: threeHosts,
    facts: alone({}, { line: "down" }),
    want: [
      `host-a: Its device to the other hosts has no link [2 of 3 voters are silent: host-b, host-c. Nothing is scheduled, what runs goes on; host-b: ${off}; host-c: ${off}] -> Look at the cable or the virtual network of host-a`,
    ],
  },
  {
    name: "no leader although a majority answers",
    facts: { leaderlessMs: 61_000, voters: [a, b] },
    want: [
      "No leader for 61 s, although 2 of 2 voters answer. Nothing is scheduled, what runs goes on -> Read the logs",
    ],
  },
  { name: "a mesh that has just lost its leader", facts: { leaderlessMs: 9_000 }, want: [] },
  {
    name: "a host with a second recovery",
    facts: { rivals: [b] },
    want: [
      '"gam recover" was run on host-b, too: there is a second life of this cluster -> Keep one of the two',
    ],
  },
  {
    name: "a host that others hear and the asked one does not",
    hosts: threeHosts,
    facts: {
      examined: [
        examined(a, { connected: [c] }, {}, three),
        unheard(b),
        examined(c, {}, {}, three),
      ],
    },
    want: [
      "host-c is connected to host-b, host-a is not -> Open 7946/tcp between host-a and host-b",
    ],
  },
  {
    name: "a pair without a connection",
    facts: { examined: [examined(a), examined(b, { connected: [] })] },
    want: [
      "host-b to host-a: There is no connection to 10.0.0.97:7946 -> Open 7946/tcp between the two, both ways",
    ],
  },
  {
    name: "an engine that does not run",
    facts: {
      examined: [
        examined(a),
        examined(b, {
          engine: { ...engine, state: "stopped", reason: "nothing listens at /run/docker.sock" },
          problems: ["Cannot make network"],
        }),
      ],
    },
    want: [
      'host-b: Its engine does not run: nothing listens at /run/docker.sock [host-b: Cannot make network] -> Run "systemctl start docker" on host-b',
    ],
  },
  {
    name: "an engine that hangs",
    facts: {
      examined: [
        examined(a),
        examined(b, { engine: { ...engine, state: "silent", reason: "no answer within 5 s" } }),
      ],
    },
    want: [
      'host-b: Its engine takes calls and does not answer them: no answer within 5 s -> Run "systemctl restart docker" on host-b',
    ],
  },
  {
    name: "engines that are too old, which a start does not mend",
    facts: {
      examined: [
        examined(a, { engine: { ...engine, version: "19.03.15" } }),
        examined(b, { engine: { ...engine, state: "old", version: "18.09" } }),
      ],
    },
    want: [
      "host-a: Its engine is version 19.03.15, gam needs 20.10 or newer -> Install Docker 20.10 or newer on host-a",
      "host-b: Its engine is version 18.09, gam needs 20.10 or newer -> Install Docker 20.10 or newer on host-b",
    ],
  },
  {
    name: "an engine whose API is too old, whatever its version says",
    facts: {
      examined: [examined(a), examined(b, { engine: { ...engine, state: "old", version: "99" } })],
    },
    want: ["host-b: Its engine is version 99, gam needs 20.10 or newer -> Install Docker 20.10"],
  },
  {
    name: "engines of releases that gam can use",
    facts: {
      examined: [
        examined(a, { engine: { ...engine, version: "20.10.24+dfsg1" } }),
        examined(b, { engine: { ...engine, version: "" } }),
      ],
    },
    want: [],
  },
  {
    name: "a swarm that was left behind",
    facts: { examined: [examined(a, { engine: { ...engine, inSwarm: true } }), examined(b)] },
    want: [
      'host-a: Its engine is in Docker Swarm mode, which uses the ports that gam needs -> Run "docker --host unix:///var/run/docker.sock swarm leave --force" on host-a',
    ],
  },
  {
    name: "a disk that takes no writes, with the log that is stuck because of it",
    facts: {
      examined: [
        examined(a),
        examined(b, {
          disks: [{ path: "/d", freeBytes: 0, totalBytes: 0, failure: "ENOSPC" }],
          log: { applied: 5, commit: 5, stopped: "" },
        }),
      ],
    },
    want: [
      "host-b: Nothing can be written to /d: ENOSPC [host-b: Its log stays at entry 5, the others are at 9: it does not see what has changed since] -> Look at the disk of /d on host-b",
    ],
  },
  {
    name: "a disk that is nearly full",
    facts: {
      examined: [
        examined(a, {
          disks: [{ path: "/d", freeBytes: 2 ** 30, totalBytes: 100 * 2 ** 30, failure: "" }],
        }),
        examined(b),
      ],
    },
    want: ["host-a: The disk of /d has 1 GiB left of 100 GiB -> Free space on host-a"],
  },
  {
    name: "a small disk with room, and one that nobody could read",
    facts: {
      examined: [
        examined(a, { disks: [{ path: "/d", freeBytes: 5e7, totalBytes: 6e7, failure: "" }] }),
        examined(b, { disks: [{ path: "/d", freeBytes: 0, totalBytes: 0, failure: "" }] }),
      ],
    },
    want: [],
  },
  {
    name: "a log that is stuck",
    facts: { examined: [examined(a), examined(b, {}, { expected: 12 })] },
    want: [
      'host-b: Its log stays at entry 9, the others are at 12: it does not see what has changed since -> Run "systemctl restart gam" on host-b',
    ],
  },
  {
    name: "logs without a leader, which nobody can catch up with",
    facts: { leaderlessMs: 3_000, examined: [examined(a), examined(b, {}, { expected: 12 })] },
    want: [],
  },
  {
    name: "a host that takes no part",
    facts: {
      examined: [
        examined(a),
        examined(b, { log: { applied: 5, commit: 9, stopped: "its journal is damaged" } }),
      ],
    },
    want: [
      "host-b: It takes no part: its journal is damaged -> Read the log of the agent of host-b",
    ],
  },
  {
    name: "little memory",
    facts: {
      examined: [
        examined(a, { memory: { availableBytes: 2 ** 27, totalBytes: 2 ** 33 } }),
        examined(b, { memory: { availableBytes: 0, totalBytes: 0 } }),
      ],
    },
    want: ["host-a: It has 128 MiB of memory left of 8 GiB -> Limit that service"],
  },
  {
    name: "a connection table that is nearly full",
    facts: { examined: [examined(a, { conntrack: { used: 950, max: 1000 } }), examined(b)] },
    want: [
      'host-a: Its kernel tracks 950 connections and may track 1000: new ones are dropped -> Run "sysctl net.netfilter.nf_conntrack_max=2000" on host-a',
    ],
  },
  {
    name: "a kernel without a part",
    hosts: { a: { network: { problem: "The kernel has no VXLAN: run `modprobe vxlan`" } }, b: {} },
    want: [
      "host-a: The kernel has no VXLAN: run `modprobe vxlan` -> Do this on host-a; its agent checks again every minute: run `modprobe vxlan`",
    ],
  },
  {
    name: "no encryption where a network demands it",
    hosts: { a: {}, b: { network: { encryption: "kernel" } } },
    encrypted: true,
    want: [
      'host-a: It has no WireGuard, so tasks of "vault" cannot run there -> Install wireguard-tools on host-a',
    ],
  },
  {
    name: "a clock that is behind",
    facts: { examined: [examined(a), examined(b, {}, { clockAheadMs: -3500, clockDoubtMs: 20 })] },
    want: ["host-b: Its clock is 3.5 s behind the asked host's -> Set the clock of host-b"],
  },
  {
    name: "the asked host's clock, which is two days off against two others",
    hosts: threeHosts,
    facts: {
      examined: [
        examined(a, {}, {}, three),
        examined(b, {}, { clockAheadMs: 2 * 86_400_000 }, three),
        examined(c, {}, { clockAheadMs: 2 * 86_400_000 + 300 }, three),
      ],
    },
    want: ["host-a: Its clock is 2 days behind -> Set the clock of host-a"],
  },
  {
    name: "a clock whose difference is within the error",
    facts: { examined: [examined(a), examined(b, {}, { clockAheadMs: 3500, clockDoubtMs: 1600 })] },
    want: [],
  },
  {
    name: "two hosts of one name",
    facts: { examined: [examined(a), examined(b, { hostname: "host-a" })] },
    want: [
      "2 hosts are called host-a: 10.0.0.97 (a) and 10.0.0.98 (b) -> Give all but one of them another name",
    ],
  },
  {
    name: "a host without a name",
    facts: { examined: [examined(a), examined(b, { hostname: "" })] },
    want: [
      'The host with the address 10.0.0.98 (b) has no hostname -> Run "hostnamectl set-hostname NAME" there',
    ],
  },
  {
    name: "an old record of a host that has joined again",
    hosts: { a: {}, b: { down: true } },
    facts: { examined: [examined(a, { hostname: "host-b" }), unheard(b)] },
    want: [
      'host-b is listed twice: the node b does not answer, another one of that name does -> If host-b joined again under a new id, run "docker node rm --force b"',
    ],
  },
  {
    name: "different versions",
    facts: { examined: [examined(a), examined(b, { version: "0.10.0" })] },
    want: [
      'Hosts run different versions of gam: 0.10.0 on host-b; 0.1.0 on host-a -> Run "gam upgrade --to FILE" with a package of 0.10.0: it upgrades host-a',
    ],
  },
  {
    name: "a port that is closed one way",
    facts: { examined: [examined(a, { paths: [{ ...way, result: "none" }] }), examined(b)] },
    want: [
      'host-a to host-b: Packets through network "front" do not arrive, or the answers do not -> Open 51820/udp between the two, both ways. If a host has a firewall, also open 53/udp',
    ],
  },
  {
    name: "a port that is closed at one host, as one finding",
    hosts: threeHosts,
    facts: {
      examined: three.map((id) =>
        examined(
          id,
          {
            paths: three
              .filter((to) => to !== id)
              .map((to) => ({
                ...{ to, network: "", port: "4789/udp", bytes: 1450 },
                result: to === b ? "none" : "whole",
              })),
          },
          {},
          three,
        ),
      ),
    },
    want: [
      "Packets to 4789/udp do not arrive (host-a to host-b, host-c to host-b) -> Open 4789/udp on host-b, both ways",
    ],
  },
  {
    name: "a path for short packets only",
    facts: { examined: [examined(a, { paths: [{ ...way, result: "small" }] }), examined(b)] },
    want: [
      'host-a to host-b: Short packets arrive through network "front", those of 1370 bytes do not -> lower the MTU',
    ],
  },
  {
    name: "a port for short packets only, where no network is on both hosts",
    facts: {
      examined: [examined(a, { paths: [{ ...way, network: "", result: "small" }] }), examined(b)],
    },
    want: [
      "host-a to host-b: Short packets arrive at 51820/udp, those of 1370 bytes do not -> Let the network between the two",
    ],
  },
  {
    name: "a pair that could not be probed, which is no failure",
    facts: { examined: [examined(a, { paths: [] }), examined(b)] },
    want: [],
  },
  {
    name: "a data plane that reports a problem",
    facts: { examined: [examined(a, { problems: ["Cannot answer names"] }), examined(b)] },
    want: ["host-a: Cannot answer names -> Read the log of the agent of host-a"],
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
      "Only 10 of 100 subnets are left for new networks -> Remove unused networks",
      '12 of 13 addresses of network "front" (10.0.2.0/28) are in use -> Scale its services down',
    ],
  },
  {
    name: "a subnet that a host has a route to",
    facts: {
      clashes: [{ network: "front", subnet: "10.0.2.0/24", node: b, route: "10.0.0.0/16" }],
    },
    want: [
      'Subnet 10.0.2.0/24 of network "front" overlaps with route 10.0.0.0/16 of host-b -> Create network "front" again',
    ],
  },
  {
    name: "several things, the most urgent first",
    facts: {
      examined: [
        examined(a, { version: "0.2.0", conntrack: { used: 950, max: 1000 } }),
        examined(b, { engine: { ...engine, state: "stopped", reason: "gone" } }),
      ],
    },
    want: [
      "host-b: Its engine does not run: gone -> Run",
      "host-a: Its kernel tracks 950 connections and may track 1000: new ones are dropped -> Run",
      'Hosts run different versions of gam: 0.2.0 on host-a; 0.1.0 on host-b -> Run "gam upgrade --to FILE" with a package of 0.2.0: it upgrades host-b',
    ],
  },
];

function wholeFacts(facts: Partial<DoctorFacts>): DoctorFacts {
  const led = { self: a, leaderlessMs: 0, voters: [a], rivals: [] };
  return { examined: [examined(a), examined(b)], pools, clashes: [], ...led, ...facts };
}

for (const { name, hosts = { a: {}, b: {} }, encrypted, facts = {}, want } of cases) {
  test(`diagnose() of ${name}`, () => {
    const report = diagnose(stateOf(hosts, encrypted), wholeFacts(facts), { isProbed: true });
    assert.deepEqual(checkDoctorReport(report, "report"), report);
    const shown = report.findings.map(({ cause, follows }) =>
      follows.length === 0 ? cause : `${cause} [${follows.join("; ")}]`,
    );
    const [causes, remedies] = [0, 1].map((at) => want.map((line) => line.split(" -> ")[at] ?? ""));
    assert.deepEqual(shown, causes);
    for (const [at, { remedy }] of report.findings.entries()) {
      assert.ok(remedy.includes(remedies?.[at] ?? ""), remedy);
    }
    assert.equal(report.healthy, want.length === 0);
    for (const { result, remedy } of report.checks)
      assert.equal(result === "failed", remedy !== "");
  });
}

test("a path is unknown only where paths were probed", () => {
  const facts = wholeFacts({ examined: [examined(a, { paths: [] }), examined(b)] });
  for (const [isProbed, count] of [
    [true, 1],
    [false, 0],
  ] as const) {
    const { checks } = diagnose(stateOf({ a: {}, b: {} }), facts, { isProbed });
    assert.equal(checks.filter(({ result }) => result === "unknown").length, count);
  }
});

test("diagnose() of a host that has just joined uses its own name, and leaves out the others", () => {
  const stopped = { engine: { ...engine, state: "stopped", reason: "gone" } } as const;
  const plain = aNode(a, { description: { Hostname: "" } });
  const store = new Store();
  const changes = [plain, aNode(b)].map((node): Change => ({ kind: "joinNode", node }));
  store.apply(1, { id: "p" as ProposalId, atMs: 0, changes });
  const facts = wholeFacts({ examined: [examined(a, stopped), examined(b, stopped)] });
  const { findings } = diagnose(store, facts, { isProbed: false, onlySelf: true });
  assert.deepEqual(
    findings.map(({ cause }) => cause),
    ["host-a: Its engine does not run: gone"],
  );
});

test("diagnoseHost() checks a host in no cluster", () => {
  const report = diagnoseHost({ ...host, hostname: "new", engine: { ...engine, inSwarm: true } });
  assert.deepEqual(checkDoctorReport(report, "report"), report);
  assert.deepEqual(
    report.findings.map(({ cause }) => cause),
    ["new: Its engine is in Docker Swarm mode, which uses the ports that gam needs"],
  );
});

test("mendsOf() names what hosts mend by themselves, and findings say so", () => {
  const facts = wholeFacts({
    examined: [
      examined(a, { conntrack: { used: 950, max: 1000 } }),
      examined(b, { engine: { ...engine, state: "stopped", reason: "gone" } }),
    ],
  });
  const store = stateOf({ a: {}, b: {} });
  const orders = mendsOf(store, facts);
  assert.deepEqual(
    orders.map(({ node, mend }) => `${node} ${mend}`),
    ["a conntrack", "b engine"],
  );
  const { findings } = diagnose(store, facts, { isProbed: false });
  assert.deepEqual(findings.map(({ fix }) => fix).sort(), orders.map(({ fix }) => fix).sort());
});

test("diagnose() mentions gam unlock where managers are locked when they start, and only there", () => {
  const UnlockKey = { [testKey("root")]: "sealed" };
  for (const cluster of [aCluster(), aCluster({ UnlockKey })]) {
    const store = stateOf(threeHosts);
    const nodes = store.nodes().map(({ ID, Spec, Version }): Change => {
      const spec = { ...Spec, Role: "manager" as const };
      return { kind: "updateNode", id: ID, spec, basedOn: Version.Index };
    });
    const changes: Change[] = [{ kind: "createCluster", cluster }, ...nodes];
    store.apply(9, { id: "c" as ProposalId, atMs: 0, changes });
    const { checks } = diagnose(store, wholeFacts(alone({ door: "refused" })), { isProbed: true });
    const mentioned = checks.filter(({ remedy }) => remedy.includes("gam unlock"));
    assert.deepEqual(
      mentioned.map(({ topic, subject }) => `${topic} ${subject}`),
      cluster.UnlockKey === undefined ? [] : ["leader mesh", "agents host-b", "agents host-c"],
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
