/**
 * Every field of a ServiceSpec that a container has: what a client sends, read as the API reads it, and the part
 * of `POST /containers/create` that comes of it. docs/swarm.md lists all fields.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NetworkId } from "@gam/core";
import { checkTemplate, readServiceSpec, type TaskSpec } from "@gam/state";
import { planContainer } from "./container-plan.ts";
import { aNode, anOverlay, aTask } from "./testing/index.ts";

interface Expected {
  /** Fields of the body. */
  readonly body?: Readonly<Record<string, unknown>>;
  /** Fields of its HostConfig. */
  readonly host?: Readonly<Record<string, unknown>>;
}

const image = "tiny:1";

function specOf(template: object, apiVersion?: string): TaskSpec {
  const body = { Name: "web", Labels: { app: "shop" }, TaskTemplate: template };
  const { Runtime: _, ...spec } = readServiceSpec(body, { checkTemplate, apiVersion }).TaskTemplate;
  return spec;
}

function newNode(engine = "28.2.2") {
  const node = aNode();
  const Engine = { ...node.Description.Engine, EngineVersion: engine };
  return { ...node, Description: { ...node.Description, Engine } };
}

function planOf(spec: TaskSpec, engine?: string) {
  const task = aTask("t1", { Spec: spec });
  const Gam = { ...task.Gam, serviceLabels: { app: "shop" } };
  const around = { cluster: "c", node: newNode(engine), networks: [] };
  return planContainer({ ...task, Gam }, around);
}

function check(spec: TaskSpec, { body = {}, host = {} }: Expected): void {
  const planned = planOf(spec);
  assert.ok("plan" in planned, JSON.stringify(planned));
  const made = planned.plan.body as Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  for (const [key, value] of Object.entries(body)) assert.deepEqual(made[key], value, key);
  for (const [key, value] of Object.entries(host)) {
    assert.deepEqual(made.HostConfig?.[key], value, key);
  }
}

const profile = '{"defaultAction":"SCMP_ACT_ALLOW"}';
const mount = (one: object): object => ({ Mounts: [one] });
const mounted = (...Mounts: object[]): Expected => ({ host: { Mounts } });

const ofContainer: readonly (readonly [field: string, sent: object, want: Expected])[] = [
  ["Image", {}, { body: { Image: image } }],
  ["Command", { Command: ["/bin/sh", "-c"] }, { body: { Entrypoint: ["/bin/sh", "-c"] } }],
  ["Args", { Args: ["a", "b c"] }, { body: { Cmd: ["a", "b c"] } }],
  ["Hostname", { Hostname: "{{.Service.Name}}-{{.Task.Slot}}" }, { body: { Hostname: "web-1" } }],
  [
    "Env",
    {
      Env: ['A={{printf "%s/%s" .Node.Hostname .Service.Labels.app}}', "B=", "C", "D={{len `{{`}}"],
    },
    { body: { Env: ["A=host1/shop", "B=", "C", "D=2"] } },
  ],
  ["Dir", { Dir: "/work" }, { body: { WorkingDir: "/work" } }],
  ["User", { User: "1000:1000" }, { body: { User: "1000:1000" } }],
  ["Groups", { Groups: ["audio", "27"] }, { host: { GroupAdd: ["audio", "27"] } }],
  ["TTY", { TTY: true }, { body: { Tty: true } }],
  ["OpenStdin", { OpenStdin: true }, { body: { OpenStdin: true } }],
  ["ReadOnly", { ReadOnly: true }, { host: { ReadonlyRootfs: true } }],
  ["StopSignal", { StopSignal: "SIGINT" }, { body: { StopSignal: "SIGINT" } }],
  ["StopGracePeriod", { StopGracePeriod: 1.5e9 }, { body: { StopTimeout: 2 } }],
  ["StopGracePeriod of nothing", { StopGracePeriod: 0 }, { body: { StopTimeout: 0 } }],
  ["Init", { Init: false }, { host: { Init: false } }],
  ["Isolation", { Isolation: "DEFAULT" }, { host: { Isolation: "default" } }],
  [
    "Sysctls",
    { Sysctls: { "net.core.somaxconn": "9" } },
    { host: { Sysctls: { "net.core.somaxconn": "9" } } },
  ],
  ["CapabilityAdd", { CapabilityAdd: ["CAP_NET_ADMIN"] }, { host: { CapAdd: ["CAP_NET_ADMIN"] } }],
  ["CapabilityDrop", { CapabilityDrop: ["ALL"] }, { host: { CapDrop: ["ALL"] } }],
  [
    "Ulimits",
    { Ulimits: [{ Name: "nofile", Soft: 10, Hard: -1 }] },
    { host: { Ulimits: [{ Name: "nofile", Soft: 10, Hard: -1 }] } },
  ],
  ["OomScoreAdj", { OomScoreAdj: -500 }, { host: { OomScoreAdj: -500 } }],
  [
    "Hosts",
    { Hosts: ["10.0.0.9 db db.local", "2001:db8::1  six"] },
    { host: { ExtraHosts: ["db:10.0.0.9", "db.local:10.0.0.9", "six:2001:db8::1"] } },
  ],
  [
    "DNSConfig",
    { DNSConfig: { Nameservers: ["192.0.2.1"], Search: ["a.b"], Options: ["ndots:2"] } },
    { host: { Dns: ["192.0.2.1"], DnsSearch: ["a.b"], DnsOptions: ["ndots:2"] } },
  ],
  [
    "Healthcheck",
    {
      Healthcheck: {
        Test: ["CMD", "true"],
        Interval: 1e9,
        Timeout: 2e9,
        StartPeriod: 3e9,
        StartInterval: 4e9,
        Retries: 5,
      },
    },
    {
      body: {
        Healthcheck: {
          Test: ["CMD", "true"],
          Interval: 1e9,
          Timeout: 2e9,
          StartPeriod: 3e9,
          StartInterval: 4e9,
          Retries: 5,
        },
      },
    },
  ],
  [
    "Privileges.SELinuxContext",
    { Privileges: { SELinuxContext: { User: "u", Role: "r", Type: "t", Level: "l" } } },
    { host: { SecurityOpt: ["label=user:u", "label=role:r", "label=type:t", "label=level:l"] } },
  ],
  [
    "Privileges.SELinuxContext.Disable",
    { Privileges: { SELinuxContext: { Disable: true } } },
    { host: { SecurityOpt: ["label=disable"] } },
  ],
  [
    "Privileges.Seccomp unconfined",
    { Privileges: { Seccomp: { Mode: "unconfined" } } },
    { host: { SecurityOpt: ["seccomp=unconfined"] } },
  ],
  [
    "Privileges.Seccomp custom",
    { Privileges: { Seccomp: { Mode: "custom", Profile: btoa(profile) } } },
    { host: { SecurityOpt: [`seccomp=${profile}`] } },
  ],
  [
    "Privileges.Seccomp and AppArmor default",
    { Privileges: { Seccomp: { Mode: "default" }, AppArmor: { Mode: "default" } } },
    { host: { SecurityOpt: undefined } },
  ],
  [
    "Privileges.AppArmor",
    { Privileges: { AppArmor: { Mode: "disabled" } } },
    { host: { SecurityOpt: ["apparmor=unconfined"] } },
  ],
  [
    "Privileges.NoNewPrivileges",
    { Privileges: { CredentialSpec: null, SELinuxContext: null, NoNewPrivileges: true } },
    { host: { SecurityOpt: ["no-new-privileges"] } },
  ],
  [
    "Mounts, a bind mount without a kind",
    mount({ Source: "/a/{{.Task.Slot}}", Target: "/b" }),
    mounted({ Type: "bind", Source: "/a/1", Target: "/b" }),
  ],
  [
    "Mounts.BindOptions",
    mount({
      Type: "BIND",
      Source: "/a",
      Target: "/b",
      ReadOnly: true,
      Consistency: "cached",
      BindOptions: {
        Propagation: "RSlave",
        NonRecursive: true,
        CreateMountpoint: true,
        ReadOnlyNonRecursive: true,
        ReadOnlyForceRecursive: true,
      },
    }),
    mounted({
      Type: "bind",
      Source: "/a",
      Target: "/b",
      ReadOnly: true,
      Consistency: "cached",
      BindOptions: {
        Propagation: "rslave",
        NonRecursive: true,
        CreateMountpoint: true,
        ReadOnlyNonRecursive: true,
        ReadOnlyForceRecursive: true,
      },
    }),
  ],
  [
    "Mounts.VolumeOptions",
    mount({
      Type: "volume",
      Source: "v{{.Task.Slot}}",
      Target: "/{{.Service.Name}}",
      VolumeOptions: {
        NoCopy: true,
        Subpath: "a/b",
        Labels: { of: "{{.Service.Name}}" },
        DriverConfig: { Name: "local", Options: { device: "/d/{{.Task.Slot}}" } },
      },
    }),
    mounted({
      Type: "volume",
      Source: "v1",
      Target: "/web",
      VolumeOptions: {
        NoCopy: true,
        Subpath: "a/b",
        Labels: { of: "web" },
        DriverConfig: { Name: "local", Options: { device: "/d/1" } },
      },
    }),
  ],
  [
    "Mounts.TmpfsOptions",
    mount({
      Type: "tmpfs",
      Target: "/t",
      TmpfsOptions: { SizeBytes: 65536, Mode: 448, Options: [["exec"], ["uid", "7"]] },
    }),
    mounted({
      Type: "tmpfs",
      Target: "/t",
      TmpfsOptions: { SizeBytes: 65536, Mode: 448, Options: [["exec"], ["uid", "7"]] },
    }),
  ],
  [
    "Mounts.ImageOptions",
    mount({ Type: "image", Source: "tiny:1", Target: "/i", ImageOptions: { Subpath: "www" } }),
    mounted({ Type: "image", Source: "tiny:1", Target: "/i", ImageOptions: { Subpath: "www" } }),
  ],
];

for (const [field, sent, want] of ofContainer) {
  test(`ContainerSpec.${field} reaches the container`, () => {
    check(specOf({ ContainerSpec: { Image: image, ...sent } }), want);
  });
}

const gib = 2 ** 30;
const ofTask: readonly (readonly [field: string, sent: object, want: Expected])[] = [
  [
    "Resources.Limits.NanoCPUs",
    { Resources: { Limits: { NanoCPUs: 5e8 } } },
    { host: { NanoCpus: 5e8 } },
  ],
  [
    "Resources.Limits.MemoryBytes",
    { Resources: { Limits: { MemoryBytes: gib } } },
    { host: { Memory: gib } },
  ],
  ["Resources.Limits.Pids", { Resources: { Limits: { Pids: 7 } } }, { host: { PidsLimit: 7 } }],
  [
    "Resources.Reservations.MemoryBytes",
    { Resources: { Reservations: { MemoryBytes: gib, NanoCPUs: 1e9 } } },
    { host: { MemoryReservation: gib, NanoCpus: undefined } },
  ],
  [
    "Resources.SwapBytes",
    { Resources: { Limits: { MemoryBytes: gib }, SwapBytes: 5 } },
    { host: { Memory: gib, MemorySwap: gib + 5 } },
  ],
  [
    "Resources.SwapBytes of nothing",
    { Resources: { Limits: { MemoryBytes: gib }, SwapBytes: 0 } },
    { host: { MemorySwap: gib } },
  ],
  [
    "Resources.SwapBytes without a limit",
    { Resources: { Limits: { MemoryBytes: gib }, SwapBytes: -1 } },
    { host: { MemorySwap: -1 } },
  ],
  [
    "Resources.MemorySwappiness",
    { Resources: { MemorySwappiness: 0 } },
    { host: { MemorySwappiness: 0 } },
  ],
  [
    "LogDriver",
    { LogDriver: { Name: "json-file", Options: { "max-size": "1m" } } },
    { host: { LogConfig: { Type: "json-file", Config: { "max-size": "1m" } } } },
  ],
];
for (const [field, sent, want] of ofTask) {
  test(`TaskTemplate.${field} reaches the container`, () => {
    check(specOf({ ContainerSpec: { Image: image }, ...sent }), want);
  });
}

test("Networks.DriverOpts reach the endpoint of their network", () => {
  const [front, back] = [anOverlay("front", 1), anOverlay("back", 2)];
  const DriverOpts = {
    "com.docker.network.endpoint.sysctls": "net.ipv4.conf.IFNAME.log_martians=1",
  };
  const spec = specOf({
    ContainerSpec: { Image: image },
    Networks: [{ Target: "front-id", Aliases: ["a"], DriverOpts }, { Target: "back-id" }],
  });
  const task = aTask("t1", { Spec: spec });
  const attachments = [
    { network: "front-id" as NetworkId, address: "10.253.1.7" },
    { network: "back-id" as NetworkId, address: "10.253.2.7" },
  ];
  const planned = planContainer(
    { ...task, Gam: { ...task.Gam, attachments } },
    { cluster: "c", node: newNode(), networks: [front, back] },
  );
  assert.ok("plan" in planned);
  assert.deepEqual(
    planned.plan.joins.map(({ driverOpts }) => driverOpts),
    [DriverOpts, undefined],
  );
});

test("the cluster's log driver is for tasks that name none", () => {
  const logDriver = { Name: "local", Options: { "max-file": "2" } };
  const around = { cluster: "c", node: newNode(), networks: [], logDriver };
  const own = specOf({ ContainerSpec: { Image: image }, LogDriver: { Name: "none" } });
  const configs = [specOf({ ContainerSpec: { Image: image } }), own].map((Spec) => {
    const planned = planContainer(aTask("t1", { Spec }), around);
    assert.ok("plan" in planned);
    return (planned.plan.body.HostConfig as { LogConfig?: unknown }).LogConfig;
  });
  assert.deepEqual(configs, [
    { Type: "local", Config: { "max-file": "2" } },
    { Type: "none", Config: {} },
  ]);
});

test("generic resources reach the container's environment, as in Swarm", () => {
  const spec = specOf({ ContainerSpec: { Image: image, Env: ["A=1"] } });
  const task = aTask("t1", {
    Spec: spec,
    GenericResources: [
      { NamedResourceSpec: { Kind: "gpu", Value: "UUID2" } },
      { NamedResourceSpec: { Kind: "gpu", Value: "UUID1" } },
      { DiscreteResourceSpec: { Kind: "ssd", Value: 2 } },
    ],
  });
  const planned = planContainer(task, { cluster: "c", node: newNode(), networks: [] });
  assert.ok("plan" in planned);
  assert.deepEqual(planned.plan.body.Env, [
    "A=1",
    "DOCKER_RESOURCE_GPU=UUID2,UUID1",
    "DOCKER_RESOURCE_SSD=2",
  ]);
});

test("a task that needs a newer engine is rejected with the field", () => {
  const Healthcheck = { Test: ["CMD", "true"], StartInterval: 1e9 };
  const spec = specOf({ ContainerSpec: { Image: image, Healthcheck } });
  assert.deepEqual(planOf(spec, "20.10.24+dfsg1"), {
    error: "TaskTemplate.ContainerSpec.Healthcheck.StartInterval needs Docker Engine 25.0 or newer",
  });
});

/** The version that knows a field first, and the field as an older client sends it. */
const newer: readonly (readonly [version: string, template: object, path: readonly string[]])[] = [
  ["1.40", { ContainerSpec: { Sysctls: { a: "1" } } }, ["ContainerSpec", "Sysctls"]],
  ["1.40", { Placement: { MaxReplicas: 2 } }, ["Placement", "MaxReplicas"]],
  ["1.41", { ContainerSpec: { CapabilityAdd: ["A"] } }, ["ContainerSpec", "CapabilityAdd"]],
  ["1.41", { ContainerSpec: { CapabilityDrop: ["A"] } }, ["ContainerSpec", "CapabilityDrop"]],
  [
    "1.41",
    { ContainerSpec: { Ulimits: [{ Name: "a", Soft: 1, Hard: 1 }] } },
    ["ContainerSpec", "Ulimits"],
  ],
  ["1.41", { Resources: { Limits: { Pids: 3 } } }, ["Resources", "Limits", "Pids"]],
  [
    "1.44",
    { ContainerSpec: { Privileges: { NoNewPrivileges: true } } },
    ["ContainerSpec", "Privileges", "NoNewPrivileges"],
  ],
  [
    "1.44",
    { ContainerSpec: { Privileges: { Seccomp: { Mode: "unconfined" } } } },
    ["ContainerSpec", "Privileges", "Seccomp"],
  ],
  [
    "1.44",
    { ContainerSpec: { Privileges: { AppArmor: { Mode: "disabled" } } } },
    ["ContainerSpec", "Privileges", "AppArmor"],
  ],
  [
    "1.44",
    { ContainerSpec: { Healthcheck: { StartInterval: 1e9 } } },
    ["ContainerSpec", "Healthcheck", "StartInterval"],
  ],
  ["1.46", { ContainerSpec: { OomScoreAdj: 5 } }, ["ContainerSpec", "OomScoreAdj"]],
  [
    "1.46",
    {
      ContainerSpec: {
        Mounts: [{ Type: "tmpfs", Target: "/t", TmpfsOptions: { Options: [["exec"]] } }],
      },
    },
    ["ContainerSpec", "Mounts", "0", "TmpfsOptions", "Options"],
  ],
  [
    "1.52",
    { Resources: { Limits: { MemoryBytes: gib }, SwapBytes: 1 } },
    ["Resources", "SwapBytes"],
  ],
  ["1.52", { Resources: { MemorySwappiness: 1 } }, ["Resources", "MemorySwappiness"]],
];
for (const [version, sent, path] of newer) {
  test(`${path.join(".")} is dropped from clients before ${version}, as in Docker`, () => {
    const minor = Number(version.split(".")[1]);
    const template = sent as { readonly ContainerSpec?: object };
    const full = { ...sent, ContainerSpec: { Image: image, ...template.ContainerSpec } };
    const found = (apiVersion?: string): unknown => {
      let value: unknown = specOf(full, apiVersion);
      for (const key of path) value = (value as Record<string, unknown> | undefined)?.[key];
      return value;
    };
    assert.equal(found(`1.${minor - 1}`), undefined);
    assert.notEqual(found(version), undefined);
    assert.deepEqual(found(), found(version));
  });
}
