import assert from "node:assert/strict";
import { test } from "node:test";
import type { GamStatus, NodeSummary } from "@gam/state/answers";
import { aStatus, aNodeSummary as node, nodeIdOf } from "../testing/a-status.ts";
import { type Paint, statusView } from "./status-view.ts";

const plain = (text: string): string => text;
const paint: Paint = { bold: plain, dim: plain, green: plain, yellow: plain, red: plain };

const nowMs = Date.UTC(2026, 0, 1);
const stateAtMs = nowMs - 180_000;
const old = "this host has not caught up (state of 23:57:00 UTC, 3 minutes ago)";

/** Without a leader a copy is not caught up. */
function mesh(nodes: readonly NodeSummary[], changed: Partial<GamStatus> = {}): GamStatus {
  const isOld = changed.leader === null;
  return aStatus(nodes, { ...(isOld && { isCaughtUp: false, stateAtMs }), ...changed });
}

const cases: readonly { name: string; status: GamStatus; want: string[] }[] = [
  {
    name: "a host in no mesh",
    status: mesh([], { state: "inactive" }),
    want: [
      "This host is in no mesh",
      'Begin one with "gam init", or join one with "gam join TOKEN" ("gam token" on a member shows it)',
    ],
  },
  {
    name: "a locked host",
    status: mesh([], { state: "locked", self: "" as never }),
    want: [
      "This host is locked: it takes no part in its mesh until it is unlocked",
      'Run "gam unlock" here, with the key that "docker swarm unlock-key" on another manager shows',
      "Containers on this host keep running; names of services do not resolve here meanwhile",
    ],
  },
  {
    name: "a healthy mesh",
    status: mesh([
      node(10, { role: "learner" }),
      node(2),
      node(1, { role: "leader" }),
      node(3, { availability: "drain" }),
      node(4, { role: "worker", usage: null }),
    ]),
    want: [
      "Mesh of 5 hosts, led by host1 (term 3); all are ready",
      "",
      "HOSTNAME  ADDRESS         STATE         ROLE     CPU  MEM          TASKS",
      "host1     10.0.0.1:7946   ready         leader   13%  1.5/4.0 GiB  1",
      "host10    10.0.0.10:7946  ready         standby  13%  1.5/4.0 GiB  10",
      "host2 *   10.0.0.2:7946   ready         voter    13%  1.5/4.0 GiB  2",
      "host3     10.0.0.3:7946   ready, drain  voter    13%  1.5/4.0 GiB  3",
      "host4     10.0.0.4:7946   ready         worker   -    -            4",
    ],
  },
  {
    name: "a lost voter",
    status: mesh([
      node(1, { role: "leader" }),
      node(2),
      node(3, { state: "down", message: "no watcher hears it", heard: false }),
    ]),
    want: [
      "Mesh of 3 hosts, led by host1 (term 3); 1 of 3 is not ready",
      "",
      "HOSTNAME  ADDRESS        STATE  ROLE    CPU  MEM          TASKS",
      "host1     10.0.0.1:7946  ready  leader  13%  1.5/4.0 GiB  1",
      "host2 *   10.0.0.2:7946  ready  voter   13%  1.5/4.0 GiB  2",
      "host3     10.0.0.3:7946  down   voter   13%  1.5/4.0 GiB  3",
      "",
      "host3: no watcher hears it",
      "",
      "2 of 3 voters answer; losing one more stops scheduling",
    ],
  },
  {
    name: "a host that has just started and reads the log",
    status: mesh([node(1, { role: "leader" }), node(2)], { isCaughtUp: false, stateAtMs }),
    want: [
      `Mesh of 2 hosts, led by host1 (term 3); ${old}`,
      "",
      "HOSTNAME  ADDRESS        STATE  ROLE    CPU  MEM          TASKS",
      "host1     10.0.0.1:7946  ready  leader  13%  1.5/4.0 GiB  1",
      "host2 *   10.0.0.2:7946  ready  voter   13%  1.5/4.0 GiB  2",
      "",
      "2 of 2 voters answer; losing one more stops scheduling",
    ],
  },
  {
    name: "an agent that has stopped a moment ago",
    status: mesh([
      node(1, { role: "leader" }),
      node(2),
      node(3),
      node(4, { role: "learner", heard: false, graceMs: 11_400 }),
    ]),
    want: [
      "Mesh of 4 hosts, led by host1 (term 3); 1 of 4 is not ready",
      "",
      "HOSTNAME  ADDRESS        STATE          ROLE     CPU  MEM          TASKS",
      "host1     10.0.0.1:7946  ready          leader   13%  1.5/4.0 GiB  1",
      "host2 *   10.0.0.2:7946  ready          voter    13%  1.5/4.0 GiB  2",
      "host3     10.0.0.3:7946  ready          voter    13%  1.5/4.0 GiB  3",
      "host4     10.0.0.4:7946  ready, silent  standby  13%  1.5/4.0 GiB  4",
      "",
      "host4: its agent has stopped. If it is not back in 12 s, its tasks start elsewhere",
    ],
  },
  {
    name: "a voter without its engine",
    status: mesh([
      node(1, { role: "leader" }),
      node(2),
      node(3, { state: "down", message: "connect ECONNREFUSED", engine: false }),
    ]),
    want: [
      "Mesh of 3 hosts, led by host1 (term 3); 1 of 3 is not ready",
      "",
      "HOSTNAME  ADDRESS        STATE      ROLE    CPU  MEM          TASKS",
      "host1     10.0.0.1:7946  ready      leader  13%  1.5/4.0 GiB  1",
      "host2 *   10.0.0.2:7946  ready      voter   13%  1.5/4.0 GiB  2",
      "host3     10.0.0.3:7946  no engine  voter   13%  1.5/4.0 GiB  3",
      "",
      "host3: connect ECONNREFUSED",
    ],
  },
  {
    name: "a lost host whose engine did not answer before",
    status: mesh([
      node(1, { role: "leader" }),
      node(2, { role: "learner", state: "down", heard: false, engine: false }),
    ]),
    want: [
      "Mesh of 2 hosts, led by host1 (term 3); 1 of 2 is not ready",
      "",
      "HOSTNAME  ADDRESS        STATE  ROLE     CPU  MEM          TASKS",
      "host1     10.0.0.1:7946  ready  leader   13%  1.5/4.0 GiB  1",
      "host2 *   10.0.0.2:7946  down   standby  13%  1.5/4.0 GiB  2",
      "",
      "Only one manager answers; until another one does, writes are on one disk only",
    ],
  },
  {
    name: "a mesh without a leader",
    status: mesh([node(2)], { leader: null, voters: [nodeIdOf(1), nodeIdOf(2)] }),
    want: [
      `Mesh of 1 host, without a leader; ${old}`,
      "",
      "HOSTNAME  ADDRESS        STATE  ROLE   CPU  MEM          TASKS",
      "host2 *   10.0.0.2:7946  ready  voter  13%  1.5/4.0 GiB  2",
      "",
      "Nothing can be scheduled until a leader is elected; running containers are not affected",
      "This host reaches no leader, so what it shows may be old",
      "2 of 2 voters must reach each other, and this host must reach them",
    ],
  },
  {
    name: "a mesh that lost most of its voters at once",
    status: mesh([node(1, { heard: false }), node(2), node(3, { heard: false })], {
      leader: null,
    }),
    want: [
      `Mesh of 3 hosts, without a leader; ${old}`,
      "",
      "HOSTNAME  ADDRESS        STATE   ROLE   CPU  MEM          TASKS",
      "host1     10.0.0.1:7946  silent  voter  13%  1.5/4.0 GiB  1",
      "host2 *   10.0.0.2:7946  ready   voter  13%  1.5/4.0 GiB  2",
      "host3     10.0.0.3:7946  silent  voter  13%  1.5/4.0 GiB  3",
      "",
      "Nothing can be scheduled until a leader is elected; running containers are not affected",
      "This host reaches no leader, so what it shows may be old",
      "2 of 3 voters must reach each other, and this host must reach them; not heard: host1, host3",
    ],
  },
  {
    name: "a mesh that lost most of its voters long ago",
    status: mesh([node(1, { heard: false }), node(2), node(3, { heard: false })], {
      leader: null,
      leaderlessMs: 31_000,
    }),
    want: [
      `Mesh of 3 hosts, without a leader; ${old}`,
      "",
      "HOSTNAME  ADDRESS        STATE   ROLE   CPU  MEM          TASKS",
      "host1     10.0.0.1:7946  silent  voter  13%  1.5/4.0 GiB  1",
      "host2 *   10.0.0.2:7946  ready   voter  13%  1.5/4.0 GiB  2",
      "host3     10.0.0.3:7946  silent  voter  13%  1.5/4.0 GiB  3",
      "",
      "Nothing can be scheduled until a leader is elected; running containers are not affected",
      "This host reaches no leader, so what it shows may be old",
      "2 of 3 voters must reach each other, and this host must reach them; not heard: host1, host3",
      'If they are gone for good, run "gam recover": it shows what this host could continue with alone',
    ],
  },
  {
    name: "a mesh whose managers are locked when they restart",
    status: mesh([node(1, { heard: false }), node(2), node(3, { heard: false, role: "worker" })], {
      leader: null,
      autolock: true,
    }),
    want: [
      `Mesh of 3 hosts, without a leader; ${old}`,
      "",
      "HOSTNAME  ADDRESS        STATE   ROLE    CPU  MEM          TASKS",
      "host1     10.0.0.1:7946  silent  voter   13%  1.5/4.0 GiB  1",
      "host2 *   10.0.0.2:7946  ready   voter   13%  1.5/4.0 GiB  2",
      "host3     10.0.0.3:7946  silent  worker  13%  1.5/4.0 GiB  3",
      "",
      "Managers are locked when they start; this host does not hear host1",
      'If such a host has restarted, run "gam unlock" on it',
      "",
      "Nothing can be scheduled until a leader is elected; running containers are not affected",
      "This host reaches no leader, so what it shows may be old",
      "2 of 2 voters must reach each other, and this host must reach them; not heard: host1",
    ],
  },
  {
    name: "a mesh whose voters answer and elect nobody",
    status: mesh([node(1), node(2), node(3)], { leader: null, leaderlessMs: 31_000 }),
    want: [
      `Mesh of 3 hosts, without a leader; ${old}`,
      "",
      "HOSTNAME  ADDRESS        STATE  ROLE   CPU  MEM          TASKS",
      "host1     10.0.0.1:7946  ready  voter  13%  1.5/4.0 GiB  1",
      "host2 *   10.0.0.2:7946  ready  voter  13%  1.5/4.0 GiB  2",
      "host3     10.0.0.3:7946  ready  voter  13%  1.5/4.0 GiB  3",
      "",
      "Nothing can be scheduled until a leader is elected; running containers are not affected",
      "This host reaches no leader, so what it shows may be old",
      "2 of 3 voters must reach each other, and this host must reach them",
    ],
  },
  {
    name: "a host that takes no part",
    status: mesh([node(2)], { leader: null, voters: [], isMute: true }),
    want: [
      `Mesh of 1 host, without a leader; ${old}`,
      "",
      "HOSTNAME  ADDRESS        STATE  ROLE   CPU  MEM          TASKS",
      "host2 *   10.0.0.2:7946  ready  voter  13%  1.5/4.0 GiB  2",
      "",
      "The journal of this host is damaged, so this host takes no part in the mesh",
      "If the other hosts have a leader, join again as the log of the agent says",
      'If they have none, run "gam recover": it shows what this host still has',
    ],
  },
  {
    name: "two survivors that both recovered",
    status: mesh([node(1), node(2, { role: "leader" })], {
      leader: nodeIdOf(2),
      voters: [nodeIdOf(2)],
      rivals: [nodeIdOf(1)],
    }),
    want: [
      "Mesh of 2 hosts, led by host2 (term 3); all are ready",
      "",
      "HOSTNAME  ADDRESS        STATE  ROLE    CPU  MEM          TASKS",
      "host1     10.0.0.1:7946  ready  voter   13%  1.5/4.0 GiB  1",
      "host2 *   10.0.0.2:7946  ready  leader  13%  1.5/4.0 GiB  2",
      "",
      '"gam recover" was run on host1, too: there is a second life of this cluster',
      'Keep one of the two. On each host of the other, run "gam leave --force", then "gam join TOKEN"',
      "",
      "Add a third host: the mesh then survives the loss of any one host",
    ],
  },
  {
    name: "a standby whose only voter is lost",
    status: mesh([node(1, { heard: false }), node(2, { role: "learner" })], { leader: null }),
    want: [
      `Mesh of 2 hosts, without a leader; ${old}`,
      "",
      "HOSTNAME  ADDRESS        STATE   ROLE     CPU  MEM          TASKS",
      "host1     10.0.0.1:7946  silent  voter    13%  1.5/4.0 GiB  1",
      "host2 *   10.0.0.2:7946  ready   standby  13%  1.5/4.0 GiB  2",
      "",
      "Nothing can be scheduled until a leader is elected; running containers are not affected",
      "This host reaches no leader, so what it shows may be old",
      "This host must reach the only voter; not heard: host1",
    ],
  },
  {
    name: "two hosts",
    status: mesh([node(1, { role: "leader" }), node(2, { role: "learner" })]),
    want: [
      "Mesh of 2 hosts, led by host1 (term 3); all are ready",
      "",
      "HOSTNAME  ADDRESS        STATE  ROLE     CPU  MEM          TASKS",
      "host1     10.0.0.1:7946  ready  leader   13%  1.5/4.0 GiB  1",
      "host2 *   10.0.0.2:7946  ready  standby  13%  1.5/4.0 GiB  2",
      "",
      "Add a third host: the mesh then survives the loss of any one host",
    ],
  },
  {
    name: "networks with few addresses left and a host without VXLAN",
    status: mesh(
      [
        node(1, { role: "leader", network: { encryption: "kernel", problem: "" } }),
        node(2, { network: { encryption: "kernel", problem: "" } }),
        node(3, { network: { encryption: "none", problem: "The kernel has no VXLAN" } }),
      ],
      {
        pools: {
          ...{ subnets: 100, subnetsFree: 10 },
          networks: [
            { name: "big", subnet: "10.1.0.0/24", used: 90, size: 253 },
            { name: "front", subnet: "10.1.1.0/28", used: 12, size: 13 },
          ],
        },
      },
    ),
    want: [
      "Mesh of 3 hosts, led by host1 (term 3); all are ready",
      "",
      "HOSTNAME  ADDRESS        STATE  ROLE    CPU  MEM          TASKS",
      "host1     10.0.0.1:7946  ready  leader  13%  1.5/4.0 GiB  1",
      "host2 *   10.0.0.2:7946  ready  voter   13%  1.5/4.0 GiB  2",
      "host3     10.0.0.3:7946  ready  voter   13%  1.5/4.0 GiB  3",
      "",
      "host3: no overlay networking: The kernel has no VXLAN",
      "",
      "10 of 100 subnets are left for new networks",
      "Network front: 12 of 13 addresses are in use",
      "",
      "Network traffic is encrypted only between the 2 hosts with WireGuard in the kernel",
    ],
  },
  {
    name: "a peer that refused a log entry",
    status: mesh([node(1, { role: "leader" })], {
      self: nodeIdOf(1),
      troubles: ["2026-01-01T00:00:00.000Z Refused an entry of the log: index 7, reason no time"],
    }),
    want: [
      "Mesh of 1 host, led by host1 (term 3); it is ready",
      "",
      "HOSTNAME  ADDRESS        STATE  ROLE    CPU  MEM          TASKS",
      "host1 *   10.0.0.1:7946  ready  leader  13%  1.5/4.0 GiB  1",
      "",
      "This host refused or skipped invalid input:",
      "2026-01-01T00:00:00.000Z Refused an entry of the log: index 7, reason no time",
    ],
  },
  {
    name: "a root key that is being replaced",
    status: mesh([node(1, { role: "leader" }), node(2), node(3, { heard: false })], {
      rootAwaits: [nodeIdOf(3)],
    }),
    want: [
      "Mesh of 3 hosts, led by host1 (term 3); 1 of 3 is not ready",
      "",
      "HOSTNAME  ADDRESS        STATE          ROLE    CPU  MEM          TASKS",
      "host1     10.0.0.1:7946  ready          leader  13%  1.5/4.0 GiB  1",
      "host2 *   10.0.0.2:7946  ready          voter   13%  1.5/4.0 GiB  2",
      "host3     10.0.0.3:7946  ready, silent  voter   13%  1.5/4.0 GiB  3",
      "",
      "The root key is being replaced; waiting for host3",
      'Remove a host that will not come back: "docker node rm --force HOST"',
      "",
      "2 of 3 voters answer; losing one more stops scheduling",
    ],
  },
];

for (const { name, status, want } of cases) {
  test(`statusView() of ${name}`, () => assert.deepEqual(statusView(status, paint, nowMs), want));
}

test("statusView() shows services that do not come up, and the last reason", () => {
  const web = {
    ...{ id: "s1" as never, name: "shop_web", places: 2, failures: 6 },
    ...{ reason: "task: non-zero exit (1)", restartsAtMs: nowMs + 39_500 },
  };
  const gpu = { ...web, name: "gpu", places: 1, failures: 0, restartsAtMs: 0 };
  const status = mesh([node(1, { role: "leader" })], {
    notUp: [web, { ...gpu, reason: "no suitable node (insufficient resources on 1 node)" }],
  });
  const lines = statusView(status, paint, nowMs);
  assert.deepEqual(lines.slice(5), [
    "Service shop_web does not come up (2 tasks): task: non-zero exit (1); 6 failures in a row; restarts in 40 s",
    "Service gpu does not come up: no suitable node (insufficient resources on 1 node)",
    'Run "docker service ps --no-trunc SERVICE" to see each task',
  ]);
  const notUp = Array.from({ length: 14 }, () => gpu);
  assert.ok(statusView({ ...status, notUp }, paint, nowMs).includes("and 4 more services"));
});

test("statusView() shows the network problems of the asked host", () => {
  const one = node(1, { role: "leader" });
  const problem = 'Cannot use id of service "web": found "a{b"';
  const lines = statusView(mesh([one], { problems: [problem] }), paint, nowMs);
  assert.ok(lines.includes(`This host: ${problem}`), lines.join("\n"));
});

test("statusView() does not count colour codes when it pads", () => {
  const marked: Paint = { ...paint, green: (text) => `<${text}>`, bold: (text) => `<${text}>` };
  const lines = statusView(mesh([node(1, { role: "leader" }), node(2), node(3)]), marked, nowMs);
  assert.equal(lines[3], "host1     10.0.0.1:7946  <ready>  <leader>  13%  1.5/4.0 GiB  1");
});

for (const [hosts, want] of [
  [["kernel", "kernel"], "Network traffic between hosts is encrypted"],
  [["kernel", "none"], "Network traffic between hosts is not encrypted: WireGuard is missing"],
  [
    ["kernel", "userspace"],
    'Network traffic between hosts is not encrypted, except on networks with "--opt encrypted"',
  ],
  [["none"], undefined],
] as const) {
  test(`statusView() says what is encrypted between ${hosts.join(" and ")}`, () => {
    const nodes = hosts.map((encryption, at) =>
      node(at + 1, { network: { encryption, problem: "" } }),
    );
    const said = statusView(mesh(nodes), paint, nowMs).find((line) =>
      line.startsWith("Network traffic"),
    );
    assert.equal(said, want);
  });
}

test("statusView() says which host runs which gam, only while they differ", () => {
  const said = (...versions: (string | undefined)[]): string =>
    statusView(
      mesh(versions.map((version, at) => node(at + 1, version === undefined ? {} : { version }))),
      paint,
      nowMs,
    ).join("\n");
  assert.doesNotMatch(said("0.1.0+a", "0.1.0+a", undefined), /versions of gam/);
  assert.match(
    said("0.1.0+b", "0.1.0+a", "0.1.0+b"),
    /^The hosts run different versions of gam:\n {2}0\.1\.0\+a on host2\n {2}0\.1\.0\+b on host1, host3\nFinish the upgrade/m,
  );
});
