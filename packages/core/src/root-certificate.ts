/**
 * Root certificate: a root key as the X.509 certificate that clients of Swarm expect.
 *
 * It follows from the key alone, so that every peer shows the same one. gam's own certificates are not X.509, and
 * nothing in gam reads this one. It never expires by itself: a root key is replaced, not renewed.
 *
 * Source: RFC 5280, section 4.1; RFC 8410 for Ed25519.
 */
import { base64 } from "./bytes.ts";
import { ed25519Der } from "./ed25519.ts";

/** DER of the distinguished name CN=gam. */
export const rootSubject = Buffer.from("300e310c300a0603550403130367616d", "hex");

const ed25519Algorithm = Buffer.from("300506032b6570", "hex");
const version3 = Buffer.from("a003020102", "hex");
const validity = sequence(
  tagged(0x17, Buffer.from("000101000000Z")),
  // "No well-defined expiration date".
  tagged(0x18, Buffer.from("99991231235959Z")),
);
/** Critical: the key signs certificates and revocation lists. */
const keyUsage = Buffer.from("300e0603551d0f0101ff040403020106", "hex");
/** Critical: a certificate authority. */
const authority = Buffer.from("300f0603551d130101ff040530030101ff", "hex");
const keyIdHead = Buffer.from("301d0603551d0e04160414", "hex");
const keyIdBytes = 20;
const serialBytes = 16;

/** Returns: what the root key signs. Shape: `publicKey` is 32 bytes of Ed25519. */
export function rootCertificateBody(publicKey: Uint8Array): Buffer {
  const serial = Buffer.from(publicKey.subarray(0, serialBytes));
  // A serial number is positive and has no leading zeros.
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  const keyId = Buffer.concat([keyIdHead, publicKey.subarray(0, keyIdBytes)]);
  return sequence(
    version3,
    tagged(0x02, serial),
    ed25519Algorithm,
    rootSubject,
    validity,
    rootSubject,
    ed25519Der(publicKey),
    tagged(0xa3, sequence(keyUsage, authority, keyId)),
  );
}

/** Returns: the certificate, PEM. Shape: `signature` is the root key's own, over rootCertificateBody(). */
export function rootCertificatePem(publicKey: Uint8Array, signature: Uint8Array): string {
  const bits = tagged(0x03, Buffer.concat([Buffer.of(0), signature]));
  const der = sequence(rootCertificateBody(publicKey), ed25519Algorithm, bits);
  const lines = base64(der).match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

function sequence(...parts: readonly Uint8Array[]): Buffer {
  return tagged(0x30, Buffer.concat(parts));
}

function tagged(tag: number, content: Uint8Array): Buffer {
  const { length } = content;
  const head =
    length < 128
      ? [tag, length]
      : length < 256
        ? [tag, 0x81, length]
        : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), content]);
}
