import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServiceSpec } from "../objects/service.ts";
import { readServiceSpec } from "../specs/service-spec.ts";
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

/** What one client writes, what another one writes for the same, and something else. */
type Ways = readonly [same: unknown, other: unknown];

const zero = (other: unknown): Ways => [[0], other];
const empty = (other: unknown): Ways => [["", null], other];
const no = (other: unknown = true): Ways => [[false, null], other];
const none = (other: unknown): Ways => [[[], null], other];
const map: Ways = [[{}, null], { a: "" }];

/** By path in the task template: forms that mean the same as absent (the first of a pair), and one that does not. */
const fields: Readonly<Record<string, Ways>> = {
  "ContainerSpec.Labels": map,
  "ContainerSpec.Command": none(["a"]),
  "ContainerSpec.Args": none([""]),
  "ContainerSpec.Hostname": empty("h"),
  "ContainerSpec.Env": none(["A="]),
  "ContainerSpec.Dir": empty("/d"),
  "ContainerSpec.User": empty("u"),
  "ContainerSpec.Groups": none(["g"]),
  "ContainerSpec.Privileges": [
    [
      {},
      null,
      { CredentialSpec: null, SELinuxContext: null, NoNewPrivileges: false },
      { SELinuxContext: {}, Seccomp: {}, AppArmor: {} },
      { SELinuxContext: { Disable: false, User: "" } },
      { Seccomp: { Mode: "default" }, AppArmor: { Mode: "default" } },
    ],
    { NoNewPrivileges: true },
  ],
  "ContainerSpec.Privileges.Seccomp": [[{ Mode: "default" }], { Mode: "unconfined" }],
  "ContainerSpec.Privileges.AppArmor": [[{ Mode: "default" }], { Mode: "disabled" }],
  "ContainerSpec.Init": [[null], false],
  "ContainerSpec.StopSignal": empty("SIGTERM"),
  "ContainerSpec.StopGracePeriod": [[null, 10e9], 0],
  "ContainerSpec.TTY": no(),
  "ContainerSpec.OpenStdin": no(),
  "ContainerSpec.ReadOnly": no(),
  "ContainerSpec.Mounts": none([{ Type: "volume", Target: "/b" }]),
  "ContainerSpec.Healthcheck": [
    [{}, null, { Test: [], Interval: 0, Timeout: 0, StartPeriod: 0, StartInterval: 0, Retries: 0 }],
    { Test: ["NONE"] },
  ],
  "ContainerSpec.Hosts": none(["10.0.0.1 a"]),
  "ContainerSpec.DNSConfig": [
    [{}, null, { Nameservers: [], Search: null, Options: [] }],
    { Search: ["a"] },
  ],
  "ContainerSpec.Isolation": [["", "default", null], undefined],
  "ContainerSpec.Sysctls": map,
  "ContainerSpec.CapabilityAdd": none(["CAP_CHOWN"]),
  "ContainerSpec.CapabilityDrop": none(["CAP_CHOWN"]),
  "ContainerSpec.Ulimits": none([{ Name: "core", Soft: 0, Hard: 0 }]),
  "ContainerSpec.OomScoreAdj": zero(1),
  Resources: [[{}, null, { Limits: {}, Reservations: null }], { Limits: { Pids: 1 } }],
  "Resources.Limits.NanoCPUs": zero(1e9),
  "Resources.Limits.MemoryBytes": zero(1e9),
  "Resources.Limits.Pids": zero(1),
  "Resources.Reservations.NanoCPUs": zero(1e9),
  "Resources.Reservations.MemoryBytes": zero(1e9),
  "Resources.Reservations.GenericResources": none([
    { DiscreteResourceSpec: { Kind: "a", Value: 1 } },
  ]),
  "Resources.MemorySwappiness": [[null], 0],
  RestartPolicy: [
    [
      {},
      null,
      { Condition: "any" },
      { Condition: "", MaxAttempts: 0, Window: 0 },
      { Condition: "any", Delay: 5e9, MaxAttempts: 0, Window: null },
    ],
    { Condition: "none" },
  ],
  "RestartPolicy.Delay": [[null, 5e9], 0],
  "RestartPolicy.MaxAttempts": zero(1),
  "RestartPolicy.Window": zero(1e9),
  Placement: [
    [{}, null, { Constraints: [], Preferences: null, MaxReplicas: 0, Platforms: [] }],
    { Constraints: ["node.role==worker"] },
  ],
  "Placement.Preferences": [
    [[], [{}], [{ Spread: null }]],
    [{ Spread: { SpreadDescriptor: "a" } }],
  ],
  "Placement.MaxReplicas": zero(1),
  "Placement.Platforms": none([{ OS: "linux" }]),
  Networks: none([{ Target: "net" }]),
  LogDriver: [[{}, null, { Name: "", Options: {} }], { Name: "none" }],
  ForceUpdate: zero(1),
  Runtime: [["", "container", null], undefined],
};

function at(path: string, value: unknown): unknown {
  const [first = "", ...rest] = path.split(".");
  return { [first]: rest.length === 0 ? value : at(rest.join("."), value) };
}

const rules = { checkTemplate: () => undefined };
const read = (template: object, more: object = {}): ServiceSpec => {
  const { ContainerSpec = {} } = template as { ContainerSpec?: object };
  const full = { ...template, ContainerSpec: { Image: "tiny:1", ...ContainerSpec } };
  return readServiceSpec({ Name: "web", TaskTemplate: full, ...more }, rules);
};

for (const [path, [same, other]] of Object.entries(fields)) {
  for (const form of same as readonly unknown[]) {
    test(`${path} ${JSON.stringify(form)} means the same as no ${path}`, () => {
      assert.ok(sameTemplate(read({}), read(at(path, form) as object)));
    });
  }
  if (other === undefined) continue;
  test(`${path} ${JSON.stringify(other)} makes another template`, () => {
    assert.ok(!sameTemplate(read({}), read(at(path, other) as object)));
  });
}

const mounts: readonly (readonly [one: object, other: object, same: boolean])[] = [
  [{}, { Type: "bind", ReadOnly: false, Consistency: "default", BindOptions: {} }, true],
  [{}, { BindOptions: { Propagation: "rprivate", NonRecursive: false } }, true],
  [{}, { BindOptions: { Propagation: "RPRIVATE" } }, true],
  [{}, { BindOptions: { Propagation: "rslave" } }, false],
  [{}, { ReadOnly: true }, false],
  [
    { Type: "volume", Source: "v" },
    { Type: "volume", Source: "v", VolumeOptions: { NoCopy: false, Labels: {}, DriverConfig: {} } },
    true,
  ],
  [{ Type: "volume" }, { Type: "volume", VolumeOptions: { Labels: { a: "" } } }, false],
  [{ Type: "volume" }, { Type: "volume", VolumeOptions: { Subpath: "a" } }, false],
  [{ Type: "tmpfs" }, { Type: "tmpfs", TmpfsOptions: { SizeBytes: 0, Mode: 0 } }, true],
  [{ Type: "tmpfs" }, { Type: "tmpfs", TmpfsOptions: { Mode: 448 } }, false],
];
for (const [one, other, same] of mounts) {
  test(`the mounts ${JSON.stringify([one, other])} are ${same ? "the same" : "different"}`, () => {
    const specs = [one, other].map((mount) =>
      read({ ContainerSpec: { Mounts: [{ Target: "/t", ...mount }] } }),
    );
    assert.equal(sameTemplate(...(specs as [ServiceSpec, ServiceSpec])), same);
  });
}

const endpoints: readonly (readonly [one: object | null, other: object | null, same: boolean])[] = [
  [null, {}, true],
  [null, { Mode: "", Ports: [] }, true],
  [null, { Mode: "vip", Ports: null }, true],
  [null, { Mode: "dnsrr" }, false],
  [
    { Ports: [{ TargetPort: 80 }] },
    {
      Ports: [
        { Name: "", Protocol: "tcp", TargetPort: 80, PublishedPort: 0, PublishMode: "ingress" },
      ],
    },
    true,
  ],
  [{ Ports: [{ TargetPort: 80 }] }, { Ports: [{ TargetPort: 80, PublishMode: "host" }] }, false],
];
for (const [one, other, same] of endpoints) {
  test(`the endpoints ${JSON.stringify([one, other])} are ${same ? "the same" : "different"}`, () => {
    const specs = [one, other].map((EndpointSpec) => read({}, { EndpointSpec }));
    assert.equal(sameTemplate(...(specs as [ServiceSpec, ServiceSpec])), same);
  });
}

test("settings of updates never make another template", () => {
  const UpdateConfig = { Parallelism: 0, Order: "", FailureAction: "", Monitor: 0, Delay: 0 };
  assert.ok(sameTemplate(read({}), read({}, { UpdateConfig, RollbackConfig: UpdateConfig })));
});
