/**
 * TLSInfo: the root keys, in the Engine API's words.
 *
 * gam's certificates are not X.509. So what clients show as the root certificate is the bare public key, in
 * the usual wrapping (RFC 8410), and all root keys go by one name.
 */
import { base64, ed25519Der, fromBase64 } from "@gam/core";
import type { Cluster, Node } from "@gam/state";

/** DER of the distinguished name CN=gam. */
const subject = base64(Buffer.from("300e310c300a0603550403130367616d", "hex"));

interface TlsInfo {
  /** PEM: the root key that is trusted. */
  readonly TrustRoot?: string;
  /** base64 of DER, as the other. */
  readonly CertIssuerSubject?: string;
  /** The root key that certificates are of. */
  readonly CertIssuerPublicKey?: string;
}

/** While the root key is being replaced, nodes are to have certificates of the next one. */
export function clusterTlsInfo({ RootPublicKey, NextRoot }: Cluster): TlsInfo {
  return tlsInfo(RootPublicKey, NextRoot?.PublicKey ?? RootPublicKey);
}

export function nodeTlsInfo({ Gam }: Node, cluster: Cluster | undefined): TlsInfo {
  if (cluster === undefined || Gam.root === undefined) return {};
  const { RootPublicKey, NextRoot } = cluster;
  // One that was never agreed upon is nobody's business.
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
