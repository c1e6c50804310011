import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { sameTemplate } from "../derived/template.ts";
import { readServiceSpec, withDefaults } from "./service-spec.ts";

const rules = {
  checkTemplate: (text: string) =>
    text.includes("{{.Bogus}}") ? "template: expansion:1:2: no field Bogus" : undefined,
};
const image = "10.88.0.254:5000/tiny:1";
const task = (more: object, container: object = {}): object => ({
  Name: "web",
  TaskTemplate: { ContainerSpec: { Image: image, ...container }, ...more },
});
const rpc = "rpc error: code = InvalidArgument desc = ";

const refused: readonly { name: string; body: unknown; want: string }[] = [
  { name: "an empty body", body: {}, want: "mismatched Runtime and *Spec fields" },
  { name: "a body that is null", body: null, want: "mismatched Runtime and *Spec fields" },
  {
    name: "a missing image",
    body: { Name: "r2", TaskTemplate: { ContainerSpec: {} } },
    want: `${rpc}ContainerSpec: image reference must be provided`,
  },
  {
    name: "an image with capitals",
    body: task({}, { Image: "10.88.0.254:5000/TINY:1" }),
    want: `${rpc}ContainerSpec: "10.88.0.254:5000/TINY:1" is not a valid repository/tag`,
  },
  ...["dns.example.org", "192.0.2.300", "192.0.2.1:53", "fe80::1%eth0", ""].map((server) => ({
    name: `the name server "${server}"`,
    body: task({}, { DNSConfig: { Nameservers: ["192.0.2.1", "2001:db8::53", server] } }),
    want: `${rpc}ContainerSpec: ${server} is not an ip address`,
  })),
  {
    name: "a name that is not a DNS label",
    body: { ...task({}), Name: "bad_name!" },
    want: `${rpc}name must be valid as a DNS name component`,
  },
  {
    name: "a long name",
    body: { ...task({}), Name: "a".repeat(64) },
    want: `${rpc}name must be 63 characters or fewer`,
  },
  {
    name: "two modes",
    body: { ...task({}), Mode: { Replicated: {}, Global: {} } },
    want: "must specify only one service mode",
  },
  {
    name: "negative replicas",
    body: { ...task({}), Mode: { Replicated: { Replicas: -1 } } },
    want: "json: cannot unmarshal number -1 into Go struct field ReplicatedService.Mode.Replicated.Replicas of type uint64",
  },
  {
    name: "replicas that no client could read back",
    body: { ...task({}), Mode: { Replicated: { Replicas: 2 ** 64 } } },
    want: "json: cannot unmarshal number 18446744073709552000 into Go struct field ReplicatedService.Mode.Replicated.Replicas of type uint64",
  },
  {
    name: "a mistyped preference of tasks on the asked node",
    body: { ...task({}), Labels: { "gam.ingress": "lokal" } },
    want: 'label "gam.ingress" has the value "lokal": use "local", or leave the label out (then connections go to all tasks, on all hosts)',
  },
  {
    name: "a mistyped affinity",
    body: { ...task({}), Labels: { "gam.ingress": "local", "gam.sticky": "ip" } },
    want: 'label "gam.sticky" has the value "ip": use "client", or leave the label out (then connections go to any task)',
  },
  {
    name: "too many replicas",
    body: { ...task({}), Mode: { Replicated: { Replicas: 100_001 } } },
    want: `${rpc}cannot run 100001 replicas: one service may have 100000`,
  },
  {
    name: "a job with too many runs",
    body: { ...task({}), Mode: { ReplicatedJob: { TotalCompletions: 1e6 } } },
    want: `${rpc}cannot run 1000000 replicas: one service may have 100000`,
  },
  {
    name: "a list where a text belongs",
    body: { ...task({}), Name: [] },
    want: "json: cannot unmarshal array into Go struct field ServiceSpec.Name of type string",
  },
  {
    name: "a constraint without operator",
    body: task({ Placement: { Constraints: ["node.labels.a=b"] } }),
    want: "rpc error: code = Unknown desc = constraint expected one operator from ==, !=",
  },
  {
    name: "a constraint without value",
    body: task({ Placement: { Constraints: ["node.role=="] } }),
    want: "rpc error: code = Unknown desc = value '' is invalid",
  },
  {
    name: "an unknown restart condition",
    body: task({ RestartPolicy: { Condition: "sometimes" } }),
    want: 'invalid RestartCondition: "sometimes"',
  },
  {
    name: "an unknown failure action",
    body: { ...task({}), UpdateConfig: { FailureAction: "explode" } },
    want: "unrecognized update failure action explode",
  },
  {
    name: "an unknown order",
    body: { ...task({}), UpdateConfig: { Order: "sideways" } },
    want: "unrecognized update order sideways",
  },
  {
    name: "a ratio above 1",
    body: { ...task({}), UpdateConfig: { MaxFailureRatio: 2 } },
    want: `${rpc}TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1`,
  },
  {
    name: "too little cpu",
    body: task({ Resources: { Limits: { NanoCPUs: 5 } } }),
    want: `${rpc}invalid cpu value 5e-09: Must be at least 0.001`,
  },
  {
    name: "too little memory",
    body: task({ Resources: { Reservations: { MemoryBytes: 1 } } }),
    want: `${rpc}invalid memory value 1: Must be at least 4MiB`,
  },
  {
    name: "an unknown endpoint mode",
    body: { ...task({}), EndpointSpec: { Mode: "x" } },
    want: 'invalid resolution mode: "x"',
  },
  {
    name: "an invalid target port",
    body: { ...task({}), EndpointSpec: { Ports: [{ PublishedPort: 80 }] } },
    want: `${rpc}EndpointSpec: no target port: 0`,
  },
  {
    name: "a published port that is too high",
    body: { ...task({}), EndpointSpec: { Ports: [{ TargetPort: 80, PublishedPort: 70000 }] } },
    want: `${rpc}EndpointSpec: no port to publish: 70000`,
  },
  {
    name: "an ingress port with dnsrr",
    body: { ...task({}), EndpointSpec: { Mode: "dnsrr", Ports: [{ TargetPort: 1 }] } },
    want: `${rpc}EndpointSpec: port published with ingress mode can't be used with dnsrr mode`,
  },
  {
    name: "one port published twice",
    body: {
      ...task({}),
      EndpointSpec: {
        Ports: [
          { TargetPort: 70, PublishedPort: 7000 },
          { TargetPort: 71, PublishedPort: 7000, PublishMode: "host" },
        ],
      },
    },
    want: `${rpc}EndpointSpec: duplicate published ports provided`,
  },
  {
    name: "an unknown kind of mount",
    body: task({}, { Mounts: [{ Type: "odd", Target: "/x" }] }),
    want: 'invalid MountType: "odd"',
  },
  {
    name: "a mount point used twice",
    body: task({}, { Mounts: [{ Target: "/x" }, { Target: "/x" }] }),
    want: `${rpc}ContainerSpec: duplicate mount point: /x`,
  },
  {
    name: "an unknown runtime",
    body: task({ Runtime: "odd" }),
    want: "unsupported runtime",
  },
  {
    name: "a template in the host name that does not expand",
    body: task({}, { Hostname: "{{.Bogus}}" }),
    want: `${rpc}expanding hostname failed: template: expansion:1:2: no field Bogus`,
  },
  {
    name: "a template in the environment that does not expand",
    body: task({}, { Env: ["A=1", "X={{.Bogus}}"] }),
    want: `${rpc}expanding env failed: expanding env "X={{.Bogus}}": template: expansion:1:2: no field Bogus`,
  },
];

for (const { name, body, want } of refused) {
  test(`readServiceSpec() refuses ${name}`, () => {
    assert.throws(() => readServiceSpec(body, rules), { code: "BAD_REQUEST", message: want });
  });
}

test("readServiceSpec() accepts what Swarm accepts, however useless", () => {
  const body = {
    ...task({ Networks: [{ Target: "bridge" }] }, { Mounts: [{ Type: "bind", Source: "rel" }] }),
    EndpointSpec: { Ports: [{ TargetPort: 80, PublishedPort: 0 }] },
    Bogus: 1,
  };
  assert.equal("Bogus" in readServiceSpec(body, rules), false);
});

test("readServiceSpec() stores a minimal spec as Swarm does", () => {
  assert.deepEqual(readServiceSpec(task({}), rules), {
    Name: "web",
    Labels: {},
    TaskTemplate: {
      ContainerSpec: { Image: image, Isolation: "default" },
      ForceUpdate: 0,
      Runtime: "container",
    },
    Mode: { Replicated: { Replicas: 1 } },
  });
});

test("withDefaults() adds the defaults that the client left out", () => {
  const config = {
    Parallelism: 1,
    FailureAction: "pause",
    Monitor: 5e9,
    MaxFailureRatio: 0,
    Order: "stop-first",
  };
  assert.deepEqual(withDefaults(readServiceSpec(task({}), rules)), {
    Name: "web",
    Labels: {},
    TaskTemplate: {
      ContainerSpec: {
        Image: image,
        StopGracePeriod: 10e9,
        DNSConfig: {},
        Isolation: "default",
      },
      Resources: {},
      RestartPolicy: { Condition: "any", Delay: 5e9, MaxAttempts: 0 },
      Placement: {},
      ForceUpdate: 0,
      Runtime: "container",
    },
    Mode: { Replicated: { Replicas: 1 } },
    UpdateConfig: config,
    RollbackConfig: config,
  });
});

/** A spec as `stack deploy` sends it, with a bit of everything. */
const stack = {
  Name: "shop_db",
  Labels: { "com.docker.stack.namespace": "shop" },
  TaskTemplate: {
    ContainerSpec: {
      Image: `${image}@sha256:483157d54e7cd0e6163bb1e2b608e98cf27a27af7b6e3d462b947916db380d6a`,
      Labels: { "com.docker.stack.namespace": "shop" },
      Env: ["PASSWORD_FILE=/run/secrets/db_password"],
      Privileges: { CredentialSpec: null, SELinuxContext: null, NoNewPrivileges: false },
      Mounts: [{ Type: "tmpfs", Target: "/scratch", TmpfsOptions: { SizeBytes: 1048576 } }],
    },
    Resources: {},
    Placement: { Constraints: ["node.role == manager"] },
    Networks: [{ Target: "shop_backend", Aliases: ["db"] }],
    ForceUpdate: 0,
  },
  Mode: { Replicated: { Replicas: 1 } },
  EndpointSpec: {},
};

test("readServiceSpec() does not change a stored spec", () => {
  const once = readServiceSpec(stack, rules);
  assert.deepEqual(readServiceSpec(once, rules), once);
  assert.ok(sameTemplate(once, readServiceSpec(structuredClone(stack), rules)));
});

test("readServiceSpec() answers any JSON with a spec or a typed error", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
      const bodies = [one, task({ Placement: one }, { Env: other }), { ...task({}), Mode: one }];
      for (const body of bodies) {
        try {
          const once = readServiceSpec(body, rules);
          assert.deepEqual(readServiceSpec(once, rules), once);
        } catch (thrown) {
          assert.equal((thrown as { code?: string }).code, "BAD_REQUEST");
        }
      }
    }),
  );
});
