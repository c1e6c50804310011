/**
 * Caddy config: an HTTP plan as the JSON that Caddy takes.
 *
 * Caddy gets all of it and nothing else: it asks for no certificates, keeps no copy, and its own defaults for host
 * names are off. Equal plans give equal text.
 *
 * Source: caddyserver.com/docs/json, as of Caddy 2.6 (Debian 12).
 */
import { base64, type SecretId } from "@gam/core";
import type { HttpPlan, HttpRoute, HttpSite } from "./http-plan.ts";

/** PEM texts. */
export interface CertificatePair {
  readonly chain: string;
  readonly key: string;
}

export interface CaddyParts {
  /** Path of the Unix socket at which Caddy takes configurations. */
  readonly socket: string;
  /** Sites whose certificate is not among these are not served. */
  readonly certificates: ReadonlyMap<SecretId, CertificatePair>;
}

/** The `Host` of calls at the socket. What Caddy takes by default is another one in each version. */
export const caddyAdminHost = "gam";

type Json = Readonly<Record<string, unknown>>;

/** A task may be gone a moment before its host knows: then another one is asked. */
const dialTimeout = "2s";
const tryDuration = "5s";
const tryInterval = "100ms";
/** As in a service's id: enough to tell the services of one name apart. */
const cookieIdLength = 8;

/** Returns: the body of `POST /load`. */
export function caddyConfig(
  { sites, challenges }: HttpPlan,
  { socket, certificates }: CaddyParts,
): string {
  const secure = sites.filter((site) => {
    const secret = secretOf(site);
    return secret !== undefined && certificates.has(secret);
  });
  const servers: Record<string, Json> = {
    plain: server(80, {
      protocols: ["h1"],
      routes: [
        ...challenges.map(challengeRoute),
        ...sites.map((site) => siteRoute(site, plainHandlers(site, secure.includes(site)))),
      ],
    }),
    ...(secure.length > 0 && {
      secure: server(443, {
        protocols: ["h1", "h2"],
        routes: secure.map((site) => siteRoute(site, handlersOf(site, "https"))),
        tls_connection_policies: secure.map(tlsPolicy),
      }),
    }),
  };
  const pairs = new Map(
    secure.flatMap((site) => {
      const secret = secretOf(site);
      const pair = secret && certificates.get(secret);
      return pair === undefined ? [] : [[secret, pair] as const];
    }),
  );
  const loaded = [...pairs].map(([tag, { chain, key }]) => {
    return { certificate: chain, key, tags: [tag] };
  });
  return JSON.stringify({
    admin: { listen: `unix/${socket}`, origins: [caddyAdminHost], config: { persist: false } },
    logging: { logs: { default: { level: "ERROR" } } },
    apps: {
      http: { servers },
      ...(loaded.length > 0 && {
        tls: { disable_ocsp_stapling: true, certificates: { load_pem: loaded } },
      }),
    },
  });
}

function server(port: number, { routes, ...rest }: Json & { readonly routes: Json[] }): Json {
  const otherwise = { handle: [refusal(404)] };
  return {
    listen: [`:${port}`],
    automatic_https: { disable: true },
    ...rest,
    routes: [...routes, otherwise],
  };
}

function secretOf({ certificate }: HttpSite): SecretId | undefined {
  return typeof certificate === "object" ? certificate.secret : undefined;
}

/** Source: RFC 8555, 8.3. */
function challengeRoute({ token, answer }: HttpPlan["challenges"][number]): Json {
  return {
    match: [{ path: [`/.well-known/acme-challenge/${token}`] }],
    handle: [{ ...refusal(200), body: answer }],
    terminal: true,
  };
}

function siteRoute({ host }: HttpSite, routes: Json[]): Json {
  return {
    match: [{ host: [host] }],
    handle: [{ handler: "subroute", routes: [...routes, { handle: [refusal(404)] }] }],
    terminal: true,
  };
}

function tlsPolicy(site: HttpSite): Json {
  return {
    match: { sni: [site.host] },
    certificate_selection: { any_tag: [secretOf(site) ?? ""] },
  };
}

/** What port 80 does. */
function plainHandlers(site: HttpSite, isSecure: boolean): Json[] {
  if (site.certificate === undefined) return handlersOf(site, "http");
  if (!isSecure) return [{ handle: [refusal(503)] }];
  const target = site.redirect ?? "{http.request.host}";
  return [{ handle: [redirection(`https://${target}{http.request.uri}`)] }];
}

function handlersOf(site: HttpSite, scheme: "http" | "https"): Json[] {
  if (site.redirect !== undefined) {
    return [{ handle: [redirection(`${scheme}://${site.redirect}{http.request.uri}`)] }];
  }
  return site.routes.map((route) => {
    const handle = [...authentication(route), honestHeaders, proxy(route)];
    if (route.path === "") return { handle, terminal: true };
    return { match: [{ path: [route.path, `${route.path}/*`] }], handle, terminal: true };
  });
}

function authentication({ accounts }: HttpRoute): Json[] {
  if (accounts.length === 0) return [];
  const known = accounts.map(({ user, hash }) => {
    return { username: user, password: base64(new TextEncoder().encode(hash)) };
  });
  const basic = { accounts: known, hash: { algorithm: "bcrypt" }, hash_cache: {} };
  return [{ handler: "authentication", providers: { http_basic: basic } }];
}

/** Clients may write anything into these, and services believe them. The proxy adds its own X-Forwarded- headers later. */
const honestHeaders: Json = {
  handler: "headers",
  request: {
    delete: ["X-Forwarded-*", "Forwarded"],
    set: { "X-Real-Ip": ["{http.request.remote.host}"] },
  },
};

function proxy({ service, upstreams, sticky }: HttpRoute): Json {
  if (upstreams.length === 0) return refusal(503);
  const cookie = {
    policy: "cookie",
    name: `gam_${service.slice(0, cookieIdLength)}`,
    secret: service,
  };
  return {
    handler: "reverse_proxy",
    upstreams: upstreams.map((dial) => ({ dial })),
    load_balancing: {
      ...(sticky && { selection_policy: cookie }),
      try_duration: tryDuration,
      try_interval: tryInterval,
    },
    transport: {
      protocol: "http",
      dial_timeout: dialTimeout,
      // The packet filter picks a task for each connection. A kept one would go on to a task that leaves.
      ...(!sticky && { keep_alive: { enabled: false } }),
    },
  };
}

function refusal(status: number): Json {
  return { handler: "static_response", status_code: status };
}

function redirection(location: string): Json {
  return { handler: "static_response", status_code: 308, headers: { Location: [location] } };
}
