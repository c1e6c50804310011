/** HTTP proxy: the names by which its service and its folder are known on all hosts. */

/** The global service that runs the proxy. `gam http on` makes it. */
export const httpProxyName = "gam-http";
/** In memory, at the same path on each host and in the proxy's container. */
export const httpFolder = "/run/gam-http";
/** In it: what the proxy reads when it starts. */
export const httpConfigFile = "caddy.json";
