/** Network change: the effect of each change on a network. network-refusal.ts decides whether it is refused. */
import { type NodeId, unreachable } from "@gam/core";
import type { ChangeOf } from "../log/change.ts";
import type { Occasion } from "../log/occasion.ts";
import type { View } from "../log/view.ts";
import { overlaps } from "../objects/addresses/cidr.ts";
import type { Attachment, Network } from "../objects/network.ts";

type Change = ChangeOf<"network">;

/** As TableRule.after. */
export function networkAfter(
  network: Network | undefined,
  change: Change,
  { view, index, at }: Occasion,
): Network | undefined {
  if (change.kind === "createNetwork") {
    return { ...change.network, Version: { Index: index }, Created: at };
  }
  if (network === undefined) return undefined;
  const extra = network.Gam;
  const moved = (Gam: Network["Gam"]): Network => ({ ...network, Gam });
  switch (change.kind) {
    case "removeNetwork":
      return undefined;
    case "allocateNetwork":
      if (extra.vni !== 0 || clashes(network, change, view)) return network;
      return {
        ...moved({ ...extra, vni: change.vni }),
        IPAM: { ...network.IPAM, Config: change.config },
      };
    case "setGateways": {
      const gateways = Object.entries({ ...extra.gateways, ...change.gateways }).filter(
        ([node, address]) => address !== "" && view.node(node as NodeId) !== undefined,
      );
      return moved({ ...extra, gateways: Object.fromEntries(gateways) });
    }
    case "attachContainer": {
      const { key, node, name, wish, aliases = [] } = change;
      const known = extra.attachments[key];
      if (known !== undefined && (known.node !== node || hasNames(known, change))) return network;
      const sought = known === undefined ? wish : known.wish;
      const attachment = {
        node,
        name,
        address: known?.address ?? "",
        ...(sought !== undefined && { wish: sought }),
        ...(aliases.length > 0 && { aliases }),
      };
      return moved({ ...extra, attachments: { ...extra.attachments, [key]: attachment } });
    }
    case "setAttachment": {
      const known = extra.attachments[change.key];
      if (known === undefined || known.address !== "") return network;
      const attachment = { ...known, address: change.address };
      return moved({ ...extra, attachments: { ...extra.attachments, [change.key]: attachment } });
    }
    case "refuseAttachment":
    case "detachContainer": {
      if (extra.attachments[change.key] === undefined) return network;
      const { [change.key]: _, ...attachments } = extra.attachments;
      return moved({ ...extra, attachments });
    }
    default:
      unreachable(change);
  }
}

function hasNames(
  known: Attachment,
  { name, aliases = [] }: Extract<Change, { kind: "attachContainer" }>,
): boolean {
  return known.name === name && (known.aliases ?? []).join(" ") === aliases.join(" ");
}

/** Returns: the network without the removed node's part in it; undefined if the node had no part. */
export function networkWithout(network: Network, node: NodeId): Network | undefined {
  const { gateways, attachments, vni } = network.Gam;
  const others = Object.entries(attachments).filter(([, attachment]) => attachment.node !== node);
  const { [node]: gateway, ...rest } = gateways;
  if (gateway === undefined && others.length === Object.keys(attachments).length) return undefined;
  return { ...network, Gam: { vni, gateways: rest, attachments: Object.fromEntries(others) } };
}

/** Whether another network got this VNI or an overlapping subnet after the leader planned this. */
function clashes(
  network: Network,
  { vni, config }: Extract<Change, { kind: "allocateNetwork" }>,
  view: View,
): boolean {
  return view
    .networks()
    .some(
      (other) =>
        other.Id !== network.Id &&
        (other.Gam.vni === vni ||
          other.IPAM.Config.some(({ Subnet: theirs = "" }) =>
            config.some(({ Subnet: ours = "" }) => overlaps(ours, theirs)),
          )),
    );
}
