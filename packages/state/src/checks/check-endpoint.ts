/** Check of a service's ports and addresses: as a client asks for them, and as the leader assigns them. */
import { type Check, check, GamError } from "@gam/core";
import type { Endpoint, EndpointSpec, PortConfig } from "../objects/service.ts";
import { anAddress, anId, aPort, aText } from "./field-checks.ts";

const { list, literal, optional, struct, where } = check;

const portsMax = 4096;
const addressesMax = 256;

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
  } catch (thrown) {
    if (!(thrown instanceof GamError)) throw thrown;
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
