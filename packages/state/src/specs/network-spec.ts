/**
 * Network spec: what a client may ask for in a network of scope swarm, and the networks that exist by default.
 */
import { GamError, type NetworkId } from "@gam/core";
import type { NewNetwork } from "../log/change.ts";
import { endsOf, isAddress, isInside, isRange } from "../objects/addresses/cidr.ts";
import type { Labels } from "../objects/meta.ts";
import type { Network } from "../objects/network.ts";
import { flag, labels, list, readBody, struct, text } from "./json-shape.ts";
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

/** Returns: the network's name in a create body, and whether it asks for a network of the cluster or one engine. */
export function readNetworkKind(body: unknown): {
  readonly name: string;
  readonly ofCluster: boolean;
} {
  const { Name: name = "", Driver, Scope } = readBody(shape, body);
  return { name, ofCluster: Driver === "overlay" || Scope === "swarm" };
}

/** Names of each engine's own networks: no other network may have them. */
const reservedNames = new Set(["bridge", "docker_gwbridge", "host", "none"]);
const ingressName = "ingress";
const engineDrivers = new Set(["bridge", "host", "ipvlan", "macvlan", "null"]);

/** The largest subnet: more than any network needs. */
const prefixMin = 8;
/** The smallest subnet: room for its own addresses, a bridge, a service and some tasks. */
const prefixMax = 29;
/** The packet size that every IPv4 host must accept, and the maximum of the length field. */
const mtuMin = 576;
const mtuMax = 65_535;
const mtuOption = "com.docker.network.driver.mtu";
const vniOption = "com.docker.network.driver.overlay.vxlanid_list";

/**
 * Returns: a network of the cluster in its stored form.
 *
 * Errors: GamError BAD_REQUEST and NOT_FOUND in Swarm's words; NOT_SUPPORTED for kinds of networks that gam
 *         does not have.
 */
export function readNetworkSpec(body: unknown, id: NetworkId): NewNetwork {
  const read = readBody(shape, body);
  const { Name: name = "", Driver: driver = "overlay", Ingress: ingress = false } = read;
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
  if (read.ConfigOnly || read.ConfigFrom?.Network) no("configuration networks are of scope local");
  if (reservedNames.has(name) || (name === ingressName && !ingress)) {
    throw new GamError("REFUSED", `operation is not permitted on predefined ${name} network`);
  }
  const problem = nameProblem(name);
  if (problem !== undefined) invalid(problem);
  const configs = read.IPAM?.Config ?? [];
  const ip6 = read.EnableIPv6 || configs.some(({ Subnet = "" }) => Subnet.includes(":"));
  if (ip6) no("networks across hosts have IPv4 addresses only; leave out --ipv6 and IPv6 subnets");
  if (configs.length > 1)
    no("a network across hosts has one subnet; ask for one larger subnet instead");
  const { Driver: ipam = "default" } = read.IPAM ?? {};
  if (ipam !== "default")
    no(`addresses are given out by the cluster, not by IPAM driver "${ipam}"`);
  if (ingress && read.Attachable) no("an ingress network takes no plain containers");
  for (const config of configs) checkIpam(config);
  const options = readOptions(read.Options ?? {}, no);
  return {
    ...networkUsual,
    Id: id,
    Name: name,
    Driver: driver,
    IPAM: { Driver: ipam, Options: read.IPAM?.Options ?? null, Config: configs },
    Internal: read.Internal ?? false,
    Attachable: read.Attachable ?? false,
    Ingress: ingress,
    Options: Object.keys(options).length === 0 ? null : options,
    Labels: read.Labels ?? {},
  };
}

/** Returns: the network of published ports, which each cluster starts with. */
export function newIngressNetwork(id: NetworkId): NewNetwork {
  return readNetworkSpec({ Name: ingressName, Driver: "overlay", Ingress: true }, id);
}

/** Whether the network's packets must never leave a host unencrypted. */
export function demandsEncryption({ Options }: Pick<Network, "Options">): boolean {
  return Options !== null && Object.hasOwn(Options, encryptedOption);
}

const encryptedOption = "encrypted";

/** Options without a meaning here are kept unchanged, as in Swarm. */
function readOptions(read: Labels, no: (what: string) => never): Labels {
  const { [encryptedOption]: encrypted, ...options } = read;
  const { [mtuOption]: mtu } = options;
  if (options[vniOption] !== undefined) no("VXLAN identifiers are given out by the cluster");
  if (mtu !== undefined && !(/^\d{1,5}$/.test(mtu) && +mtu >= mtuMin && +mtu <= mtuMax)) {
    invalid(`invalid value for option ${mtuOption}: "${mtu}" is not in ${mtuMin}-${mtuMax}`);
  }
  if (encrypted === undefined || encrypted === "false") return options;
  if (encrypted !== "" && encrypted !== "true") {
    invalid(`invalid value for option encrypted: "${encrypted}" is neither true nor false`);
  }
  // One form for one meaning: readers only test whether the option is present.
  return { ...options, [encryptedOption]: "" };
}

type IpamConfig = Network["IPAM"]["Config"][number];

/**
 * Checks a subnet's configuration. Otherwise the first node that creates the network would fail, task by task.
 */
export function checkIpam({
  Subnet: subnet = "",
  IPRange: range,
  Gateway: gateway,
}: IpamConfig): void {
  const wrong = (problem: string): never => invalid(`ipam configuration: ${problem}`);
  if (!isRange(subnet)) wrong(`invalid subnet ${subnet}`);
  const [, prefix] = subnet.split("/");
  const [first, last] = endsOf(subnet);
  if (!subnet.startsWith(`${first}/`)) {
    wrong(`invalid subnet ${subnet}: it should be ${first}/${prefix}`);
  }
  if (Number(prefix) < prefixMin || Number(prefix) > prefixMax) {
    wrong(`invalid subnet ${subnet}: a prefix is from /${prefixMin} to /${prefixMax}`);
  }
  if (range !== undefined) {
    if (!isRange(range)) wrong(`invalid range ${range}`);
    const [base = "", length] = range.split("/");
    if (!isInside(base, subnet) || Number(length) < Number(prefix))
      wrong(`subnet ${subnet} does not contain range ${range}`);
  }
  if (gateway !== undefined) {
    if (!isAddress(gateway)) wrong(`invalid gateway ${gateway}`);
    if (!isInside(gateway, subnet)) wrong(`subnet ${subnet} does not contain gateway ${gateway}`);
    if (gateway === first || gateway === last) wrong(`invalid gateway ${gateway}`);
  }
}

function invalid(problem: string): never {
  throw new GamError("BAD_REQUEST", `rpc error: code = InvalidArgument desc = ${problem}`);
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
 * Each engine's own `bridge` and `host`, so that services may name them. They are not objects of the state.
 * Their ids are their names: the same on every peer, and known to workers without a look-up.
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
