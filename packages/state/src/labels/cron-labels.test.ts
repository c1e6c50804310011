import assert from "node:assert/strict";
import { test } from "node:test";
import type { RestartPolicy, ServiceMode } from "../objects/service.ts";
import { aService } from "../testing/objects.ts";
import { restartPolicyOf } from "./cron-labels.ts";
import { serviceLabelProblem, zoneProblem } from "./service-labels.ts";

const job: ServiceMode = { ReplicatedJob: {} };

interface Case {
  readonly labels: Readonly<Record<string, string>>;
  readonly mode?: ServiceMode;
  readonly policy?: RestartPolicy;
}

function specOf({ labels, mode = job, policy }: Case) {
  const template = policy === undefined ? {} : { RestartPolicy: policy };
  return aService("web", { mode, template, spec: { Labels: labels } }).spec;
}

const problems: readonly (readonly [name: string, given: Case, want: RegExp | undefined])[] = [
  ["a schedule of a job", { labels: { "gam.cron": "*/5 * * * *" } }, undefined],
  [
    "a schedule of a global job",
    { labels: { "gam.cron": "@daily" }, mode: { GlobalJob: {} } },
    undefined,
  ],
  [
    "a schedule that is none",
    { labels: { "gam.cron": "often" } },
    /"gam.cron" has the value "often": use a cron/,
  ],
  [
    "a schedule of a service that always runs",
    { labels: { "gam.cron": "@daily" }, mode: { Replicated: { Replicas: 1 } } },
    /^label "gam.cron" is for jobs: use "--mode replicated-job"/,
  ],
  [
    "retries of a global service",
    { labels: { "gam.job.retries": "1" }, mode: { Global: {} } },
    /is for jobs/,
  ],
  [
    "a time zone without a schedule",
    { labels: { "gam.cron.timezone": "UTC" } },
    /^label "gam.cron.timezone" has no effect without a schedule: add "gam.cron"/,
  ],
  [
    "a time zone that is none",
    { labels: { "gam.cron": "@daily", "gam.cron.timezone": "+02:00" } },
    /"\+02:00": use a time zone/,
  ],
  [
    "two maximums of attempts",
    { labels: { "gam.job.retries": "1" }, policy: { MaxAttempts: 2 } },
    /"gam.job.retries" and the maximum of attempts .* leave one of them out/,
  ],
  [
    "two delays",
    { labels: { "gam.job.backoff": "10s" }, policy: { Delay: 1e9 } },
    /"gam.job.backoff" and the delay of the restart policy/,
  ],
];
for (const [name, given, want] of problems) {
  test(`labels of a job: ${name} is ${want === undefined ? "right" : "refused"}`, () => {
    const problem = serviceLabelProblem(specOf(given));
    if (want === undefined) assert.equal(problem, undefined);
    else assert.match(problem ?? "", want);
  });
}

const cron = { "gam.cron": "@daily" };
const policies: readonly (readonly [name: string, given: Case, want: RestartPolicy | undefined])[] =
  [
    ["a service that is no job keeps its own", { labels: {}, mode: { Global: {} } }, undefined],
    ["a job is tried without end", { labels: {} }, { MaxAttempts: 0 }],
    ["a schedule tries six times again", { labels: cron }, { MaxAttempts: 6 }],
    [
      "or as often as the policy says",
      { labels: cron, policy: { MaxAttempts: 2 } },
      { MaxAttempts: 2 },
    ],
    [
      "or as often as the label says",
      { labels: { ...cron, "gam.job.retries": "3" } },
      { MaxAttempts: 3 },
    ],
    ["or never", { labels: { ...cron, "gam.job.retries": "0" } }, { Condition: "none" }],
    [
      "a label sets the delay",
      { labels: { "gam.job.backoff": "10s" } },
      { MaxAttempts: 0, Delay: 10e9 },
    ],
  ];
for (const [name, given, want] of policies) {
  test(`restart policy with labels: ${name}`, () => {
    assert.deepEqual(restartPolicyOf(specOf(given)), want);
  });
}

test("a time zone that this peer does not know is refused to clients, and applied", () => {
  const { spec } = aService("job", {
    mode: { ReplicatedJob: {} },
    spec: { Labels: { "gam.cron": "@daily", "gam.cron.timezone": "Mars/Base" } },
  });
  assert.equal(serviceLabelProblem(spec), undefined);
  assert.match(
    zoneProblem(spec) ?? "",
    /"Mars\/Base", which is no time zone that this host knows: use a time zone/,
  );
});
