/**
 * Service: the Engine API's service with its spec, and what gam adds to it.
 *
 * Only shapes. service-spec.ts decides what a client may ask for.
 */
import type { ConfigId, SecretId, ServiceId } from "@gam/core";
import type { AutoscaleMemory } from "./autoscale.ts";
import type { ContentVersions, Sealed } from "./content.ts";
import type { Labels, Meta } from "./meta.ts";
import type { GenericResource, Platform } from "./node.ts";
import type { Rollout } from "./rollouts/rollout.ts";

export interface Mount {
  readonly Type?: "bind" | "volume" | "tmpfs" | "image";
  readonly Source?: string;
  readonly Target?: string;
  readonly ReadOnly?: boolean;
  readonly Consistency?: string;
  readonly BindOptions?: {
    readonly Propagation?: string;
    readonly NonRecursive?: boolean;
    readonly CreateMountpoint?: boolean;
    readonly ReadOnlyNonRecursive?: boolean;
    readonly ReadOnlyForceRecursive?: boolean;
  };
  readonly VolumeOptions?: {
    readonly NoCopy?: boolean;
    readonly Labels?: Labels;
    readonly Subpath?: string;
    readonly DriverConfig?: { readonly Name?: string; readonly Options?: Labels };
  };
  readonly ImageOptions?: { readonly Subpath?: string };
  readonly TmpfsOptions?: {
    readonly SizeBytes?: number;
    readonly Mode?: number;
    /** Each is a flag, or a key and a value. */
    readonly Options?: readonly (readonly string[])[];
  };
}

/** The docker client sends null for what is absent. It is not stored. */
export interface Privileges {
  readonly CredentialSpec?: {
    readonly Config?: string;
    readonly File?: string;
    readonly Registry?: string;
  } | null;
  readonly SELinuxContext?: {
    readonly Disable?: boolean;
    readonly User?: string;
    readonly Role?: string;
    readonly Type?: string;
    readonly Level?: string;
  } | null;
  readonly Seccomp?: {
    readonly Mode?: "default" | "unconfined" | "custom";
    /** JSON of the profile, as base64. */
    readonly Profile?: string;
  };
  readonly AppArmor?: { readonly Mode?: "default" | "disabled" };
  readonly NoNewPrivileges?: boolean;
}

export interface Healthcheck {
  /** `["NONE"]` turns the image's check off. */
  readonly Test?: readonly string[];
  /** Durations are nanoseconds. */
  readonly Interval?: number;
  readonly Timeout?: number;
  readonly StartPeriod?: number;
  readonly StartInterval?: number;
  readonly Retries?: number;
}

/** A file in the container. */
export interface FileTarget {
  /** A path. Relative ones begin at /run/secrets for a secret, at / for a config. */
  readonly Name: string;
  /** Numbers as text. */
  readonly UID: string;
  readonly GID: string;
  /** Permission bits: 292 is 0444. */
  readonly Mode: number;
}

export interface SecretReference {
  readonly File: FileTarget;
  readonly SecretID: SecretId;
  readonly SecretName: string;
}

/** Exactly one of `File` and `Runtime`. `Runtime`: the engine gets it, as a credential spec; no file. */
export interface ConfigReference {
  readonly File?: FileTarget;
  readonly Runtime?: Readonly<Record<string, never>>;
  readonly ConfigID: ConfigId;
  readonly ConfigName: string;
}

export interface ContainerSpec {
  readonly Image: string;
  readonly Labels?: Labels;
  /** Replaces the image's entrypoint. */
  readonly Command?: readonly string[];
  readonly Args?: readonly string[];
  readonly Hostname?: string;
  readonly Env?: readonly string[];
  readonly Dir?: string;
  readonly User?: string;
  readonly Groups?: readonly string[];
  readonly Privileges?: Privileges;
  readonly StopSignal?: string;
  /** Nanoseconds. */
  readonly StopGracePeriod?: number;
  readonly TTY?: boolean;
  readonly OpenStdin?: boolean;
  readonly ReadOnly?: boolean;
  readonly Mounts?: readonly Mount[];
  readonly Healthcheck?: Healthcheck;
  readonly Hosts?: readonly string[];
  readonly DNSConfig?: {
    readonly Nameservers?: readonly string[];
    readonly Search?: readonly string[];
    readonly Options?: readonly string[];
  };
  readonly Secrets?: readonly SecretReference[];
  readonly Configs?: readonly ConfigReference[];
  readonly Isolation?: string;
  readonly Init?: boolean;
  readonly Sysctls?: Labels;
  readonly CapabilityAdd?: readonly string[];
  readonly CapabilityDrop?: readonly string[];
  readonly Ulimits?: readonly {
    readonly Name: string;
    readonly Soft: number;
    readonly Hard: number;
  }[];
  readonly OomScoreAdj?: number;
}

export interface Resources {
  readonly NanoCPUs?: number;
  readonly MemoryBytes?: number;
  readonly Pids?: number;
  readonly GenericResources?: readonly GenericResource[];
}

export interface LogDriver {
  readonly Name?: string;
  readonly Options?: Labels;
}

export interface RestartPolicy {
  readonly Condition?: "none" | "on-failure" | "any";
  /** Nanoseconds. */
  readonly Delay?: number;
  /** 0 or absent: no limit. */
  readonly MaxAttempts?: number;
  /** Nanoseconds. */
  readonly Window?: number;
}

export interface Placement {
  readonly Constraints?: readonly string[];
  readonly Preferences?: readonly { readonly Spread?: { readonly SpreadDescriptor: string } }[];
  /** Maximum of replicas on one node; 0 or absent: no limit. */
  readonly MaxReplicas?: number;
  readonly Platforms?: readonly Partial<Platform>[];
}

export interface NetworkTarget {
  /** Id of the network once stored; clients may send its name. */
  readonly Target: string;
  readonly Aliases?: readonly string[];
  readonly DriverOpts?: Labels;
}

export interface TaskSpec {
  readonly ContainerSpec: ContainerSpec;
  readonly Resources?: {
    readonly Limits?: Resources;
    readonly Reservations?: Resources;
    /** Swap beside the memory limit; -1: no limit. */
    readonly SwapBytes?: number;
    /** 0 to 100. */
    readonly MemorySwappiness?: number;
  };
  readonly RestartPolicy?: RestartPolicy;
  readonly Placement?: Placement;
  readonly Networks?: readonly NetworkTarget[];
  readonly LogDriver?: LogDriver;
  readonly ForceUpdate?: number;
  readonly Runtime?: string;
}

export interface ServiceMode {
  readonly Replicated?: { readonly Replicas?: number };
  readonly Global?: Readonly<Record<string, never>>;
  readonly ReplicatedJob?: {
    readonly MaxConcurrent?: number;
    readonly TotalCompletions?: number;
  };
  readonly GlobalJob?: Readonly<Record<string, never>>;
}

export interface UpdateConfig {
  /** 0: all at once. */
  readonly Parallelism?: number;
  /** Nanoseconds. */
  readonly Delay?: number;
  readonly FailureAction?: "pause" | "continue" | "rollback";
  /** Nanoseconds. */
  readonly Monitor?: number;
  /** 0 to 1. */
  readonly MaxFailureRatio?: number;
  readonly Order?: "stop-first" | "start-first";
}

export interface PortConfig {
  readonly Name?: string;
  readonly Protocol?: "tcp" | "udp" | "sctp";
  readonly TargetPort?: number;
  readonly PublishedPort?: number;
  readonly PublishMode?: "ingress" | "host";
}

export interface EndpointSpec {
  readonly Mode?: "vip" | "dnsrr";
  readonly Ports?: readonly PortConfig[];
}

export interface ServiceSpec {
  readonly Name: string;
  readonly Labels?: Labels;
  readonly TaskTemplate: TaskSpec;
  readonly Mode: ServiceMode;
  readonly UpdateConfig?: UpdateConfig;
  readonly RollbackConfig?: UpdateConfig;
  readonly Networks?: readonly NetworkTarget[];
  readonly EndpointSpec?: EndpointSpec;
}

export interface Endpoint {
  readonly Spec: EndpointSpec;
  readonly Ports?: readonly PortConfig[];
  readonly VirtualIPs?: readonly { readonly NetworkID: string; readonly Addr?: string }[];
}

export type UpdateState =
  | "updating"
  | "paused"
  | "completed"
  | "rollback_started"
  | "rollback_paused"
  | "rollback_completed";

export interface UpdateStatus {
  readonly State: UpdateState;
  /** RFC 3339. */
  readonly StartedAt: string;
  readonly CompletedAt?: string;
  readonly Message: string;
}

/** One run of a job with a schedule. */
export interface CronRun {
  /** The iteration of the job: its tasks have the same number. */
  readonly iteration: number;
  /** When it was due, or asked for by hand. */
  readonly dueMs: number;
  readonly startedMs: number;
  readonly by: "schedule" | "hand";
  /** Absent while the run is active. */
  readonly end?: CronEnd;
}

export interface CronEnd {
  readonly result: "complete" | "failed" | "replaced";
  readonly atMs: number;
  /** "" for a run that completed everywhere. */
  readonly reason: string;
}

/** Due times that had no run. */
export interface CronMiss {
  readonly fromMs: number;
  readonly untilMs: number;
  /** At least so many: nobody counts thousands. */
  readonly count: number;
  readonly reason: string;
}

/** What the leader remembers of a job with a schedule. */
export interface CronState {
  /** Each due time up to here has had its run, or is noted as missed. Absent until a leader has looked. */
  readonly handledMs?: number;
  /** It was suspended until now: what was due meanwhile is missed. */
  readonly wasSuspended?: boolean;
  /** Active runs and the last ended ones, oldest first. */
  readonly runs: readonly CronRun[];
  /** The last ones, oldest first. */
  readonly missed: readonly CronMiss[];
}

/** A spec that the service has had. */
export interface Revision {
  /** From 1. A rollback makes a new one. */
  readonly number: number;
  /** When it was written. RFC 3339. */
  readonly at: string;
  readonly spec: ServiceSpec;
}

/** What gam adds to the Engine API's service. Not shown to Docker clients. */
export interface ServiceExtra {
  /** `X-Registry-Auth` of the client, base64url, sealed, for pulls of this spec's image. Absent: none. */
  readonly registryAuth?: Sealed;
  readonly registryAuthPrevious?: Sealed;
  /**
   * For each secret and config whose content the last update changed: the version to which a rollback returns.
   */
  readonly earlier: ContentVersions;
  /**
   * Index of the last write that changed the task template, the endpoint spec, or the content of a secret or
   * config in it. Tasks with another number are out of date.
   */
  readonly templateVersion: number;
  /**
   * When all tasks replaced by the update so far had settled, by the leader's clock. 0 while some have not, and
   * outside an update.
   */
  readonly waveAtMs: number;
  /** Slots (global: node ids) that the last update of this template has replaced so far. */
  readonly updated: readonly string[];
  /** Of the present spec. Absent: the first. */
  readonly revision?: Omit<Revision, "spec">;
  /** The specs before it, oldest first. Absent: none. */
  readonly revisions?: readonly Revision[];
  /** Present for a service whose number of replicas the cluster chooses. */
  readonly autoscale?: AutoscaleMemory | undefined;
  /** Present for a job with a schedule. */
  readonly cron?: CronState;
  /** The last change of versions that went step by step. Absent: the last update was none. */
  readonly rollout?: Rollout | undefined;
}

export interface Service extends Meta {
  readonly ID: ServiceId;
  readonly Spec: ServiceSpec;
  readonly PreviousSpec?: ServiceSpec;
  readonly Endpoint: Endpoint;
  readonly UpdateStatus?: UpdateStatus;
  readonly JobStatus?: {
    readonly JobIteration: { readonly Index?: number };
    readonly LastExecution: string;
  };
  readonly Gam: ServiceExtra;
}
