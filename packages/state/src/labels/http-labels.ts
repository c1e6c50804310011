/**
 * HTTP labels: under which names a service answers HTTP, on ports 80 and 443 of every host that runs the proxy.
 *
 * A name is matched without regard to case, a path by whole parts: "/api" means /api and /api/…, not /apis.
 */
import type { Labels } from "../objects/meta.ts";
import type { ServiceSpec } from "../objects/service.ts";
import { type LabelRule, list, readLabel, text, type Values, whole, words } from "./label-rule.ts";

/** A user and the bcrypt hash of the password. */
export interface HttpAccount {
  readonly user: string;
  readonly hash: string;
}

/** Where the certificates of a service come from; "off" for plain HTTP. "acme": the leader gets one for each name. */
export type HttpTls = "off" | "acme" | { readonly secret: string };

/** What the labels of one service say together. */
export interface HttpWish {
  /** Lower case; the first one is where redirects lead. */
  readonly hosts: readonly string[];
  /** In the container. */
  readonly port: number;
  /** Prefixes, lower case, without a slash at their ends. "" means all paths. */
  readonly paths: readonly string[];
  readonly redirects: readonly string[];
  readonly accounts: readonly HttpAccount[];
  readonly isSticky: boolean;
  readonly tls: HttpTls;
}

const portDefault = 80;
/** For each name and path the proxy has all accounts. That is some megabytes at most. */
const entriesMax = 10_000;
const name = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
const hostForm = new RegExp(`^(?:\\*\\.)?${name}(?:\\.${name})*$`, "i");
const hostLengthMax = 253;
/** Characters that need no escape in a path, and mean nothing else in a pattern of the proxy. */
const pathForm = /^(?:\/[a-zA-Z0-9._~!$&'()+;=:@-]+)*\/?$/;
/**
 * The proxy replaces what is in braces. A hash of cost 14 takes it about a second, for each wrong password.
 *
 * Source: the alphabet of bcrypt's hashes, and the identifiers that implementations write.
 */
const accountForm = /^([^:,{}\s\p{C}]{1,128}):(\$2[abxy]?\$(?:0[4-9]|1[0-4])\$[./A-Za-z0-9]{53})$/u;
const secretForm = /^[a-zA-Z0-9](?:[a-zA-Z0-9_.-]{0,62}[a-zA-Z0-9])?$/;

const host = text("a host name such as shop.example.com or *.example.com", (found) => {
  return hostForm.test(found) && found.length <= hostLengthMax ? found.toLowerCase() : undefined;
});

const path = text("a path such as /api", (found) => {
  return pathForm.test(found) && found.startsWith("/")
    ? found.replace(/\/$/, "").toLowerCase()
    : undefined;
});

const account = text(
  "a user and a bcrypt hash of cost 4 to 14, as USER:HASH",
  (found): HttpAccount | undefined => {
    const [, user, hash] = accountForm.exec(found) ?? [];
    return user === undefined || hash === undefined ? undefined : { user, hash };
  },
);

const tls: Values<HttpTls> = text('"off", "acme" or the name of a secret', (found) => {
  if (found === "off" || found === "acme") return found;
  return secretForm.test(found) ? { secret: found } : undefined;
});

const hostLabel: LabelRule<readonly string[]> = {
  name: "gam.http.host",
  ...list(host),
  does: "lets the service answer HTTP requests for these names, once the proxy is on (`gam http on`)",
  without: "the proxy does not know the service",
};

const portLabel: LabelRule<number> = {
  name: "gam.http.port",
  ...whole(1, 65_535),
  does: "says on which port the containers answer HTTP",
  without: "80",
};

const pathLabel: LabelRule<readonly string[]> = {
  name: "gam.http.path",
  ...list(path),
  does: "answers only requests for these paths and those below them; the longest path wins",
  without: "all paths",
};

const redirectLabel: LabelRule<readonly string[]> = {
  name: "gam.http.redirect",
  ...list(host),
  does: "sends clients from these names to the first name of gam.http.host",
  without: "nothing is redirected",
};

const authLabel: LabelRule<readonly HttpAccount[]> = {
  name: "gam.http.auth",
  ...list(account),
  does: "asks for a user and a password (basic authentication)",
  without: "everybody may send requests",
};

export const stickyCookieLabel: LabelRule<"cookie"> = {
  name: "gam.http.sticky",
  ...words("cookie"),
  does: "sends the requests of a browser to one task, by a cookie",
  without: "requests go to a task of the asked host, if it has any, or else to any task",
};

const tlsLabel: LabelRule<HttpTls> = {
  name: "gam.http.tls",
  ...tls,
  does: "serves HTTPS, and sends clients of port 80 there: with the certificate chain and key (PEM) in this secret, or with certificates got by ACME",
  without: "plain HTTP, as with off",
};

export const httpLabels: readonly LabelRule<unknown>[] = [
  hostLabel,
  portLabel,
  pathLabel,
  redirectLabel,
  authLabel,
  stickyCookieLabel,
  tlsLabel,
];

/** Returns: what the labels say; undefined for a service that the proxy does not know. */
export function httpWish(labels: Labels | undefined): HttpWish | undefined {
  const hosts = readLabel(hostLabel, labels);
  if (hosts === undefined) return undefined;
  return {
    hosts,
    port: readLabel(portLabel, labels) ?? portDefault,
    paths: readLabel(pathLabel, labels) ?? [""],
    redirects: readLabel(redirectLabel, labels) ?? [],
    accounts: readLabel(authLabel, labels) ?? [],
    isSticky: readLabel(stickyCookieLabel, labels) !== undefined,
    tls: readLabel(tlsLabel, labels) ?? "off",
  };
}

/** Returns: the port at which tasks made with these labels answer the proxy; undefined where it does not know them. */
export function httpPort(labels: Labels | undefined): number | undefined {
  return labels?.[hostLabel.name] === undefined ? undefined : httpWish(labels)?.port;
}

/** A law of serviceLabelProblem(). */
export function httpProblem({ Labels, EndpointSpec }: ServiceSpec): string | undefined {
  const wish = httpWish(Labels);
  if (wish === undefined) {
    const alone = httpLabels.find((rule) => (Labels?.[rule.name] ?? "") !== "");
    if (alone === undefined) return undefined;
    return `label "${alone.name}" has no effect without "${hostLabel.name}": add it, or leave out "${alone.name}"`;
  }
  const names = [...wish.hosts, ...wish.redirects];
  const twice = names.find((one, at) => names.indexOf(one) !== at);
  if (twice !== undefined) {
    return `labels "${hostLabel.name}" and "${redirectLabel.name}" name "${twice}" twice: keep one of the two`;
  }
  if (wish.redirects.length > 0 && wish.hosts[0]?.startsWith("*")) {
    return `label "${redirectLabel.name}" leads to "${wish.hosts[0]}", which is no name: put another one first in "${hostLabel.name}"`;
  }
  const wild = wish.tls === "acme" ? names.find((one) => one.startsWith("*")) : undefined;
  if (wild !== undefined) {
    return `label "${tlsLabel.name}" is "acme", which gets no certificate for "${wild}": name each host, or put a certificate into a secret`;
  }
  const users = wish.accounts.map(({ user }) => user);
  const again = users.find((one, at) => users.indexOf(one) !== at);
  if (again !== undefined) {
    return `label "${authLabel.name}" names the user "${again}" twice: keep one of the two`;
  }
  const entries = names.length * wish.paths.length * Math.max(1, users.length);
  if (entries > entriesMax) {
    return `labels "${hostLabel.name}", "${pathLabel.name}" and "${authLabel.name}" say ${names.length} names, ${wish.paths.length} paths and ${users.length} users, multiplied more than ${entriesMax}: name fewer, or divide them among services`;
  }
  if (EndpointSpec?.Mode !== "dnsrr") return undefined;
  return `label "${hostLabel.name}" needs the endpoint mode vip: leave out "endpoint_mode: dnsrr"`;
}
