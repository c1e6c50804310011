/**
 * TLSInfo: the root keys in the form of the Engine API.
 *
 * gam's own certificates are not X.509. Clients see a root key as a self-signed X.509 certificate; all root keys
 * have the same subject.
 */
import { base64, ed25519Der, fromBase64, rootCertificatePem, rootSubject } from "@gam/core";
import type { Cluster, Node } from "@gam/state";

interface TlsInfo {
  /** PEM: the certificate of the root key that is trusted. */
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
export function clusterTlsInfo(cluster: Cluster): TlsInfo {
  return tlsInfo(cluster, cluster.NextRoot?.PublicKey ?? cluster.RootPublicKey);
}

export function nodeTlsInfo({ Gam }: Node, cluster: Cluster | undefined): TlsInfo {
  if (cluster === undefined || Gam.root === undefined) return {};
  const { RootPublicKey, NextRoot } = cluster;
  // Never show a root key that the cluster has not committed.
  return tlsInfo(cluster, Gam.root === NextRoot?.PublicKey ? Gam.root : RootPublicKey);
}

/** `issuer`: in base64. */
function tlsInfo({ RootPublicKey, RootSelfSignature }: Cluster, issuer: string): TlsInfo {
  const trusted = fromBase64(RootPublicKey);
  return {
    TrustRoot:
      RootSelfSignature === undefined
        ? bareKey(trusted)
        : rootCertificatePem(trusted, fromBase64(RootSelfSignature)),
    CertIssuerSubject: base64(rootSubject),
    CertIssuerPublicKey: base64(ed25519Der(fromBase64(issuer))),
  };
}

/** For a cluster of an older release: only its root key could sign the certificate, which the state does not have. */
function bareKey(publicKey: Uint8Array): string {
  const text = base64(ed25519Der(publicKey));
  return `-----BEGIN PUBLIC KEY-----\n${text}\n-----END PUBLIC KEY-----\n`;
}
