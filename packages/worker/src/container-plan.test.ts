import assert from "node:assert/strict";
import { test } from "node:test";
import type { NetworkId, SecretId } from "@gam/core";
import {
  type ContainerSpec,
  mtuOf,
  type Node,
  type NodeNetwork,
  planNetwork,
  type Task,
  type TaskSpec,
} from "@gam/state";
import { aNodeNetwork } from "@gam/state/testing";
import { type ContainerPlan, planContainer } from "./container-plan.ts";
import { aNetwork, aNode, anOverlay, aTask } from "./testing/index.ts";

const around = {
  cluster: "cluster1",
  node: aNode(),
  networks: [
    anOverlay("front", 1),
    anOverlay("back", 2),
    aNetwork("far"),
    aNetwork("host", { Driver: "host" }),
  ],
};

function plan(task: Task): ContainerPlan {
  const planned = planContainer(task, around);
  assert.ok("plan" in planned, JSON.stringify(planned));
  return planned.plan;
}

const withSpec = (spec: Partial<TaskSpec>): Task =>
  aTask("t1", { Spec: { ContainerSpec: { Image: "tiny:1" }, ...spec } });

interface Body {
  readonly HostConfig: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

const container: readonly {
  name: string;
  spec: Partial<ContainerSpec>;
  body?: Record<string, unknown>;
  host?: Record<string, unknown>;
}[] = [
  {
    name: "a command replaces the entrypoint",
    spec: { Command: ["a"] },
    body: { Entrypoint: ["a"] },
  },
  { name: "arguments replace the command", spec: { Args: ["b"] }, body: { Cmd: ["b"] } },
  {
    name: "the environment is expanded",
    spec: { Env: ["A={{.Service.Name}}", "B=1"] },
    body: { Env: ["A=web", "B=1"] },
  },
  {
    name: "the host name is expanded",
    spec: { Hostname: "{{.Node.Hostname}}-{{.Task.Slot}}" },
    body: { Hostname: "host1-1" },
  },
  {
    name: "the process",
    spec: { Dir: "/w", User: "u", TTY: true, OpenStdin: true, Groups: ["g"] },
    body: { WorkingDir: "/w", User: "u", Tty: true, OpenStdin: true },
    host: { GroupAdd: ["g"] },
  },
  { name: "ten seconds to stop", spec: {}, body: { StopTimeout: 10 } },
  {
    name: "how it is stopped, in whole seconds",
    spec: { StopSignal: "SIGINT", StopGracePeriod: 1.2e9 },
    body: { StopSignal: "SIGINT", StopTimeout: 2 },
  },
  {
    name: "a grace period of nothing",
    spec: { StopGracePeriod: 0 },
    body: { StopTimeout: 0 },
  },
  {
    name: "a health check",
    spec: { Healthcheck: { Test: ["NONE"] } },
    body: { Healthcheck: { Test: ["NONE"] } },
  },
  {
    name: "mounts, with their templates",
    spec: {
      Mounts: [
        { Type: "bind", Source: "/a", Target: "/b", ReadOnly: true },
        {
          Type: "volume",
          Source: "v-{{.Task.Slot}}",
          Target: "/v",
          VolumeOptions: { NoCopy: true, Labels: { of: "{{.Service.Name}}" } },
        },
        { Type: "tmpfs", Target: "/t", TmpfsOptions: { SizeBytes: 5 } },
      ],
    },
    host: {
      Mounts: [
        { Type: "bind", Source: "/a", Target: "/b", ReadOnly: true },
        {
          Type: "volume",
          Source: "v-1",
          Target: "/v",
          VolumeOptions: { NoCopy: true, Labels: { of: "web" } },
        },
        { Type: "tmpfs", Target: "/t", TmpfsOptions: { SizeBytes: 5 } },
      ],
    },
  },
  {
    name: "what it may do",
    spec: {
      ReadOnly: true,
      Init: false,
      Sysctls: { a: "1" },
      CapabilityAdd: ["CAP_A"],
      CapabilityDrop: ["CAP_B"],
      Ulimits: [{ Name: "nofile", Soft: 1, Hard: 2 }],
      Privileges: {
        NoNewPrivileges: true,
        SELinuxContext: { Disable: true, Level: "s0" },
        Seccomp: { Mode: "unconfined" },
      },
    },
    host: {
      ReadonlyRootfs: true,
      Init: false,
      Sysctls: { a: "1" },
      CapAdd: ["CAP_A"],
      CapDrop: ["CAP_B"],
      Ulimits: [{ Name: "nofile", Soft: 1, Hard: 2 }],
      SecurityOpt: ["label=disable", "label=level:s0", "no-new-privileges", "seccomp=unconfined"],
    },
  },
  {
    name: "names and name servers",
    spec: {
      Hosts: ["10.0.0.9 db db.local"],
      DNSConfig: { Nameservers: ["1.1.1.1"], Search: ["x"], Options: ["ndots:1"] },
    },
    host: {
      ExtraHosts: ["db:10.0.0.9", "db.local:10.0.0.9"],
      Dns: ["1.1.1.1"],
      DnsSearch: ["x"],
      DnsOptions: ["ndots:1"],
    },
  },
];

for (const { name, spec, body = {}, host = {} } of container) {
  test(`planContainer() sets ${name}`, () => {
    const made = plan(withSpec({ ContainerSpec: { Image: "tiny:1", ...spec } }));
    const got = made.body as unknown as Body;
    for (const [key, value] of Object.entries(body)) assert.deepEqual(got[key], value, key);
    for (const [key, value] of Object.entries(host)) {
      assert.deepEqual(got.HostConfig[key], value, key);
    }
  });
}

test("planContainer() sets nothing that the spec does not have", () => {
  const { body, name, image, joins } = plan(aTask("t1"));
  assert.equal(name, "web.1.t1");
  assert.equal(image, "tiny:1");
  assert.deepEqual(joins, []);
  assert.deepEqual(Object.keys(body), ["StopTimeout", "Image", "Labels", "HostConfig"]);
  assert.deepEqual(body.HostConfig, { NetworkMode: "default", RestartPolicy: { Name: "no" } });
});

test("planContainer() sets gam's labels last, so that a spec cannot replace them", () => {
  const Labels = { mine: "1", "com.docker.swarm.task.id": "stolen", "gam.cluster": "stolen" };
  const { body } = plan(withSpec({ ContainerSpec: { Image: "tiny:1", Labels } }));
  assert.deepEqual(body.Labels, {
    mine: "1",
    "com.docker.swarm.node.id": "node1",
    "com.docker.swarm.service.id": "service1",
    "com.docker.swarm.service.name": "web",
    "com.docker.swarm.task": "",
    "com.docker.swarm.task.id": "t1",
    "com.docker.swarm.task.name": "web.1.t1",
    "gam.cluster": "cluster1",
    "gam.networks": "0",
  });
});

test("planContainer() limits and reserves", () => {
  const Resources = {
    Limits: { NanoCPUs: 5e8, MemoryBytes: 64e6, Pids: 10 },
    Reservations: { MemoryBytes: 32e6 },
  };
  const { HostConfig } = plan(withSpec({ Resources })).body as unknown as Body;
  assert.equal(HostConfig.NanoCpus, 5e8);
  assert.equal(HostConfig.Memory, 64e6);
  assert.equal(HostConfig.PidsLimit, 10);
  assert.equal(HostConfig.MemoryReservation, 32e6);
});

test("planContainer() sets the log driver", () => {
  const LogDriver = { Name: "json-file", Options: { "max-size": "1m" } };
  const { HostConfig } = plan(withSpec({ LogDriver })).body as unknown as Body;
  assert.deepEqual(HostConfig.LogConfig, { Type: "json-file", Config: { "max-size": "1m" } });
});

test("planContainer() binds host ports only", () => {
  const task = aTask("t1");
  const endpoint = {
    Ports: [
      { TargetPort: 80, PublishedPort: 8080, PublishMode: "ingress" as const },
      { TargetPort: 53, PublishedPort: 53, Protocol: "udp" as const, PublishMode: "host" as const },
      { TargetPort: 53, PublishedPort: 54, Protocol: "udp" as const, PublishMode: "host" as const },
      { TargetPort: 90, PublishMode: "host" as const },
    ],
  };
  const { body } = plan({ ...task, Gam: { ...task.Gam, endpoint } });
  assert.deepEqual(body.ExposedPorts, { "53/udp": {}, "90/tcp": {} });
  assert.deepEqual((body as unknown as Body).HostConfig.PortBindings, {
    "53/udp": [{ HostPort: "53" }, { HostPort: "54" }],
    "90/tcp": [{ HostPort: "" }],
  });
});

test("planContainer() joins networks at the addresses that the leader gave", () => {
  const task = withSpec({ Networks: [{ Target: "front-id" }] });
  const attachments = [
    { network: "front-id" as NetworkId, address: "10.0.1.7" },
    { network: "back-id" as NetworkId, address: "10.0.255.16" },
  ];
  const { joins, body } = plan({ ...task, Gam: { ...task.Gam, attachments } });
  assert.deepEqual(joins, [
    { network: "front-id", address: "10.0.1.7", mac: "02:42:0a:00:01:07" },
    { network: "back-id", address: "10.0.255.16", mac: "02:42:0a:00:ff:10" },
  ]);
  const { HostConfig } = body as unknown as Body;
  assert.equal(HostConfig.NetworkMode, "default");
  assert.deepEqual(HostConfig.Dns, ["10.253.1.2"]);
});

test("planContainer() points DNS at a gateway that forwards, if there is one", () => {
  const inner = { ...anOverlay("inner", 3), Internal: true };
  const networks = [...around.networks, inner];
  const gatewayOf = (...joined: string[]): unknown => {
    const task = aTask("t1");
    const attachments = joined.map((network, n) => ({
      network: `${network}-id` as NetworkId,
      address: `10.253.9.${n + 5}`,
    }));
    const planned = planContainer(
      { ...task, Gam: { ...task.Gam, attachments } },
      { ...around, networks },
    );
    assert.ok("plan" in planned, JSON.stringify(planned));
    return (planned.plan.body as unknown as Body).HostConfig.Dns;
  };
  assert.deepEqual(gatewayOf("inner"), ["10.253.3.2"]);
  assert.deepEqual(gatewayOf("inner", "back", "front"), ["10.253.2.2"]);
});

test("planContainer() waits for this node's gateway in a network", () => {
  const task = aTask("t1");
  const attachments = [{ network: "far-id" as NetworkId, address: "10.0.1.7" }];
  assert.deepEqual(planContainer({ ...task, Gam: { ...task.Gam, attachments } }, around), {
    awaits: "far-id",
  });
});

test("planContainer() leaves the engine's own networks to the engine", () => {
  for (const Target of ["host-id", "host", "none", "bridge"]) {
    const { joins, body } = plan(withSpec({ Networks: [{ Target }] }));
    assert.deepEqual(joins, []);
    assert.equal((body as unknown as Body).HostConfig.NetworkMode, Target.replace("-id", ""));
  }
});

const refused = [
  {
    name: "a network that is not there",
    spec: { Networks: [{ Target: "gone" }] },
    error: "network gone not found",
  },
  {
    name: "a template that does not expand",
    spec: { ContainerSpec: { Image: "tiny:1", Env: ["A={{.No}}"] } },
    error:
      'template: expansion:1:2: executing "expansion" at <.No>: can\'t evaluate field No in type *template.Context',
  },
  {
    name: "a secret that the task has no content of",
    spec: {
      ContainerSpec: {
        Image: "tiny:1",
        Secrets: [
          {
            File: { Name: "s", UID: "0", GID: "0", Mode: 292 },
            SecretID: "s" as SecretId,
            SecretName: "s",
          },
        ],
      },
    },
    error: "secret s not found",
  },
];
for (const { name, spec, error } of refused) {
  test(`planContainer() refuses ${name}`, () => {
    assert.deepEqual(planContainer(withSpec(spec), around), { error });
  });
}

test("planNetwork() is a bridge in which the engine itself gives no addresses", () => {
  const IPAM = { Driver: "default", Options: null, Config: [{ Subnet: "10.5.0.0/24" }] };
  const Gam = { vni: 4099, gateways: { node1: "10.5.0.9" }, attachments: {} };
  const network = aNetwork("front", { Internal: true, Labels: { a: "1" }, IPAM, Gam });
  assert.deepEqual(planNetwork(network, aNode(), "cluster1"), {
    network: "front-id",
    name: "front",
    gateway: "10.5.0.9",
    body: {
      Driver: "bridge",
      Internal: true,
      Labels: { a: "1", "gam.cluster": "cluster1", "gam.network": "front-id" },
      IPAM: {
        Driver: "default",
        Config: [{ Subnet: "10.5.0.0/24", Gateway: "10.5.0.9", IPRange: "10.5.0.9/32" }],
      },
      Options: {
        "com.docker.network.bridge.name": "gam-4099",
        "com.docker.network.driver.mtu": "1450",
      },
    },
  });
  assert.equal(planNetwork(network, aNode("node2"), "cluster1"), undefined);
});

test("mtuOf() leaves room for the outer headers of a packet", () => {
  const node = aNode();
  const having = (encryption: NodeNetwork["encryption"]): Node => {
    return { ...node, Gam: { ...node.Gam, network: aNodeNetwork({ encryption }) } };
  };
  const secret = aNetwork("n", { Options: { encrypted: "" } });
  const wish = { "com.docker.network.driver.mtu": "1200" };
  assert.equal(mtuOf(aNetwork("n"), node), 1450);
  assert.equal(mtuOf(aNetwork("n"), having("kernel")), 1370);
  assert.equal(mtuOf(aNetwork("n"), having("userspace")), 1450);
  assert.equal(mtuOf(secret, having("userspace")), 1370);
  assert.equal(mtuOf(aNetwork("n", { Options: wish }), node), 1200);
  for (const odd of ["0", "67", "0.5", "-1", "1e3", "x", "9".repeat(30)]) {
    const network = aNetwork("n", { Options: { "com.docker.network.driver.mtu": odd } });
    assert.equal(mtuOf(network, node), 1450, odd);
  }
  assert.equal(
    mtuOf(aNetwork("n", { Options: { ...wish, "com.docker.network.driver.mtu": "9000" } }), node),
    1450,
  );
});
