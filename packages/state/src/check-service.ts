/** Check of a service and of its parts that gam writes: ports, endpoints, the state of an update. */
import { type Check, check, type ServiceId } from "@gam/core";
import { checkServiceSpec } from "./check-spec.ts";
import {
  aMessage,
  aMoment,
  anAddress,
  anId,
  anIndex,
  aPort,
  aRegistryAuth,
  aText,
  aTime,
} from "./field-checks.ts";
import type { Endpoint, EndpointSpec, PortConfig, Service, UpdateStatus } from "./service.ts";

const { id, list, literal, matching, optional, struct, where } = check;

const portsMax = 4096;
const addressesMax = 256;
/** Places of one service: its slots, or the nodes of the cluster. */
const placesMax = 200_000;

export const checkPorts = list(
  struct({
    Name: optional(aText),
    Protocol: optional(literal("tcp", "udp", "sctp")),
    TargetPort: optional(aPort),
    PublishedPort: optional(aPort),
    PublishMode: optional(literal("ingress", "host")),
  }),
  portsMax,
) as Check<PortConfig[]>;

export const checkEndpointSpec = struct({
  Mode: optional(literal("vip", "dnsrr")),
  Ports: optional(checkPorts),
}) as Check<EndpointSpec>;

const anAddressWithPrefix = where(
  check.string(18),
  (text) => /\/([1-9]|[12]\d|3[0-2])$/.test(text) && isAddressOf(text),
  "an IPv4 address with a prefix",
);

function isAddressOf(text: string): boolean {
  try {
    return anAddress(text.split("/")[0], "") !== "";
  } catch {
    return false;
  }
}

export const checkEndpoint = struct({
  Spec: checkEndpointSpec,
  Ports: optional(checkPorts),
  VirtualIPs: optional(
    list(struct({ NetworkID: anId, Addr: optional(anAddressWithPrefix) }), addressesMax),
  ),
}) as Check<Endpoint>;

export const checkUpdateStatus = struct({
  State: literal(
    "updating",
    "paused",
    "completed",
    "rollback_started",
    "rollback_paused",
    "rollback_completed",
  ),
  StartedAt: aTime,
  CompletedAt: optional(aTime),
  Message: aMessage,
}) as Check<UpdateStatus>;

/** Slots by their numbers, nodes by their ids. */
export const checkPlaces = list(
  matching(/^(0|[1-9]\d{0,9}|[0-9a-z]{25})$/, "a slot or a node", 25),
  placesMax,
);

export const checkService = struct({
  ID: id<ServiceId>(),
  Version: struct({ Index: anIndex }),
  CreatedAt: aTime,
  UpdatedAt: aTime,
  Spec: checkServiceSpec,
  PreviousSpec: optional(checkServiceSpec),
  Endpoint: checkEndpoint,
  UpdateStatus: optional(checkUpdateStatus),
  JobStatus: optional(
    struct({ JobIteration: struct({ Index: optional(anIndex) }), LastExecution: aTime }),
  ),
  Gam: struct({
    registryAuth: aRegistryAuth,
    registryAuthPrevious: aRegistryAuth,
    templateVersion: anIndex,
    waveAtMs: aMoment,
    updated: checkPlaces,
  }),
}) as Check<Service>;
