/**
 * Certificate request: a PKCS #10 request for one name, with a new key.
 *
 * Source: RFC 2986, RFC 5280 (subjectAltName); DER by X.690.
 */
import { generateKeyPairSync, sign } from "node:crypto";

export interface CertificateRequest {
  readonly der: Buffer;
  /** PEM. */
  readonly key: string;
}

const oid = {
  /** ecdsa-with-SHA256 */
  signature: "06082a8648ce3d040302",
  /** extensionRequest of PKCS #9 */
  extensions: "06092a864886f70d01090e",
  /** subjectAltName */
  names: "0603551d11",
};

export function certificateRequest(host: string): CertificateRequest {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  // [2] in GeneralName: dNSName.
  const names = der(0x30, der(0x82, Buffer.from(host, "latin1")));
  const extension = der(0x30, hex(oid.names), der(0x04, names));
  const extensions = der(0x30, hex(oid.extensions), der(0x31, der(0x30, extension)));
  const info = der(
    0x30,
    hex("020100"),
    der(0x30), // No subject: authorities read the names.
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa0, extensions),
  );
  const signature = sign("sha256", info, privateKey);
  const whole = der(
    0x30,
    info,
    der(0x30, hex(oid.signature)),
    der(0x03, Buffer.from([0]), signature),
  );
  return { der: whole, key: String(privateKey.export({ type: "pkcs8", format: "pem" })) };
}

function hex(text: string): Buffer {
  return Buffer.from(text, "hex");
}

/** One value of DER. */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}
