/**
 * Service shape: the fields of a ServiceSpec, and of the TaskSpec in it, as the Docker Engine API (1.41 to
 * 1.52) has them.
 *
 * A client that speaks an older version of the API cannot set the fields of later ones: they are dropped, as
 * Docker drops them. An old client that sends back what it read must not freeze values that it does not know.
 */
import { configReferences, secretReferences } from "./content-references.ts";
import {
  flag,
  flagOrNot,
  float,
  labels,
  list,
  opaque,
  type Shape,
  signed,
  signedOrZero,
  struct,
  text,
  texts,
  unsigned,
  unsignedOrZero,
} from "./json-shape.ts";

/** A minor version of the API, or Infinity for the newest. */
type Minor = number;

/** Reads a field of a later version than the client's, and drops it. */
function since<T>(came: Minor, asked: Minor, shape: Shape<T>): Shape<T> {
  if (asked >= came) return shape;
  return (value, place) => {
    shape(value, place);
    return undefined;
  };
}

const driver = struct("Driver", { Name: text, Options: labels });

const mount = (asked: Minor) =>
  struct("Mount", {
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
      DriverConfig: driver,
    }),
    ImageOptions: struct("ImageOptions", { Subpath: text }),
    TmpfsOptions: struct("TmpfsOptions", {
      SizeBytes: signed,
      Mode: unsigned,
      Options: since(46, asked, list(texts, [], "[]string")),
    }),
    ClusterOptions: struct("ClusterOptions", {}),
  });

const healthcheck = (asked: Minor) =>
  struct("HealthConfig", {
    Test: texts,
    Interval: signed,
    Timeout: signed,
    StartPeriod: signed,
    StartInterval: since(44, asked, signed),
    Retries: signed,
  });

const privileges = (asked: Minor) =>
  struct("Privileges", {
    CredentialSpec: struct("CredentialSpec", {
      Config: since(40, asked, text),
      File: text,
      Registry: text,
    }),
    SELinuxContext: struct("SELinuxContext", {
      Disable: flag,
      User: text,
      Role: text,
      Type: text,
      Level: text,
    }),
    Seccomp: since(44, asked, struct("SeccompOpts", { Mode: text, Profile: text })),
    AppArmor: since(44, asked, struct("AppArmorOpts", { Mode: text })),
    NoNewPrivileges: since(44, asked, flag),
  });

const container = (asked: Minor) =>
  struct("ContainerSpec", {
    Image: text,
    Labels: labels,
    Command: texts,
    Args: texts,
    Hostname: text,
    Env: texts,
    Dir: text,
    User: text,
    Groups: texts,
    Privileges: privileges(asked),
    Init: flagOrNot,
    StopSignal: text,
    TTY: flag,
    OpenStdin: flag,
    ReadOnly: flag,
    Mounts: list(mount(asked), {}, "mount.Mount"),
    StopGracePeriod: signedOrZero,
    Healthcheck: healthcheck(asked),
    Hosts: texts,
    DNSConfig: struct("DNSConfig", { Nameservers: texts, Search: texts, Options: texts }),
    Secrets: secretReferences,
    Configs: configReferences,
    Isolation: text,
    Sysctls: since(40, asked, labels),
    CapabilityAdd: since(41, asked, texts),
    CapabilityDrop: since(41, asked, texts),
    Ulimits: since(
      41,
      asked,
      list(
        struct("Ulimit", { Name: text, Hard: signedOrZero, Soft: signedOrZero }),
        {},
        "*units.Ulimit",
      ),
    ),
    OomScoreAdj: since(46, asked, signed),
  });

const genericResource = struct("GenericResource", {
  NamedResourceSpec: struct("NamedGenericResource", { Kind: text, Value: text }),
  DiscreteResourceSpec: struct("DiscreteGenericResource", { Kind: text, Value: signed }),
});

const networks = list(
  struct("NetworkAttachmentConfig", { Target: text, Aliases: texts, DriverOpts: labels }),
  {},
  "swarm.NetworkAttachmentConfig",
);

const task = (asked: Minor) =>
  struct("TaskSpec", {
    ContainerSpec: container(asked),
    PluginSpec: opaque,
    NetworkAttachmentSpec: opaque,
    Resources: struct("ResourceRequirements", {
      Limits: struct("Limit", {
        NanoCPUs: signed,
        MemoryBytes: signed,
        Pids: since(41, asked, signed),
      }),
      Reservations: struct("Resources", {
        NanoCPUs: signed,
        MemoryBytes: signed,
        GenericResources: list(genericResource, {}, "swarm.GenericResource"),
      }),
      SwapBytes: since(52, asked, signedOrZero),
      MemorySwappiness: since(52, asked, signedOrZero),
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
      MaxReplicas: since(40, asked, unsigned),
      Platforms: list(struct("Platform", { Architecture: text, OS: text }), {}, "swarm.Platform"),
    }),
    Networks: networks,
    LogDriver: driver,
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

const service = (asked: Minor) =>
  struct("ServiceSpec", {
    Name: text,
    Labels: labels,
    TaskTemplate: task(asked),
    Mode: struct("ServiceMode", {
      Replicated: struct("ReplicatedService", { Replicas: unsignedOrZero }),
      Global: struct("GlobalService", {}),
      ReplicatedJob: since(
        41,
        asked,
        struct("ReplicatedJob", {
          MaxConcurrent: unsignedOrZero,
          TotalCompletions: unsignedOrZero,
        }),
      ),
      GlobalJob: since(41, asked, struct("GlobalJob", {})),
    }),
    UpdateConfig: update,
    RollbackConfig: update,
    Networks: networks,
    EndpointSpec: endpointShape,
  });

export const taskShape = task(Number.POSITIVE_INFINITY);
const newest = service(Number.POSITIVE_INFINITY);
const older = new Map<Minor, typeof newest>();

/** Returns: the shape for clients of an API version like "1.41"; undefined stands for the newest. */
export function serviceShape(version: string | undefined): typeof newest {
  const minor = Number(version?.split(".")[1] ?? Number.NaN);
  if (Number.isNaN(minor)) return newest;
  let shape = older.get(minor);
  if (shape === undefined) {
    shape = service(minor);
    older.set(minor, shape);
  }
  return shape;
}
