/**
 * TLSInfo: the root keys in the form of the Engine API.
 *
 * gam's certificates are not X.509. So clients see the bare public key as the root certificate, in the usual
 * wrapping (RFC 8410), and all root keys have the same subject.
 */
import { base64, ed25519Der, fromBase64 } from "@gam/core";
import type { Cluster, Node } from "@gam/state";

/** DER of the distinguished name CN=gam. */
const subject = base64(Buffer.from("300e310c300a0603550403130367616d", "hex"));

interface TlsInfo {
  /** PEM: the root key that is trusted. */
  readonly TrustRoot?: string;
  /** base64 of DER, like the issuer's key. */
  readonly CertIssuerSubject?: string;
  /** The root key that signs certificates. */
  readonly CertIssuerPublicKey?: string;
}

/**
 * While the root key is being replaced, the issuer is the next root key, which nodes should have certificates
 * of.
 */
export function clusterTlsInfo({ RootPublicKey, NextRoot }: Cluster): TlsInfo {
  return tlsInfo(RootPublicKey, NextRoot?.PublicKey ?? RootPublicKey);
}

export function nodeTlsInfo({ Gam }: Node, cluster: Cluster | undefined): TlsInfo {
  if (cluster === undefined || Gam.root === undefined) return {};
  const { RootPublicKey, NextRoot } = cluster;
  // Never show a root key that the cluster has not committed.
  return tlsInfo(RootPublicKey, Gam.root === NextRoot?.PublicKey ? Gam.root : RootPublicKey);
}

/** Keys in base64. */
function tlsInfo(trusted: string, issuer: string): TlsInfo {
  return {
    TrustRoot: `-----BEGIN PUBLIC KEY-----\n${wrapped(trusted)}\n-----END PUBLIC KEY-----\n`,
    CertIssuerSubject: subject,
    CertIssuerPublicKey: wrapped(issuer),
  };
}

function wrapped(key: string): string {
  return base64(ed25519Der(fromBase64(key)));
}
