/**
 * Service shape: the fields of a ServiceSpec, and of the TaskSpec in it, as the Docker Engine API (1.41 to
 * 1.50) has them.
 */
import { configReferences, secretReferences } from "./content-references.ts";
import {
  flag,
  flagOrNot,
  float,
  labels,
  list,
  opaque,
  signed,
  signedOrZero,
  struct,
  text,
  texts,
  unsigned,
  unsignedOrZero,
} from "./json-shape.ts";

const mount = struct("Mount", {
  Type: text,
  Source: text,
  Target: text,
  ReadOnly: flag,
  Consistency: text,
  BindOptions: struct("BindOptions", {
    Propagation: text,
    NonRecursive: flag,
    CreateMountpoint: flag,
    ReadOnlyNonRecursive: flag,
    ReadOnlyForceRecursive: flag,
  }),
  VolumeOptions: struct("VolumeOptions", {
    NoCopy: flag,
    Labels: labels,
    Subpath: text,
    DriverConfig: struct("Driver", { Name: text, Options: labels }),
  }),
  TmpfsOptions: struct("TmpfsOptions", { SizeBytes: signed, Mode: unsigned }),
});

const healthcheck = struct("HealthConfig", {
  Test: texts,
  Interval: signed,
  Timeout: signed,
  StartPeriod: signed,
  StartInterval: signed,
  Retries: signed,
});

const container = struct("ContainerSpec", {
  Image: text,
  Labels: labels,
  Command: texts,
  Args: texts,
  Hostname: text,
  Env: texts,
  Dir: text,
  User: text,
  Groups: texts,
  Privileges: opaque,
  Init: flagOrNot,
  StopSignal: text,
  TTY: flag,
  OpenStdin: flag,
  ReadOnly: flag,
  Mounts: list(mount, {}, "mount.Mount"),
  StopGracePeriod: signedOrZero,
  Healthcheck: healthcheck,
  Hosts: texts,
  DNSConfig: struct("DNSConfig", { Nameservers: texts, Search: texts, Options: texts }),
  Secrets: secretReferences,
  Configs: configReferences,
  Isolation: text,
  Sysctls: labels,
  CapabilityAdd: texts,
  CapabilityDrop: texts,
  Ulimits: list(
    struct("Ulimit", { Name: text, Hard: signedOrZero, Soft: signedOrZero }),
    {},
    "*units.Ulimit",
  ),
  OomScoreAdj: signed,
});

const genericResource = struct("GenericResource", {
  NamedResourceSpec: struct("NamedGenericResource", { Kind: text, Value: text }),
  DiscreteResourceSpec: struct("DiscreteGenericResource", { Kind: text, Value: signed }),
});

const resources = (goType: string) =>
  struct(goType, {
    NanoCPUs: signed,
    MemoryBytes: signed,
    Pids: signed,
    GenericResources: list(genericResource, {}, "swarm.GenericResource"),
  });

const networks = list(
  struct("NetworkAttachmentConfig", { Target: text, Aliases: texts, DriverOpts: labels }),
  {},
  "swarm.NetworkAttachmentConfig",
);

export const taskShape = struct("TaskSpec", {
  ContainerSpec: container,
  PluginSpec: opaque,
  NetworkAttachmentSpec: opaque,
  Resources: struct("ResourceRequirements", {
    Limits: resources("Limit"),
    Reservations: resources("Resources"),
  }),
  RestartPolicy: struct("RestartPolicy", {
    Condition: text,
    Delay: signedOrZero,
    MaxAttempts: unsignedOrZero,
    Window: signedOrZero,
  }),
  Placement: struct("Placement", {
    Constraints: texts,
    Preferences: list(
      struct("PlacementPreference", { Spread: struct("SpreadOver", { SpreadDescriptor: text }) }),
      {},
      "swarm.PlacementPreference",
    ),
    MaxReplicas: unsigned,
    Platforms: list(struct("Platform", { Architecture: text, OS: text }), {}, "swarm.Platform"),
  }),
  Networks: networks,
  LogDriver: struct("Driver", { Name: text, Options: labels }),
  ForceUpdate: unsignedOrZero,
  Runtime: text,
});

const update = struct("UpdateConfig", {
  Parallelism: unsignedOrZero,
  Delay: signed,
  FailureAction: text,
  Monitor: signed,
  MaxFailureRatio: float,
  Order: text,
});

const endpointShape = struct("EndpointSpec", {
  Mode: text,
  Ports: list(
    struct("PortConfig", {
      Name: text,
      Protocol: text,
      TargetPort: unsigned,
      PublishedPort: unsigned,
      PublishMode: text,
    }),
    {},
    "swarm.PortConfig",
  ),
});

export const serviceShape = struct("ServiceSpec", {
  Name: text,
  Labels: labels,
  TaskTemplate: taskShape,
  Mode: struct("ServiceMode", {
    Replicated: struct("ReplicatedService", { Replicas: unsignedOrZero }),
    Global: struct("GlobalService", {}),
    ReplicatedJob: struct("ReplicatedJob", {
      MaxConcurrent: unsignedOrZero,
      TotalCompletions: unsignedOrZero,
    }),
    GlobalJob: struct("GlobalJob", {}),
  }),
  UpdateConfig: update,
  RollbackConfig: update,
  Networks: networks,
  EndpointSpec: endpointShape,
});
