/**
 * Container options: the engine's fields for what labels of a service say about its containers (`gam.container.…`).
 *
 * Source: Docker Engine API 1.41, ContainerCreate.
 */
import { containerOptions, gpuKind, type Task } from "@gam/state";

interface EngineFields {
  /** Replaces the network mode. */
  readonly networkMode: string | undefined;
  /** More fields of HostConfig. */
  readonly host: Readonly<Record<string, unknown>>;
  /** More values of `--security-opt`. */
  readonly security: readonly string[];
}

export function hostOptions(task: Task): EngineFields {
  const options = containerOptions(task.Gam.serviceLabels);
  const { privileged, devices, deviceRules, pid, ipc, uts, userns, cgroup, gpus } = options;
  const { cgroupParent, shmBytes, runtime, network, security = [] } = options;
  const requests = gpus === undefined ? [] : gpuRequests(task, gpus);
  return {
    networkMode: network,
    security: security.map((option) => option.replace(/^(label|apparmor|seccomp):/, "$1=")),
    host: {
      ...(privileged !== undefined && { Privileged: true }),
      ...(devices !== undefined && {
        Devices: devices.map(({ host, container, permissions }) => ({
          PathOnHost: host,
          PathInContainer: container,
          CgroupPermissions: permissions,
        })),
      }),
      ...(deviceRules !== undefined && { DeviceCgroupRules: deviceRules }),
      ...(requests.length > 0 && { DeviceRequests: requests }),
      ...(pid !== undefined && { PidMode: pid }),
      ...(ipc !== undefined && { IpcMode: ipc }),
      ...(uts !== undefined && { UTSMode: uts }),
      ...(userns !== undefined && { UsernsMode: userns }),
      ...(cgroup !== undefined && { CgroupnsMode: cgroup }),
      ...(cgroupParent !== undefined && { CgroupParent: cgroupParent }),
      ...(shmBytes !== undefined && { ShmSize: shmBytes }),
      ...(runtime !== undefined && { Runtime: runtime }),
    },
  };
}

/** Exactly those GPUs that the scheduler gave to the task. */
function gpuRequests(task: Task, capabilities: readonly string[]): readonly object[] {
  const ids = (task.GenericResources ?? []).flatMap(({ NamedResourceSpec: named }) => {
    return named?.Kind === gpuKind ? [named.Value] : [];
  });
  if (ids.length === 0) return [];
  const all = [...new Set(["gpu", ...capabilities])];
  return [{ Driver: "nvidia", DeviceIDs: ids, Capabilities: [all] }];
}
