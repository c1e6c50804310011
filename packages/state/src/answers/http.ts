/** Answers about HTTP by name: `GET /gam/v1/http`, and the service that runs the proxy. */
import { type Check, check } from "@gam/core";
import { httpConfigFile, httpFolder, httpProxyName } from "../objects/http-proxy.ts";

export { acmeSettingsName, httpProxyName } from "../objects/http-proxy.ts";

export interface HttpReport {
  /** Null while the proxy is off. */
  readonly proxy: {
    readonly image: string;
    readonly running: number;
    /** Hosts that should run one. */
    readonly wanted: number;
  } | null;
  readonly sites: readonly HttpSiteReport[];
  /** Sentences for people. */
  readonly problems: readonly string[];
}

export interface HttpSiteReport {
  readonly host: string;
  /** "" for all paths. */
  readonly path: string;
  /** "" for a name that is redirected. */
  readonly service: string;
  /** The name to which clients are sent; "" for none. */
  readonly redirect: string;
  /** The secret with the certificate; "" for plain HTTP. */
  readonly secret: string;
  /** RFC 3339; "" where there is no certificate that can be used. */
  readonly notAfter: string;
  readonly problem: string;
}

const sitesMax = 100_000;
const problemsMax = 1000;

/** Errors: BAD_FRAME with the path of what is wrong. */
export const checkHttpReport: Check<HttpReport> = check.object({
  proxy: check.orNull(
    check.object({ image: check.string(), running: check.integer(), wanted: check.integer() }),
  ),
  sites: check.list(
    check.object({
      host: check.string(),
      path: check.string(),
      service: check.string(),
      redirect: check.string(),
      secret: check.string(),
      notAfter: check.string(),
      problem: check.string(),
    }),
    sitesMax,
  ),
  problems: check.list(check.string(), problemsMax),
});

const second = 1e9;

/** Returns: the body of `POST /services/create` for the proxy. */
export function httpProxySpec(image: string): object {
  return {
    Name: httpProxyName,
    Mode: { Global: {} },
    TaskTemplate: {
      ContainerSpec: {
        Image: image,
        Command: ["caddy"],
        Args: ["run", "--config", `${httpFolder}/${httpConfigFile}`],
        // Caddy wants a home, and keeps nothing in it.
        Env: ["HOME=/tmp"],
        Mounts: [{ Type: "bind", Source: httpFolder, Target: httpFolder }],
      },
      Networks: [{ Target: "host" }],
      RestartPolicy: { Condition: "any", Delay: second },
    },
  };
}
