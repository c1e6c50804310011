/** DER of an Ed25519 public key up to the 32 bytes themselves. Source: RFC 8410, section 10. */
const head = Buffer.from("302a300506032b6570032100", "hex");

/** Shape: 32 bytes in, SubjectPublicKeyInfo out, which ends with them. */
export function ed25519Der(publicKey: Uint8Array): Buffer {
  return Buffer.concat([head, publicKey]);
}
