/**
 * Network spec: what a client may ask of a network of scope swarm, and the networks that are there
 * without anybody asking.
 */
import { GamError, type NetworkId } from "@gam/core";
import type { NewNetwork } from "./change.ts";
import { isAddress, isInside, isRange } from "./cidr.ts";
import { flag, labels, list, readBody, struct, text } from "./json-shape.ts";
import type { Network } from "./network.ts";
import { nameProblem } from "./swarm-name.ts";

const shape = struct("CreateRequest", {
  Name: text,
  Driver: text,
  Scope: text,
  EnableIPv6: flag,
  IPAM: struct("IPAM", {
    Driver: text,
    Options: labels,
    Config: list(
      struct("IPAMConfig", { Subnet: text, IPRange: text, Gateway: text }),
      {},
      "network.IPAMConfig",
    ),
  }),
  Internal: flag,
  Attachable: flag,
  Ingress: flag,
  ConfigOnly: flag,
  ConfigFrom: struct("ConfigReference", { Network: text }),
  Options: labels,
  Labels: labels,
});

/** Whether a create body asks for a network of the cluster, not of one engine. */
export function isClusterNetwork(body: unknown): boolean {
  const { Driver, Scope } = readBody(shape, body);
  return Driver === "overlay" || Scope === "swarm";
}

/** Nobody may take them: they are each engine's own, or will be the cluster's. */
const reservedNames = new Set(["bridge", "docker_gwbridge", "host", "ingress", "none"]);
const engineDrivers = new Set(["bridge", "host", "ipvlan", "macvlan", "null"]);

/**
 * A network of the cluster in its stored form.
 *
 * Errors: GamError BAD_REQUEST and NOT_FOUND in Swarm's words; NOT_SUPPORTED for kinds of networks
 *         that gam does not have.
 */
export function readNetworkSpec(body: unknown, id: NetworkId): NewNetwork {
  const read = readBody(shape, body);
  const { Name: name = "", Driver: driver = "overlay" } = read;
  const no = (what: string): never => {
    throw new GamError("NOT_SUPPORTED", `Cannot create network "${name}": ${what}`);
  };
  if (driver !== "overlay") {
    if (engineDrivers.has(driver)) no(`driver "${driver}" has no networks of scope swarm here`);
    throw new GamError("NOT_FOUND", `plugin "${driver}" not found`);
  }
  if (read.Scope !== undefined && read.Scope !== "swarm") {
    throw new GamError("BAD_REQUEST", `overlay networks are of scope swarm, not "${read.Scope}"`);
  }
  if (read.Ingress) no("there is no ingress network yet");
  if (read.ConfigOnly || read.ConfigFrom?.Network) no("configuration networks are of scope local");
  if (reservedNames.has(name)) {
    throw new GamError("REFUSED", `operation is not permitted on predefined ${name} network`);
  }
  const problem = nameProblem(name);
  if (problem !== undefined) {
    throw new GamError("BAD_REQUEST", `rpc error: code = InvalidArgument desc = ${problem}`);
  }
  for (const config of read.IPAM?.Config ?? []) checkIpam(config);
  return {
    ...networkUsual,
    Id: id,
    Name: name,
    Driver: driver,
    EnableIPv6: read.EnableIPv6 ?? false,
    IPAM: {
      Driver: read.IPAM?.Driver ?? "default",
      Options: read.IPAM?.Options ?? null,
      Config: read.IPAM?.Config ?? [],
    },
    Internal: read.Internal ?? false,
    Attachable: read.Attachable ?? false,
    Options: read.Options ?? null,
    Labels: read.Labels ?? {},
  };
}

type IpamConfig = Network["IPAM"]["Config"][number];

/** Otherwise it would be found out by the first node that makes the network, task by task. */
function checkIpam({ Subnet: subnet = "", IPRange: range, Gateway: gateway }: IpamConfig): void {
  const invalid = (problem: string): never => {
    const message = `rpc error: code = InvalidArgument desc = ipam configuration: ${problem}`;
    throw new GamError("BAD_REQUEST", message);
  };
  if (!isRange(subnet)) invalid(`invalid subnet ${subnet}`);
  if (range !== undefined) {
    if (!isRange(range)) invalid(`invalid range ${range}`);
    const [base = ""] = range.split("/");
    if (!isInside(base, subnet)) invalid(`subnet ${subnet} does not contain range ${range}`);
  }
  if (gateway !== undefined) {
    if (!isAddress(gateway)) invalid(`invalid gateway ${gateway}`);
    if (!isInside(gateway, subnet)) invalid(`subnet ${subnet} does not contain gateway ${gateway}`);
  }
}

const networkUsual = {
  Scope: "swarm",
  EnableIPv6: false,
  Internal: false,
  Attachable: false,
  Ingress: false,
  ConfigFrom: { Network: "" },
  ConfigOnly: false,
  Gam: { vni: 0, gateways: {}, attachments: {} },
} as const;

/**
 * Each engine's own `bridge` and `host`, so that services may name them. They are no objects of the
 * state, and their ids are their names: the same on every peer, and known to workers without a look-up.
 */
export const predefinedNetworks: readonly Network[] = ["bridge", "host"].map((name) => ({
  ...networkUsual,
  Id: name as NetworkId,
  Version: { Index: 0 },
  Name: name,
  Created: "1970-01-01T00:00:00Z",
  Driver: name,
  IPAM: { Driver: "", Options: null, Config: [] },
  Options: null,
  Labels: { "com.docker.swarm.predefined": "true" },
}));
