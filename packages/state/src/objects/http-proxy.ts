/** HTTP proxy: the names by which its service and its folder are known on all hosts. */

/** The global service that runs the proxy. `gam http on` makes it. */
export const httpProxyName = "gam-http";
/** In memory, at the same path on each host and in the proxy's container. */
export const httpFolder = "/run/gam-http";
/** In it: what the proxy reads when it starts. */
export const httpConfigFile = "caddy.json";

/** The config that says how to get certificates by ACME (acme-settings). `gam http on --email` makes it. */
export const acmeSettingsName = "gam-http-acme";
/** The secret with the account. */
export const acmeAccountName = "gam-http-acme-account";

/** Labels of secrets and configs that the leader makes while it gets certificates. */
export const acmeLabel = {
  /** Of a secret: the name that its certificate is for. */
  certificate: "gam.http.certificate",
  /** Of such a secret: when to get the next one. RFC 3339. */
  renew: "gam.http.renew",
  /** Of a config: the token of a challenge. Its data is the answer. */
  challenge: "gam.http.challenge",
  /** Of a config: the name for which no certificate could be got. Its data is the reason. */
  failed: "gam.http.failed",
  /** Of such a config: how often in a row, and when to try again. RFC 3339. */
  failures: "gam.http.failures",
  again: "gam.http.again",
} as const;
