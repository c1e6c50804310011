/** Seal: AES-256-GCM, so that only holders of a key can read or change the bytes. */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

const nonceBytes = 12;
const tagBytes = 16;

/** Shape: `key` is 32 bytes. `purpose` is not in the result; unseal() needs the same one. */
export function seal(key: Uint8Array, plain: Uint8Array, purpose = ""): Uint8Array {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(purpose));
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** Errors: plain ones, for another key, another purpose, or bytes that were changed. */
export function unseal(key: Uint8Array, sealed: Uint8Array, purpose = ""): Uint8Array {
  if (sealed.length < nonceBytes + tagBytes) throw new Error("sealed bytes are cut off");
  const nonce = sealed.subarray(0, nonceBytes);
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: tagBytes });
  decipher.setAAD(Buffer.from(purpose)).setAuthTag(sealed.subarray(-tagBytes));
  const body = sealed.subarray(nonceBytes, -tagBytes);
  return Uint8Array.from(Buffer.concat([decipher.update(body), decipher.final()]));
}
