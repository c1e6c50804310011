/** Seal: sealed bytes, and the keys for them. */
import { hkdfSync } from "node:crypto";

export { seal, unseal } from "@gam/files";

/** Returns: 32 bytes that follow from `from` for one purpose and no other. */
export function derivedKey(from: Uint8Array, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", from, "", purpose, 32));
}
