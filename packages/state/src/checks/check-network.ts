/** Check of a network: its changes, and the whole object with the parts that the leader assigned. */
import { type Check, check, GamError, type NetworkId, type NodeId } from "@gam/core";
import type { NewNetwork } from "../log/change.ts";
import type { ChangeFields } from "../log/table-rule.ts";
import type { Network } from "../objects/network.ts";
import { checkIpam, readNetworkSpec } from "../specs/network-spec.ts";
import { anything, keeping, objectsMax, shortText, texts } from "./check-parts.ts";
import { readBy } from "./check-spec.ts";
import {
  aContainerName,
  anAddress,
  anId,
  anIndex,
  aRange,
  aTime,
  orEmpty,
} from "./field-checks.ts";

const { id, integer, list, map, optional, struct, where } = check;

const nodesMax = 65_536;
const attachmentsMax = 65_536;
const vniMax = 2 ** 24 - 1;

/**
 * A VNI that the leader assigns. Not 0: the network would count as unallocated and be allocated again and
 * again.
 */
const aVni = integer(1, vniMax);

type Config = Network["IPAM"]["Config"][number];

const checkGivenConfig = where(
  list(
    where(
      struct({ Subnet: aRange, IPRange: optional(aRange), Gateway: anAddress }) as Check<Config>,
      (config) => passes(config),
      "a subnet with its gateway in it",
    ),
    1,
  ),
  ({ length }) => length === 1,
  "one subnet",
);

/** The leader may assign only what a client may ask for, since a snapshot is checked by the same rules. */
function passes(config: Config): boolean {
  try {
    checkIpam(config);
    return true;
  } catch (thrown) {
    if (thrown instanceof GamError) return false;
    throw thrown;
  }
}

const checkAliases = list(aContainerName, 256);
/** "" removes a node's address. */
const checkGateways = map(orEmpty(anAddress), nodesMax, anId);

const extra = struct({
  vni: integer(0, vniMax),
  gateways: map(anAddress, nodesMax, anId),
  attachments: map(
    struct({
      node: id<NodeId>(),
      name: aContainerName,
      address: orEmpty(anAddress),
      wish: optional(anAddress),
      aliases: optional(checkAliases),
    }),
    attachmentsMax,
    anId,
  ),
});

/** Parsed again as by the peer that the client asked. Ignores all other fields. */
const read = (value: unknown, path: string): NewNetwork => {
  const { Id } = struct({ Id: id<NetworkId>() })(value, path);
  return readBy((body) => readNetworkSpec(body, Id))(value, path);
};

/** A client cannot set the parts that the leader assigns. */
const checkNewNetwork: Check<NewNetwork> = read;

const given = struct({ Version: struct({ Index: anIndex }), Created: aTime, Gam: extra });

export const checkNetwork: Check<Network> = (value, path) => {
  const { Version, Created, Gam } = given(value, path);
  const network = { ...read(value, path), Version, Created, Gam } as Network;
  if (Gam.vni === 0) return network;
  return { ...network, IPAM: { ...network.IPAM, Config: configOf(value, path) } };
};

function configOf(value: unknown, path: string): readonly Config[] {
  const { IPAM } = struct({ IPAM: struct({ Config: checkGivenConfig }) })(value, path);
  return IPAM.Config;
}

export const networkParts = keeping({
  Id: shortText,
  Name: shortText,
  IPAM: keeping({ Config: list(anything, 4096) }),
  Gam: keeping({ gateways: texts, attachments: map(anything, objectsMax) }),
});

export const networkFields: ChangeFields<"network"> = {
  createNetwork: { network: checkNewNetwork },
  removeNetwork: { id: id<NetworkId>() },
  allocateNetwork: { id: id<NetworkId>(), vni: aVni, config: checkGivenConfig },
  setGateways: { id: id<NetworkId>(), gateways: checkGateways },
  attachContainer: {
    network: id<NetworkId>(),
    key: anId,
    node: id<NodeId>(),
    name: aContainerName,
    wish: optional(anAddress),
    aliases: optional(checkAliases),
  },
  detachContainer: { network: id<NetworkId>(), key: anId },
  setAttachment: { id: id<NetworkId>(), key: anId, address: anAddress },
  refuseAttachment: { id: id<NetworkId>(), key: anId },
};
