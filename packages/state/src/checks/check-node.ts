/** Check of a node: its changes and the whole object. */
import { type Check, check, type NodeId } from "@gam/core";
import type { NewNode } from "../log/change.ts";
import type { ChangeFields } from "../log/table-rule.ts";
import {
  type EngineHealth,
  type GenericResource,
  type Node,
  type NodeDescription,
  type NodeNetwork,
  type NodeStatus,
  tunnelRange,
} from "../objects/node.ts";
import { anything, keeping, shortText, someList, texts } from "./check-parts.ts";
import { checkNodeSpec } from "./check-spec.ts";
import {
  aDialect,
  aHost,
  aHostname,
  aHostPort,
  aKey,
  aMessage,
  aMoment,
  anIndex,
  aRoute,
  aSize,
  aText,
  aTime,
  aTunnelAddress,
  aVersion,
  labels,
  orEmpty,
} from "./field-checks.ts";

const { boolean, id, integer, list, literal, optional, struct } = check;

/** Larger than any frame: the loopback device reports 65536. */
const mtuMax = 2 ** 17;
const routesMax = 4096;
const addressesMax = 64;

const genericResource = struct({
  NamedResourceSpec: optional(struct({ Kind: aText, Value: aText })),
  DiscreteResourceSpec: optional(struct({ Kind: aText, Value: aSize })),
});
export const genericResources = list(genericResource, 4096) as Check<GenericResource[]>;

const checkDescription = struct({
  Hostname: aHostname,
  Platform: struct({ Architecture: aText, OS: aText }),
  Resources: struct({
    NanoCPUs: aSize,
    MemoryBytes: aSize,
    GenericResources: optional(genericResources),
  }),
  Engine: struct({
    EngineVersion: aText,
    Labels: labels,
    Plugins: list(struct({ Type: aText, Name: aText }), 4096),
  }),
}) as Check<NodeDescription>;

const checkAddresses = list(aHostPort, addressesMax);
const checkEngine = struct({ ready: boolean, reason: aMessage }) as Check<EngineHealth>;
const checkNodeNetwork = struct({
  mtu: integer(0, mtuMax),
  routes: list(aRoute, routesMax),
  encryption: literal("kernel", "userspace", "none"),
  publicKey: orEmpty(aKey),
  problem: aMessage,
}) as Check<NodeNetwork>;

const state = literal("unknown", "down", "ready", "disconnected");
const checkJudgement = struct({ State: state, Message: optional(aMessage) }) as Check<
  Omit<NodeStatus, "Addr">
>;

const parts = {
  ID: id<NodeId>(),
  Spec: checkNodeSpec,
  Description: checkDescription,
  Status: struct({ State: state, Message: optional(aMessage), Addr: orEmpty(aHost) }),
  Gam: struct({
    addresses: checkAddresses,
    engine: checkEngine,
    engineLostAtMs: aMoment,
    network: optional(checkNodeNetwork),
    tunnel: optional(aTunnelAddress(tunnelRange)),
    root: optional(aKey),
    dialect: optional(aDialect),
    version: optional(aVersion),
  }),
};

/** Only the leader assigns a tunnel address. */
const checkNewNode = check.where(
  struct(parts) as Check<NewNode>,
  ({ Gam }) => Gam.tunnel === undefined,
  "a node without a tunnel address",
);

export const checkNode = struct({
  ...parts,
  Version: struct({ Index: anIndex }),
  CreatedAt: aTime,
  UpdatedAt: aTime,
}) as Check<Node>;

export const nodeParts = keeping({
  ID: shortText,
  Spec: keeping({ Labels: texts }),
  Description: keeping({
    Hostname: check.string(),
    Platform: anything,
    Resources: anything,
    Engine: keeping({ Labels: texts, Plugins: someList }),
  }),
  Status: keeping({ State: shortText, Addr: check.string() }),
  Gam: keeping({ addresses: list(check.string(), 4096), engine: anything }),
});

export const nodeFields: ChangeFields<"node"> = {
  joinNode: { node: checkNewNode },
  updateNode: { id: id<NodeId>(), spec: checkNodeSpec, basedOn: anIndex },
  removeNode: { id: id<NodeId>(), onlyIf: optional(literal("down", "undescribed")) },
  describeNode: {
    id: id<NodeId>(),
    description: checkDescription,
    addresses: checkAddresses,
    engine: checkEngine,
    network: checkNodeNetwork,
    root: optional(aKey),
    dialect: optional(aDialect),
    version: optional(aVersion),
  },
  judgeNode: { id: id<NodeId>(), status: checkJudgement },
  setTunnel: { id: id<NodeId>(), address: aTunnelAddress(tunnelRange) },
};
