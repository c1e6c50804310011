/** Labels of a service that say something about its containers, and the engine's fields for them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Labels, Task } from "@gam/state";
import { planContainer } from "./container-plan.ts";
import { aNode, anOverlay, aTask } from "./testing/index.ts";

function hostConfig(labels: Labels, change: Partial<Task> = {}): Readonly<Record<string, unknown>> {
  const task = aTask("t1", change);
  const named = Object.entries(labels).map(([key, value]) => [`gam.container.${key}`, value]);
  const Gam = { ...task.Gam, serviceLabels: Object.fromEntries(named) };
  const around = { cluster: "c", node: aNode(), networks: [anOverlay("front", 1)] };
  const planned = planContainer({ ...task, Gam }, around);
  assert.ok("plan" in planned, JSON.stringify(planned));
  return planned.plan.body.HostConfig as Readonly<Record<string, unknown>>;
}

const rows: readonly (readonly [label: string, value: string, want: Record<string, unknown>])[] = [
  ["privileged", "true", { Privileged: true }],
  [
    "devices",
    "/dev/snd, /dev/sda:/dev/xvda:r",
    {
      Devices: [
        { PathOnHost: "/dev/snd", PathInContainer: "/dev/snd", CgroupPermissions: "rwm" },
        { PathOnHost: "/dev/sda", PathInContainer: "/dev/xvda", CgroupPermissions: "r" },
      ],
    },
  ],
  [
    "devices",
    "/dev/fuse:rw",
    {
      Devices: [{ PathOnHost: "/dev/fuse", PathInContainer: "/dev/fuse", CgroupPermissions: "rw" }],
    },
  ],
  ["device_cgroup_rules", "c 189:* rmw", { DeviceCgroupRules: ["c 189:* rmw"] }],
  ["pid", "host", { PidMode: "host" }],
  ["ipc", "shareable", { IpcMode: "shareable" }],
  ["uts", "host", { UTSMode: "host" }],
  ["userns", "host", { UsernsMode: "host" }],
  ["cgroup", "private", { CgroupnsMode: "private" }],
  ["cgroup_parent", "/batch", { CgroupParent: "/batch" }],
  [
    "security_opt",
    "label:disable,no-new-privileges",
    { SecurityOpt: ["label=disable", "no-new-privileges"] },
  ],
  ["shm_size", "64m", { ShmSize: 64 * 2 ** 20 }],
  ["runtime", "runsc", { Runtime: "runsc" }],
  ["network", "none", { NetworkMode: "none" }],
  // From a spec that another version of gam accepted.
  ["pid", "container:x", { PidMode: undefined }],
];

for (const [label, value, want] of rows) {
  test(`a container has what gam.container.${label}=${value} says`, () => {
    const host = hostConfig({ [label]: value });
    for (const [key, one] of Object.entries(want)) assert.deepEqual(host[key], one, key);
  });
}

test("a container gets the GPUs that its task has, and no others", () => {
  const gpu = (Value: string) => ({ NamedResourceSpec: { Kind: "NVIDIA-GPU", Value } });
  const GenericResources = [gpu("GPU-1"), gpu("GPU-2")];
  assert.deepEqual(hostConfig({ gpus: "utility" }, { GenericResources }).DeviceRequests, [
    { Driver: "nvidia", DeviceIDs: ["GPU-1", "GPU-2"], Capabilities: [["gpu", "utility"]] },
  ]);
  assert.equal(hostConfig({}, { GenericResources }).DeviceRequests, undefined);
  assert.equal(hostConfig({ gpus: "utility" }).DeviceRequests, undefined);
});
