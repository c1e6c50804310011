/** Gives ids types of their own, so that two kinds cannot be swapped. Costs nothing at run time. */
declare const kind: unique symbol;
type Id<Kind extends string> = string & { readonly [kind]: Kind };

/** 25 characters of base36, derived from the peer's public key. One peer, one node, one id. */
export type NodeId = Id<"node">;
export type ServiceId = Id<"service">;
export type TaskId = Id<"task">;
export type NetworkId = Id<"network">;
export type SecretId = Id<"secret">;
export type ConfigId = Id<"config">;
/** The engine's name of a volume. The cluster's record of it has no other id. */
export type VolumeName = Id<"volume">;
/** Names one proposal for ever, so that a retry is applied only once. */
export type ProposalId = Id<"proposal">;

const base36Digits = 25;

/**
 * Writes bytes as an id in the style of the Docker Engine API.
 *
 * Shape: at least 17 bytes in (further bytes do not fit into 25 base36 digits and are cut), 25 characters
 *        of [0-9a-z] out. Equal bytes give equal ids.
 */
export function base36(bytes: Uint8Array): string {
  let value = 0n;
  for (const byte of bytes.subarray(0, 17)) value = (value << 8n) | BigInt(byte);
  return value.toString(36).padStart(base36Digits, "0").slice(-base36Digits);
}
