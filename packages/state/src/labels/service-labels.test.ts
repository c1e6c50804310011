import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { TaskSpec } from "../objects/service.ts";
import { aService } from "../testing/objects.ts";
import { autoscaleOf } from "./autoscale-labels.ts";
import { serviceLabelProblem, serviceLabels } from "./service-labels.ts";

const autoscale = { "gam.autoscale.max": "7", "gam.autoscale.cpu": "70%" };

const problems: readonly (readonly [
  title: string,
  labels: Record<string, string>,
  want: RegExp | undefined,
])[] = [
  ["none", {}, undefined],
  ["somebody else's", { "traefik.enable": "true", gam: "x", "gamma.x": "y" }, undefined],
  ["a right one", { "gam.ingress": "local" }, undefined],
  ["services to wait for", { "gam.depends_on": "db:healthy, shop_job:completed?, x" }, undefined],
  [
    "an unknown condition",
    { "gam.depends_on": "db:ready" },
    /^label "gam.depends_on" has the value "db:ready": use a service such as "db", /,
  ],
  [
    "a service to wait for twice",
    { "gam.depends_on": "db, db:healthy" },
    /^label "gam.depends_on" names "db" twice: keep one/,
  ],
  [
    "too many services to wait for",
    { "gam.depends_on": Array.from({ length: 65 }, (_, n) => `s${n}`).join(",") },
    /names 65 services: name at most 64$/,
  ],
  ["an empty one", { "gam.ingress": "" }, undefined],
  [
    "a wrong value",
    { "gam.ingress": "lokal" },
    /^label "gam.ingress" has the value "lokal": use "local", or leave/,
  ],
  [
    "a mistyped name",
    { "gam.ingres": "local" },
    /^label "gam.ingres" is unknown: did you mean "gam.ingress"\? gam's labels are gam.ingress, /,
  ],
  ["autoscaling", { ...autoscale, "gam.autoscale.min": "2" }, undefined],
  [
    "autoscaling without a maximum",
    { "gam.autoscale.cpu": "70" },
    /^label "gam.autoscale.cpu" has no effect without "gam.autoscale.max": add/,
  ],
  [
    "autoscaling without a target",
    { "gam.autoscale.max": "7" },
    /^label "gam.autoscale.max" has no effect alone: add "gam.autoscale.cpu" or /,
  ],
  [
    "a minimum above the maximum",
    { ...autoscale, "gam.autoscale.min": "8" },
    /^label "gam.autoscale.min" has the value "8", which is more than "gam.autoscale.max" with "7": use/,
  ],
  [
    "a share of memory that is not bounded",
    { ...autoscale, "gam.autoscale.memory": "80%" },
    /^label "gam.autoscale.memory" is a share of the memory .* neither: set one of them$/,
  ],
  ["a canary", { "gam.rollout": "canary", "gam.rollout.steps": "1%:10s, 50" }, undefined],
  [
    "a check of a service that only the HTTP proxy reaches",
    { "gam.rollout": "canary", "gam.rollout.check.http": "/health", "gam.http.host": "a" },
    undefined,
  ],
  [
    "a canary of browsers that are bound to tasks",
    { "gam.rollout": "canary", "gam.http.host": "a", "gam.http.sticky": "cookie" },
    /^label "gam.http.sticky" binds browsers to tasks, .* or use "bluegreen"$/,
  ],
  [
    "a blue-green rollout of such browsers",
    { "gam.rollout": "bluegreen", "gam.http.host": "a", "gam.http.sticky": "cookie" },
    undefined,
  ],
  [
    "an unknown rollout",
    { "gam.rollout": "rolling" },
    /^label "gam.rollout" has the value "rolling": use "canary" or "bluegreen", or leave/,
  ],
  [
    "steps without a rollout",
    { "gam.rollout.steps": "10%" },
    /^label "gam.rollout.steps" has no effect without "gam.rollout": add/,
  ],
  [
    "steps of a blue-green rollout",
    { "gam.rollout": "bluegreen", "gam.rollout.steps": "10%" },
    /^label "gam.rollout.steps" has no effect with "gam.rollout" "bluegreen": .* use "canary"$/,
  ],
  [
    "a check in no network",
    { "gam.rollout": "canary", "gam.rollout.check.http": ":80/health" },
    /^label "gam.rollout.check.http" has a path, and the service is in no network .* use a URL$/,
  ],
  [
    "a check by URL",
    { "gam.rollout": "canary", "gam.rollout.check.http": "https://probe.example.com/web" },
    undefined,
  ],
  [
    "a check by a URL with a password",
    { "gam.rollout": "canary", "gam.rollout.check.http": "https://me:pw@probe.example.com/" },
    /^label "gam.rollout.check.http" has the value "https:.*: use a path such as /,
  ],
  [
    "a query without a bound",
    {
      "gam.rollout": "canary",
      "gam.rollout.check.prometheus.url": "http://prom:9090",
      "gam.rollout.check.prometheus.query": "up",
    },
    /^label "gam.rollout.check.prometheus.query" has no bound: add /,
  ],
  [
    "a query without a server",
    { "gam.rollout": "canary", "gam.rollout.check.prometheus.query": "up" },
    /^label "gam.rollout.check.prometheus.query" has no effect without ".*\.url": add/,
  ],
  [
    "autoscaling by a query without a target",
    {
      "gam.autoscale.max": "3",
      "gam.autoscale.cpu": "50",
      "gam.autoscale.prometheus.url": "http://prom:9090",
    },
    /^labels "gam.autoscale.prometheus.url", .* have no effect without each other: add/,
  ],
  [
    "steps that shrink",
    { "gam.rollout": "canary", "gam.rollout.steps": "50%:1m, 50%" },
    /^label "gam.rollout.steps" has a step that is not greater than the one before it/,
  ],
  [
    "a step of all connections",
    { "gam.rollout": "canary", "gam.rollout.steps": "100%:1m" },
    /^label "gam.rollout.steps" has the value "100%:1m": use a share of connections and a time/,
  ],
  ["a name like no other", { "gam.x": "" }, /^label "gam.x" is unknown; gam's labels are /],
];

for (const [title, Labels, want] of problems) {
  test(`labels of a service: ${title}`, () => {
    const problem = serviceLabelProblem(aService("web", { spec: { Labels } }).spec);
    if (want === undefined) assert.equal(problem, undefined);
    else assert.match(problem ?? "", want);
  });
}

test("a label for the service on its containers is refused, with the right place", () => {
  const template = { ContainerSpec: { Image: "tiny:1", Labels: { "gam.ingress": "local" } } };
  const problem = serviceLabelProblem(aService("web", { template }).spec);
  assert.match(
    problem ?? "",
    /^label "gam.ingress" is on the containers, .* put it on the service/,
  );
});

test("docs/labels.md has each label with its values and what it does, and no other label", () => {
  const docs = readFileSync(new URL("../../../../docs/labels.md", import.meta.url), "utf8");
  const rows = docs.split("\n").filter((line) => line.startsWith("| `gam."));
  const want = serviceLabels.map(({ name, takes, does, without }) => {
    return `| \`${name}\` | ${takes} | ${does} | ${without} |`;
  });
  assert.deepEqual(rows, want);
});

test("a rollout is for services whose connections can be divided", () => {
  const Labels = { "gam.rollout": "canary" };
  const problem = (wish: Parameters<typeof aService>[1]): string => {
    return serviceLabelProblem(aService("web", { ...wish, spec: { Labels } }).spec) ?? "";
  };
  assert.match(
    problem({ mode: { Global: {} } }),
    /^label "gam.rollout" is for replicated services/,
  );
  assert.match(problem({ mode: { ReplicatedJob: {} } }), /is for replicated services/);
  assert.match(problem({ endpoint: { Mode: "dnsrr" } }), /use the endpoint mode "vip"/);
  const Ports = [{ TargetPort: 80, PublishedPort: 80, PublishMode: "host" }] as const;
  assert.match(problem({ endpoint: { Ports } }), /publish them in the mode "ingress"/);
});

test("autoscaling is for replicated services", () => {
  const { spec } = aService("web", { mode: { Global: {} }, spec: { Labels: autoscale } });
  assert.match(
    serviceLabelProblem(spec) ?? "",
    /^label "gam.autoscale.max" is for replicated services/,
  );
});

test("a load is measured by what a task reserves, else by its limit, else by one core", () => {
  const base = (Resources: TaskSpec["Resources"]) => {
    const { spec } = aService("web", { template: { Resources }, spec: { Labels: autoscale } });
    return autoscaleOf(spec)?.targets;
  };
  const cores = (base: number) => [{ metric: "cpu", base, percent: 70 }];
  assert.deepEqual(base(undefined), cores(1));
  assert.deepEqual(base({ Reservations: { NanoCPUs: 0 }, Limits: { NanoCPUs: 2e9 } }), cores(2));
  assert.deepEqual(
    base({ Reservations: { NanoCPUs: 5e8 }, Limits: { NanoCPUs: 2e9 } }),
    cores(0.5),
  );
});
