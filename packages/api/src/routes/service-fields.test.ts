import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Rig } from "../testing/rig.ts";

let rig: Rig;

before(async () => {
  rig = await Rig.start(2);
});
after(() => rig.stop());

const service = (name: string, container: object): object => ({
  Name: name,
  TaskTemplate: { ContainerSpec: { Image: "tiny:1", ...container } },
});

test("fields that came after the client's version are dropped, also in updates", async () => {
  const body = service("old", { OomScoreAdj: 7, Sysctls: { a: "1" } });
  const made = await rig.call("POST", "/v1.41/services/create", body);
  assert.equal(made.status, 201);
  const stored = async () => (await rig.call("GET", "/services/old")).body;
  const before = await stored();
  assert.deepEqual(before.Spec.TaskTemplate.ContainerSpec.Sysctls, { a: "1" });
  assert.equal(before.Spec.TaskTemplate.ContainerSpec.OomScoreAdj, undefined);
  const path = `services/old/update?version=${before.Version.Index}`;
  assert.equal((await rig.call("POST", `/${path}`, body)).status, 200);
  assert.equal((await stored()).Spec.TaskTemplate.ContainerSpec.OomScoreAdj, 7);
});

test("a field that no engine of the cluster knows is refused", async () => {
  const Healthcheck = { Test: ["CMD", "true"], StartInterval: 1e9 };
  const refused = await rig.call("POST", "/services/create", service("new", { Healthcheck }));
  assert.equal(refused.status, 400);
  assert.equal(
    refused.body.message,
    "rpc error: code = InvalidArgument desc = TaskTemplate.ContainerSpec.Healthcheck.StartInterval needs Docker Engine 25.0 or newer. All engines of this cluster are older",
  );
});

const refused: readonly (readonly [name: string, container: object, message: string])[] = [
  [
    "a named pipe",
    {
      Mounts: [
        { Type: "tmpfs", Target: "/a" },
        { Type: "npipe", Source: "a", Target: "b" },
      ],
    },
    'TaskTemplate.ContainerSpec.Mounts[1].Type: "npipe" exists only on Windows',
  ],
  [
    "a cluster volume",
    { Mounts: [{ Type: "cluster", Source: "a", Target: "/b" }] },
    'TaskTemplate.ContainerSpec.Mounts[0].Type: "cluster" (CSI) is not supported. Use a volume with a driver that all nodes have',
  ],
  [
    "an option of another kind of mount",
    { Mounts: [{ Type: "bind", Source: "/a", Target: "/a", TmpfsOptions: { SizeBytes: 1 } }] },
    'TaskTemplate.ContainerSpec.Mounts[0]: invalid mount config for type "bind": field TmpfsOptions must not be specified',
  ],
  [
    "an option of a bind mount for a volume",
    { Mounts: [{ Type: "volume", Target: "/a", BindOptions: { Propagation: "rslave" } }] },
    'TaskTemplate.ContainerSpec.Mounts[0]: invalid mount config for type "volume": field BindOptions must not be specified',
  ],
  [
    "a credential spec",
    { Privileges: { CredentialSpec: { File: "x.json" } } },
    "TaskTemplate.ContainerSpec.Privileges.CredentialSpec: exists only on Windows",
  ],
  [
    "an isolation of Windows",
    { Isolation: "HyperV" },
    'TaskTemplate.ContainerSpec.Isolation: "hyperv" exists only on Windows',
  ],
  [
    "an unknown mode of seccomp",
    { Privileges: { Seccomp: { Mode: "odd" } } },
    'TaskTemplate.ContainerSpec.Privileges.Seccomp.Mode: "odd" is none of default, unconfined, custom',
  ],
  [
    "a seccomp profile that is no JSON",
    { Privileges: { Seccomp: { Mode: "custom", Profile: btoa("{") } } },
    'TaskTemplate.ContainerSpec.Privileges.Seccomp.Profile: mode "custom" needs a profile: JSON, as base64',
  ],
  [
    "an unknown mode of AppArmor",
    { Privileges: { AppArmor: { Mode: "custom" } } },
    'TaskTemplate.ContainerSpec.Privileges.AppArmor.Mode: "custom" is neither default nor disabled',
  ],
  [
    "a health check more often than once in a millisecond",
    { Healthcheck: { Interval: 10 } },
    "ContainerSpec: Interval in HealthConfig cannot be less than 1ms",
  ],
  [
    "negative retries",
    { Healthcheck: { Retries: -1 } },
    "ContainerSpec: Retries in HealthConfig cannot be negative",
  ],
];
for (const [name, container, message] of refused) {
  test(`${name} is refused, and the message names the field`, async () => {
    const { status, body } = await rig.call("POST", "/services/create", service("no", container));
    assert.equal(status, 400);
    assert.equal(body.message, `rpc error: code = InvalidArgument desc = ${message}`);
  });
}

test("what Swarm's engine refuses has its words", async () => {
  const answer = async (container: object, more: object = {}): Promise<unknown> => {
    const body = { ...service("no", container), ...more };
    const { status, body: found } = await rig.call("POST", "/services/create", body);
    return [status, found.message];
  };
  const bind = { Target: "/a", Source: "/b", BindOptions: { Propagation: "odd" } };
  assert.deepEqual(await answer({ Mounts: [bind] }), [400, 'invalid MountPropagation: "odd"']);
  const job = { Mode: { GlobalJob: {} }, UpdateConfig: {} };
  assert.deepEqual(await answer({}, job), [
    400,
    "rpc error: code = InvalidArgument desc = Jobs may not have an update config",
  ]);
});
