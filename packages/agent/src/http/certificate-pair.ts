/**
 * Certificate pair: reads the chain and the key from the text of a secret.
 *
 * Caddy refuses a whole configuration for one bad certificate. So each is checked first, and a bad one costs only
 * its own sites.
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
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
  const [leaf] = chain.map(({ text }, at) => parse(text, at));
  if (leaf === undefined || !fits(leaf, key.text)) {
    throw bad(
      "the private key is not that of the first certificate: put the host's certificate first",
    );
  }
  return {
    chain: chain.map(({ text }) => `${text}\n`).join(""),
    key: `${key.text}\n`,
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

function fits(leaf: X509Certificate, key: string): boolean {
  try {
    return leaf.checkPrivateKey(createPrivateKey(key));
  } catch (thrown) {
    rethrowInvariant(thrown);
    throw bad(`its private key cannot be read: ${messageOf(thrown)}`, thrown);
  }
}

function bad(reason: string, cause?: unknown): GamError {
  return new GamError("BAD_REQUEST", reason, { cause });
}
