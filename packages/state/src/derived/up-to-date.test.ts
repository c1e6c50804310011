import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import type { ServiceSpec } from "../objects/service.ts";
import {
  aNode,
  aService,
  aTask,
  type ServiceWish,
  type TaskWish,
  TestLog,
} from "../testing/index.ts";
import { UpToDate } from "./up-to-date.ts";

/** A task of template 1, and its service with another template. */
function judge(service: ServiceWish, task: TaskWish): boolean {
  const log = new TestLog();
  log.write({ kind: "joinNode", node: aNode("a", { spec: { Labels: { zone: "a" } } }) });
  log.write(aService("web", service));
  const [stored] = log.store.services();
  const extra = { templateVersion: 1, ...task.extra };
  log.write({ kind: "createTask", task: aTask("web", "t", { node: "a", ...task, extra }) });
  const [made] = log.store.tasks();
  assert.ok(stored && made);
  return new UpToDate(stored, log.store).includes(made, log.store.node("a" as NodeId));
}

const constrained = (text: string): ServiceWish => ({
  template: { Placement: { Constraints: [text] } },
});
const ports: Partial<ServiceSpec> = { EndpointSpec: { Ports: [{ TargetPort: 80 }] } };

const cases: readonly { name: string; service: ServiceWish; task: TaskWish; want: boolean }[] = [
  {
    name: "a task of the present template",
    service: { image: "tiny:2" },
    task: { extra: { templateVersion: 2 } },
    want: true,
  },
  { name: "a task of an older but equal template", service: {}, task: {}, want: true },
  {
    name: "a task of an older template with another image",
    service: { image: "tiny:2" },
    task: {},
    want: false,
  },
  {
    name: "a task of an older template with other ports",
    service: { spec: ports },
    task: {},
    want: false,
  },
  {
    name: "a task of an older template with another placement, which its node meets",
    service: constrained("node.labels.zone == a"),
    task: {},
    want: true,
  },
  {
    name: "a task of an older template with another placement, which its node fails",
    service: constrained("node.labels.zone == b"),
    task: {},
    want: false,
  },
];

for (const { name, service, task, want } of cases) {
  test(`UpToDate includes ${name}: ${want}`, () => assert.equal(judge(service, task), want));
}
