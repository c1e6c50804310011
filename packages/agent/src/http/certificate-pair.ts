/**
 * Certificate pair: reads the chain and the key from the text of a secret.
 *
 * Caddy refuses a whole configuration for one bad certificate. So each is checked first, and a bad one costs only
 * its own sites.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { GamError, messageOf, rethrowInvariant } from "@gam/core";
import type { CertificatePair } from "@gam/network";

export interface ReadPair extends CertificatePair {
  /** Of the first certificate. Milliseconds since 1970. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Whether the first certificate is for the name. */
  readonly isFor: (host: string) => boolean;
  readonly issuer: string;
}

/** What Caddy reads as well. Source: Go's crypto/x509 and crypto/tls. */
const curves = ["prime256v1", "secp384r1", "secp521r1"];
const rsaBitsMin = 2048;

const block = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]+?-----END \1-----/g;

/** Errors: BAD_REQUEST, with what is wrong and what to do. */
export function readPair(data: Uint8Array): ReadPair {
  const blocks = [...Buffer.from(data).toString("latin1").matchAll(block)].map(([text, kind]) => {
    return { kind: kind ?? "", text };
  });
  const chain = blocks.filter(({ kind }) => kind === "CERTIFICATE");
  const keys = blocks.filter(({ kind }) => kind.endsWith("PRIVATE KEY"));
  const [first] = chain;
  const [key] = keys;
  const advice = "put the certificate, those that signed it, and its key into one file, all as PEM";
  if (first === undefined) throw bad(`it has no certificate: ${advice}`);
  if (key === undefined) throw bad(`it has no private key: ${advice}`);
  if (keys.length > 1)
    throw bad(`it has ${keys.length} private keys: keep the one of the certificate`);
  const parsed = chain.map(({ text }, at) => parse(text, at));
  const [leaf] = parsed;
  const secret = parseKey(key.text);
  if (leaf === undefined || !leaf.checkPrivateKey(secret)) {
    throw bad(
      "the private key is not that of the first certificate: put the host's certificate first",
    );
  }
  if (!isCommon(secret)) {
    throw bad(
      "its key is of a kind that the proxy does not know: use RSA of 2048 bits or more, ECDSA with P-256, P-384 or P-521, or Ed25519",
    );
  }
  return {
    // Written anew: texts that this reader takes may be none for Caddy.
    chain: parsed.map(String).join(""),
    key: String(secret.export({ type: "pkcs8", format: "pem" })),
    notBeforeMs: Date.parse(leaf.validFrom),
    notAfterMs: Date.parse(leaf.validTo),
    isFor: (host) => leaf.checkHost(host.replace(/^\*/, "star")) !== undefined,
    issuer: /(?:^|\n)(?:CN|O)=(.+)/.exec(leaf.issuer)?.[1] ?? "",
  };
}

function parse(text: string, at: number): X509Certificate {
  try {
    return new X509Certificate(text);
  } catch (thrown) {
    rethrowInvariant(thrown);
    throw bad(`its certificate ${at + 1} cannot be read: ${messageOf(thrown)}`, thrown);
  }
}

function parseKey(text: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch (thrown) {
    rethrowInvariant(thrown);
    throw bad(`its private key cannot be read: ${messageOf(thrown)}`, thrown);
  }
}

function isCommon({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject): boolean {
  if (type === "ec") return curves.includes(details?.namedCurve ?? "");
  return type === "ed25519" || (type === "rsa" && (details?.modulusLength ?? 0) >= rsaBitsMin);
}

function bad(reason: string, cause?: unknown): GamError {
  return new GamError("BAD_REQUEST", reason, { cause });
}
