/** Node change: the effect of each change on a node and on other objects, and why a change is refused. */
import { unreachable } from "@gam/core";
import type { ChangeOf, NewNode, Refusal } from "../log/change.ts";
import { firstDialect } from "../log/dialect.ts";
import { born, moved, type Occasion } from "../log/occasion.ts";
import type { Event, View } from "../log/view.ts";
import { hostOf } from "../objects/host-of.ts";
import { claimed } from "../objects/member-claims.ts";
import { isDescribed, type Node } from "../objects/node.ts";
import { networkWithout } from "./network-change.ts";
import { missing, stale } from "./refusal.ts";
import { freedByNode } from "./volumes/volume-change.ts";

type Change = ChangeOf<"node">;
type Claim = Extract<Change, { readonly kind: "joinNode" | "describeNode" }>;

export function nodeRefusal(view: View, change: Change): Refusal | undefined {
  switch (change.kind) {
    case "updateNode":
      return stale(view.node(change.id), change.basedOn, `node ${change.id}`);
    case "removeNode":
      return missing(view.node(change.id), `node ${change.id}`) ?? moot(view, change);
    case "joinNode":
      return tooOldToJoin(view, change.node);
    case "describeNode":
      return downgraded(view.node(change.id), change.dialect);
    case "judgeNode":
    case "setTunnel":
      return undefined;
    default:
      unreachable(change);
  }
}

/** The joining peer could not read changes that are in the log already. */
function tooOldToJoin({ dialect }: View, { Gam }: NewNode): Refusal | undefined {
  const spoken = Gam.dialect ?? firstDialect;
  if (spoken >= dialect) return undefined;
  const message =
    `gam on this host is too old to join: it reads dialect ${spoken} of the log, and the cluster uses ${dialect}. ` +
    "Upgrade gam on this host and join again";
  return { code: "REFUSED", message };
}

/** Other members rely on a dialect once a member has reported it. */
function downgraded(node: Node | undefined, spoken = firstDialect): Refusal | undefined {
  const before = node?.Gam.dialect ?? firstDialect;
  if (spoken >= before) return undefined;
  const message =
    `gam on this host is older than before: it reads dialect ${spoken} of the log, and said ${before}. ` +
    "Start the newer version again";
  return { code: "REFUSED", message };
}

/** The node is not in the state that the removal requires any more. */
function moot(
  view: View,
  { id, onlyIf }: Extract<Change, { kind: "removeNode" }>,
): Refusal | undefined {
  const node = view.node(id);
  if (node === undefined || onlyIf === undefined) return undefined;
  if (onlyIf === "down") {
    if (node.Status.State === "down") return undefined;
    return { code: "IN_USE", message: `node ${id} is not down and can't be removed` };
  }
  if (!isDescribed(node)) return undefined;
  return { code: "IN_USE", message: `node ${id} has arrived and can't be removed` };
}

/** As TableRule.after. */
export function nodeAfter(node: Node | undefined, change: Change, on: Occasion): Node | undefined {
  if (change.kind === "joinNode") return claimedBy(node, change, on)[0];
  if (node === undefined) return undefined;
  switch (change.kind) {
    case "updateNode":
      return { ...node, ...moved(on), Spec: change.spec };
    case "describeNode":
      return claimedBy(node, change, on)[0];
    case "judgeNode": {
      const Status = { ...change.status, Addr: node.Status.Addr };
      // The engine report of a lost node is out of date: the node has to report again.
      const engine =
        Status.State === "down" ? { ready: false, reason: Status.Message ?? "" } : node.Gam.engine;
      // Set here and not from the node's own report, because the judge compares it with its own clock.
      const engineLostAtMs = engine.ready ? 0 : node.Gam.engineLostAtMs || on.atMs;
      const Gam = { ...node.Gam, engine, engineLostAtMs };
      return { ...node, UpdatedAt: on.at, Status, Gam };
    }
    case "setTunnel": {
      if (on.view.nodes().some(({ Gam }) => Gam.tunnel === change.address)) return node;
      const Gam = { ...node.Gam, tunnel: change.address };
      return { ...node, UpdatedAt: on.at, Gam };
    }
    case "removeNode":
      return undefined;
    default:
      unreachable(change);
  }
}

/** As TableRule.others: nodes that lose an address or a key, and networks and volumes that the removed node had a part in. */
export function movedByNode(node: Node | undefined, change: Change, on: Occasion): Event[] {
  switch (change.kind) {
    case "joinNode":
    case "describeNode":
      return claimedBy(node, change, on)
        .slice(1)
        .map((loser): Event => {
          const before = on.view.node(loser.ID);
          return {
            table: "node",
            ...(before && { before }),
            after: { ...loser, UpdatedAt: on.at },
          };
        });
    case "removeNode": {
      const networks = on.view.networks().flatMap((before): Event[] => {
        const after = networkWithout(before, change.id);
        return after === undefined ? [] : [{ table: "network", before, after }];
      });
      return node === undefined ? networks : [...networks, ...freedByNode(node, on)];
    }
    default:
      return [];
  }
}

/** Returns: the node with those claims that it may have, then the other nodes that lose a claim to it. */
function claimedBy(node: Node | undefined, change: Claim, on: Occasion): readonly Node[] {
  const said = change.kind === "joinNode" ? joined(node, change, on) : described(node, change, on);
  return said === undefined ? [] : claimed(said, on.view.nodes());
}

function joined(
  known: Node | undefined,
  { node }: Extract<Change, { kind: "joinNode" }>,
  on: Occasion,
): Node {
  const meta = known === undefined ? born(on) : moved(on);
  const Spec = known === undefined ? node.Spec : known.Spec;
  return { CreatedAt: on.at, ...known, ...node, ...meta, Spec };
}

function described(
  node: Node | undefined,
  change: Extract<Change, { kind: "describeNode" }>,
  { at }: Occasion,
): Node | undefined {
  if (node === undefined) return undefined;
  const { description: Description, addresses, engine, network, root, dialect, version } = change;
  const engineLostAtMs = engine.ready ? 0 : node.Gam.engineLostAtMs;
  const spoken = {
    ...(dialect !== undefined && { dialect }),
    ...(version !== undefined && { version }),
  };
  const said = { addresses, engine, network, ...(root !== undefined && { root }), ...spoken };
  const Gam = { ...node.Gam, ...said, engineLostAtMs };
  const Status = { ...node.Status, Addr: hostOf(addresses[0] ?? node.Status.Addr) };
  return { ...node, UpdatedAt: at, Description, Gam, Status };
}
