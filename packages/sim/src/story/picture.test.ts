import assert from "node:assert/strict";
import { test } from "node:test";
import { type Picture, picture } from "./picture.ts";

const empty: Picture = { seenBy: "host1", index: 7, leaders: ["host2"], services: [], hosts: [] };
const task = { wanted: "running", image: "app:1", why: "" };
const host = { node: "ready manager, active", truth: "agent runs", applied: 7, runs: [] };

const cases: readonly { name: string; shown: Picture; want: readonly string[] }[] = [
  {
    name: "an empty cluster",
    shown: empty,
    want: ["Desired and actual state, as host1 has it: entry 7, leader host2"],
  },
  {
    name: "hosts that do not agree who leads",
    shown: { ...empty, leaders: ["host2", "none"] },
    want: ["Desired and actual state, as host1 has it: entry 7, leaders: host2, none"],
  },
  {
    name: "desired state, state and containers of each service",
    shown: {
      ...empty,
      services: [
        {
          name: "web",
          wish: "app:2, 2 replicas",
          update: "updating, update in progress",
          tasks: [
            { ...task, name: "web.1#9", state: "running", node: "host1", container: "running" },
            {
              ...task,
              name: "web.2#10",
              state: "pending",
              node: "",
              container: "",
              why: "no node",
            },
          ],
          ended: 3,
        },
        { name: "db", wish: "app:1, global", update: "", tasks: [], ended: 0 },
      ],
    },
    want: [
      "Desired and actual state, as host1 has it: entry 7, leader host2",
      "  service web wants app:2, 2 replicas; update: updating, update in progress; 3 ended tasks left out",
      "    web.1#9   app:1  desired running  is running on host1  container running",
      "    web.2#10  app:1  desired running  is pending           no container       no node",
      "  service db wants app:1, global",
    ],
  },
  {
    name: "hosts, their nodes in the state and how they really are",
    shown: {
      ...empty,
      hosts: [
        { ...host, name: "host1", runs: ["web.1#9", "db.host1#4"] },
        {
          ...host,
          name: "host2",
          node: "down worker, drain",
          truth: "no power",
          applied: undefined,
        },
      ],
    },
    want: [
      "Desired and actual state, as host1 has it: entry 7, leader host2",
      "  host1  ready manager, active  agent runs  entry 7  runs web.1#9 db.host1#4",
      "  host2  down worker, drain     no power             runs nothing",
    ],
  },
];

for (const { name, shown, want } of cases) {
  test(`the picture shows ${name}`, () => assert.deepEqual(picture(shown), want));
}
