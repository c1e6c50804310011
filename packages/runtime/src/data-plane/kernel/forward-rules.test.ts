import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceName } from "@gam/network";
import { FakeRun } from "../../testing/fake-run.ts";
import { ForwardRules } from "./forward-rules.ts";

const given = "-m conntrack --ctstate DNAT --ctdir";
const mark = "-m comment --comment gam -j ACCEPT";
const standing = `-i gam-+ -o gam-+ -m conntrack --ctstate ESTABLISHED ${mark}`;
const there = `-o gam-6 ${given} ORIGINAL ${mark}`;
const back = `-i gam-+ ${given} REPLY ${mark}`;
const docker = ["-P FORWARD DROP", "-N DOCKER-USER", "-A FORWARD -j DOCKER-USER"];

const cases: readonly {
  readonly name: string;
  readonly rules: readonly string[];
  readonly ingress?: string;
  readonly want: readonly string[];
}[] = [
  {
    name: "one is at the head, and the others between what an administrator refuses and Docker's end",
    rules: [...docker, "-A DOCKER-USER -s 192.0.2.0/24 -j DROP", "-A DOCKER-USER -j RETURN"],
    ingress: "gam-6",
    want: [`-I DOCKER-USER 1 ${standing}`, `-I DOCKER-USER 3 ${there}`, `-I DOCKER-USER 4 ${back}`],
  },
  {
    name: "without an end they go last",
    rules: docker,
    ingress: "gam-6",
    want: [`-I DOCKER-USER 1 ${standing}`, `-A DOCKER-USER ${there}`, `-A DOCKER-USER ${back}`],
  },
  {
    name: "without Docker's chain they are in FORWARD",
    rules: ["-P FORWARD DROP"],
    ingress: "gam-6",
    want: [`-I FORWARD 1 ${standing}`, `-A FORWARD ${there}`, `-A FORWARD ${back}`],
  },
  {
    name: "when they are there, nothing is done, though somebody has put a rule before them",
    rules: [
      ...docker,
      "-A DOCKER-USER -s 192.0.2.0/24 -j DROP",
      `-A DOCKER-USER ${standing}`,
      `-A DOCKER-USER ${there}`,
      `-A DOCKER-USER ${back}`,
      "-A DOCKER-USER -j RETURN",
    ],
    ingress: "gam-6",
    want: [],
  },
  {
    name: "when Docker's chain came later, they move",
    rules: [...docker, `-A FORWARD ${standing}`, `-A FORWARD ${there}`, `-A FORWARD ${back}`],
    ingress: "gam-6",
    want: [
      `-D FORWARD ${standing}`,
      `-D FORWARD ${there}`,
      `-D FORWARD ${back}`,
      `-I DOCKER-USER 1 ${standing}`,
      `-A DOCKER-USER ${there}`,
      `-A DOCKER-USER ${back}`,
    ],
  },
  {
    name: "behind the end they are of no use",
    rules: [
      ...docker,
      "-A DOCKER-USER -j RETURN",
      `-A DOCKER-USER ${there}`,
      `-A DOCKER-USER ${back}`,
    ],
    ingress: "gam-6",
    want: [
      `-D DOCKER-USER ${there}`,
      `-D DOCKER-USER ${back}`,
      `-I DOCKER-USER 1 ${standing}`,
      `-I DOCKER-USER 2 ${there}`,
      `-I DOCKER-USER 3 ${back}`,
    ],
  },
  {
    name: "without an ingress network there are none",
    rules: [...docker, `-A DOCKER-USER ${there}`, "-A DOCKER-USER -j RETURN"],
    want: [`-D DOCKER-USER ${there}`],
  },
];

for (const { name, rules, ingress, want } of cases) {
  test(`forward rules: ${name}`, async () => {
    const host = new FakeRun();
    host.answers.set("iptables -w 5 -S", rules.join("\n"));
    await new ForwardRules(host.run).apply(deviceName(ingress ?? ""));
    assert.deepEqual(
      host.log.slice(1).map((line) => line.replace("iptables -w 5 ", "")),
      want,
    );
  });
}

test("forward rules: a host without iptables needs none", async () => {
  const host = new FakeRun();
  host.answers.set("iptables", { missing: true });
  assert.deepEqual(await new ForwardRules(host.run).apply(deviceName("gam-6")), []);
});

const isolation = [
  "-N DOCKER",
  "-N DOCKER-ISOLATION-STAGE-1",
  "-A DOCKER-ISOLATION-STAGE-1 -i gam-6 ! -o gam-6 -j DOCKER-ISOLATION-STAGE-2",
];
const lines = [
  "-j DOCKER-USER",
  "-j DOCKER-ISOLATION-STAGE-1",
  "-o gam-6 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
  "-o gam-6 -j DOCKER",
  "-i gam-6 ! -o gam-6 -j ACCEPT",
  "-i gam-6 -o gam-6 -j ACCEPT",
];
const own = [standing, there, back].map((rule) => `-A DOCKER-USER ${rule}`);

test("forward rules: a flushed FORWARD gets the engine's lines back, but not in a loop", async () => {
  const host = new FakeRun();
  const flushed = ["-P FORWARD DROP", "-N DOCKER-USER", ...isolation, ...own].join("\n");
  host.answers.set("iptables -w 5 -S", flushed);
  const rules = new ForwardRules(host.run, async () => undefined);
  for (let n = 1; n <= 3; n += 1) {
    host.log.length = 0;
    const found = await rules.apply(deviceName("gam-6"));
    assert.deepEqual(found, ["the engine's rules in FORWARD"]);
    assert.deepEqual(
      host.log.slice(2),
      lines.map((line, index) => `iptables -w 5 -I FORWARD ${index + 1} ${line}`),
    );
    assert.match(rules.notice ?? "", n === 1 ? /once in the last 10 minutes/ : /\d times/);
  }
  host.log.length = 0;
  assert.deepEqual(await rules.apply(deviceName("gam-6")), []);
  assert.deepEqual(host.log.slice(2), []);
  assert.match(rules.notice ?? "", /keeps removing .* in 15 s/);
  const whole = [flushed, ...lines.map((line) => `-A FORWARD ${line}`)].join("\n");
  host.answers.set("iptables -w 5 -S", whole);
  await rules.apply(deviceName("gam-6"));
  assert.match(rules.notice ?? "", /3 times in the last 10 minutes/);
});

test("forward rules: an engine that moves its jumps is left alone", async () => {
  const host = new FakeRun();
  const rest = ["-P FORWARD DROP", "-N DOCKER-USER", ...isolation, ...own];
  const whole = [...rest, ...lines.map((line) => `-A FORWARD ${line}`)].join("\n");
  host.answers.set("iptables -w 5 -S", whole.replace("-A FORWARD -j DOCKER-USER", ""));
  const rules = new ForwardRules(host.run, async () => {
    host.answers.set("iptables -w 5 -S", whole);
  });
  assert.deepEqual(await rules.apply(deviceName("gam-6")), []);
  assert.deepEqual(host.log, ["iptables -w 5 -S", "iptables -w 5 -S"]);
  assert.equal(rules.notice, undefined);
});

test("forward rules: a jump that the engine also puts back is there once, and an administrator's double stays", async () => {
  const host = new FakeRun();
  const rest = ["-P FORWARD DROP", "-N DOCKER-USER", ...isolation, ...own];
  const doubled = [
    ...rest,
    "-A FORWARD -j DOCKER-USER",
    ...lines.map((line) => `-A FORWARD ${line}`),
  ];
  const rules = new ForwardRules(host.run, async () => undefined);
  host.answers.set("iptables -w 5 -S", doubled.join("\n"));
  await rules.apply(deviceName("gam-6"));
  assert.deepEqual(host.log, ["iptables -w 5 -S"]);
  host.answers.set("iptables -w 5 -S", rest.join("\n"));
  await rules.apply(deviceName("gam-6"));
  host.log.length = 0;
  host.answers.set("iptables -w 5 -S", doubled.join("\n"));
  await rules.apply(deviceName("gam-6"));
  assert.deepEqual(host.log, ["iptables -w 5 -S", "iptables -w 5 -D FORWARD -j DOCKER-USER"]);
});

test("forward rules: what only the engine can restore is said", async () => {
  const host = new FakeRun();
  const emptied = ["-P FORWARD DROP", "-N DOCKER-USER", "-N DOCKER", "-N DOCKER-ISOLATION-STAGE-1"];
  host.answers.set("iptables -w 5 -S", emptied.join("\n"));
  const rules = new ForwardRules(host.run);
  await rules.apply(deviceName("gam-6"));
  assert.match(rules.notice ?? "", /Restart the engine/);
});
