/**
 * Holdings: which addresses an object of the state holds.
 *
 * A service holds its VIPs; a network its bridges' addresses and those of its plain containers; a task the
 * addresses of its attachments, until it has ended. When a task should stop and its node is down, it holds its
 * addresses until the leader frees them. It never gets them back, since nobody can tell whether it still runs, and
 * the node may come back.
 */
import type { NetworkId } from "@gam/core";
import { isTerminal, type Network, type Service, type Task } from "@gam/state";
import { numberOf } from "../plan/subnet.ts";
import type { Holding } from "./address-book.ts";

export function holdingsOfTask(task: Task): readonly Holding[] {
  const { attachments } = task.Gam;
  if (attachments.length === 0 || isTerminal(task.Status.State)) return [];
  const node = task.NodeID;
  return attachments.map(({ network, address }) => ({
    network,
    number: numberOf(address),
    ...(node === undefined ? { roams: true } : { node }),
  }));
}

export function holdingsOfService({ Endpoint }: Service): readonly Holding[] {
  return (Endpoint.VirtualIPs ?? []).map(({ NetworkID, Addr }) => ({
    network: NetworkID as NetworkId,
    number: numberOf((Addr ?? "").split("/")[0] ?? ""),
  }));
}

export function holdingsOfNetwork({ Id: network, Gam }: Network): readonly Holding[] {
  return [
    ...Object.values(Gam.gateways).map((address) => ({ network, number: numberOf(address) })),
    ...Object.values(Gam.attachments).map(({ address, node }) => ({
      network,
      number: numberOf(address),
      node,
    })),
  ];
}
