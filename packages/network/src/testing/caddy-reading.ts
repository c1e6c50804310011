/**
 * Caddy reading: what Caddy does with a request, by its configuration, as far as gam uses it.
 *
 * Source: caddyserver.com/docs/json/apps/http: routes in order, a terminal one or an answer ends them; matchers of one
 * set must all fit; a host pattern's star is one part of a name; a path pattern with a star at its end is a prefix.
 */
export type Answer =
  | { readonly status: number | "closed"; readonly location?: string }
  | { readonly upstreams: readonly string[]; readonly users?: readonly string[] };

interface Handler {
  readonly handler: string;
  readonly routes?: readonly Route[];
  readonly status_code?: number;
  readonly headers?: { readonly Location?: readonly string[] };
  readonly upstreams?: readonly { readonly dial: string }[];
  readonly providers?: {
    readonly http_basic: { readonly accounts: readonly { readonly username: string }[] };
  };
}

interface Route {
  readonly match?: readonly { readonly host?: string[]; readonly path?: string[] }[];
  readonly handle: readonly Handler[];
  readonly terminal?: boolean;
}

interface Config {
  readonly apps: {
    readonly http: {
      readonly servers: Readonly<
        Record<
          string,
          {
            readonly listen: readonly string[];
            readonly routes: readonly Route[];
            readonly tls_connection_policies?: readonly { readonly match: { sni: string[] } }[];
          }
        >
      >;
    };
  };
}

/** `url`: the request. "closed": no server listens, or none has a certificate. */
export function answerOf(config: string, url: URL): Answer {
  const { servers } = (JSON.parse(config) as Config).apps.http;
  const port = url.protocol === "https:" ? ":443" : ":80";
  const server = Object.values(servers).find(({ listen }) => listen.includes(port));
  if (server === undefined) return { status: "closed" };
  return answerIn(server.routes, url, []) ?? { status: 200 };
}

function answerIn(routes: readonly Route[], url: URL, users: string[]): Answer | undefined {
  for (const { match, handle, terminal } of routes) {
    if (match !== undefined && !match.some((set) => fits(set, url))) continue;
    for (const handler of handle) {
      const answer = answerBy(handler, url, users);
      if (answer !== undefined) return answer;
    }
    if (terminal === true) return { status: 200 };
  }
  return undefined;
}

function answerBy(handler: Handler, url: URL, users: string[]): Answer | undefined {
  switch (handler.handler) {
    case "subroute":
      return answerIn(handler.routes ?? [], url, users);
    case "static_response": {
      const status = handler.status_code ?? 200;
      const [location] = handler.headers?.Location ?? [];
      if (location === undefined) return { status };
      const filled = location
        .replace("{http.request.host}", url.hostname)
        .replace("{http.request.uri}", `${url.pathname}${url.search}`);
      return { status, location: filled };
    }
    case "authentication":
      users.push(...(handler.providers?.http_basic.accounts.map(({ username }) => username) ?? []));
      return undefined;
    case "headers":
      return undefined;
    case "reverse_proxy": {
      const upstreams = (handler.upstreams ?? []).map(({ dial }) => dial);
      return { upstreams, ...(users.length > 0 && { users }) };
    }
    default:
      throw new Error(`an unknown handler, ${handler.handler}`);
  }
}

function fits(
  { host, path }: { readonly host?: readonly string[]; readonly path?: readonly string[] },
  url: URL,
): boolean {
  const wild = url.hostname.replace(/^[^.]+/, "*");
  const isHost = host?.some((one) => one === url.hostname || one === wild) ?? true;
  const isPath =
    path?.some((one) => {
      return one.endsWith("*") ? url.pathname.startsWith(one.slice(0, -1)) : url.pathname === one;
    }) ?? true;
  return isHost && isPath;
}
