import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServiceSpec } from "../objects/service.ts";
import { aService } from "../testing/index.ts";
import { sameTemplate } from "./template.ts";

const { spec } = aService("web", { template: { Networks: [{ Target: "net" }] } });
const { TaskTemplate } = spec;

const cases: readonly (readonly [name: string, change: Partial<ServiceSpec>, same: boolean])[] = [
  ["labels", { Labels: { a: "b" } }, true],
  ["replicas", { Mode: { Replicated: { Replicas: 9 } } }, true],
  ["update settings", { UpdateConfig: { Parallelism: 9 } }, true],
  [
    "defaults that are spelled out",
    { TaskTemplate: { ...TaskTemplate, ForceUpdate: 0, Runtime: "container" } },
    true,
  ],
  ["what is empty", { TaskTemplate: { ...TaskTemplate, Placement: { Constraints: [] } } }, true],
  [
    "networks at the deprecated place",
    {
      Networks: TaskTemplate.Networks ?? [],
      TaskTemplate: { ContainerSpec: TaskTemplate.ContainerSpec },
    },
    true,
  ],
  ["the default mode of the endpoint", { EndpointSpec: { Mode: "vip" } }, true],
  ["the image", { TaskTemplate: { ...TaskTemplate, ContainerSpec: { Image: "tiny:2" } } }, false],
  [
    "the counter that forces an update",
    { TaskTemplate: { ...TaskTemplate, ForceUpdate: 1 } },
    false,
  ],
  ["a port", { EndpointSpec: { Ports: [{ TargetPort: 80 }] } }, false],
];
test("other networks in the deprecated field make another template", () => {
  const { Networks: _, ...rest } = TaskTemplate;
  const old = { ...spec, TaskTemplate: rest, Networks: [{ Target: "net" }] };
  assert.equal(sameTemplate(old, { ...old }), true);
  assert.equal(sameTemplate(old, { ...old, Networks: [{ Target: "other" }] }), false);
});

for (const [name, change, same] of cases) {
  test(`${name} ${same ? "leaves the template" : "makes another template"}`, () => {
    assert.equal(sameTemplate(spec, { ...spec, ...change }), same);
  });
}
