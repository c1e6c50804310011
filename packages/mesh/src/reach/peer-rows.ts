/** Peer rows: the connection table, for people. */
import type { NodeId } from "@gam/core";
import type { PeerRow } from "../trust/door.ts";
import type { Links } from "../wire/link.ts";
import type { Messages } from "../wire/messages.ts";
import type { Contacts } from "./contacts.ts";
import type { Dialer } from "./dialer.ts";

export interface PeerRowsParts {
  /** By the monotonic clock. */
  readonly nowMs: number;
  readonly links: Pick<Links, "all" | "to">;
  readonly contacts: Pick<Contacts, "ids" | "addressesOf" | "changedMs">;
  readonly dialer: Pick<Dialer, "isRefused">;
  readonly messages: Pick<Messages, "trafficOf">;
}

/** One row for each peer that is wanted or connected, by node id. */
export function peerRows(parts: PeerRowsParts): PeerRow[] {
  const { links, contacts } = parts;
  const ids = new Set([...contacts.ids(), ...links.all().map(({ nodeId }) => nodeId)]);
  return [...ids].sort().map((nodeId) => rowOf(nodeId, parts));
}

function rowOf(nodeId: NodeId, parts: PeerRowsParts): PeerRow {
  const { nowMs, links, contacts, dialer, messages } = parts;
  const link = links.to(nodeId);
  const addresses = contacts.addressesOf(nodeId);
  const unlinked = dialer.isRefused(nodeId) ? "refused" : "connecting";
  const state = link === undefined ? unlinked : link.silent ? "silent" : "connected";
  const sinceMs = link?.openedMs ?? contacts.changedMs(nodeId) ?? nowMs;
  return {
    nodeId,
    role: link?.certificate.role,
    address: link?.address ?? addresses[0],
    addresses,
    state,
    rttMs: link?.rttMs,
    sinceMs: nowMs - sinceMs,
    ...messages.trafficOf(nodeId),
  };
}
