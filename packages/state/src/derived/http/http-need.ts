/**
 * HTTP need: what the HTTP labels of services take from the rest of the state: names that no other service has,
 * secrets with certificates, and the proxy itself.
 */
import type { SecretId } from "@gam/core";
import { containerOptions } from "../../labels/container-labels.ts";
import { type HttpWish, httpWish } from "../../labels/http-labels.ts";
import type { View } from "../../log/view.ts";
import type { ContentId } from "../../objects/content.ts";
import { acmeLabel, httpProxyName } from "../../objects/http-proxy.ts";
import type { Secret } from "../../objects/secret.ts";
import type { Service, ServiceSpec } from "../../objects/service.ts";
import { isTerminal, type Task } from "../../objects/task.ts";
import { isPredefined } from "../network-need.ts";
import { mayGoBack } from "../ports.ts";

/** Returns: the secret with the certificate for one of the service's names, if there is one. */
export function httpCertificate(view: View, { tls }: HttpWish, host: string): Secret | undefined {
  if (tls === "off") return undefined;
  return view.secrets().find(({ Spec }) => {
    if (tls === "acme") return Spec.Labels[acmeLabel.certificate] === host;
    return Spec.Name === tls.secret;
  });
}

/** Returns: the certificates for all names of the service, each once. */
function certificatesOf(view: View, wish: HttpWish): ReadonlySet<SecretId> {
  const names = [...wish.hosts, ...wish.redirects];
  return new Set(names.flatMap((host) => httpCertificate(view, wish, host)?.ID ?? []));
}

/** Returns: the services whose certificate the secret is, also after a failed update, in the order of their creation. */
export function certificateUsers(view: View, id: ContentId): readonly Service[] {
  return view.services().filter((service) => {
    return wishesOf(service).some((wish) => certificatesOf(view, wish).has(id as SecretId));
  });
}

/** Returns: the secrets that proxies need, whichever host they are on. */
export function proxySecrets(view: View): ReadonlySet<SecretId> {
  const found = new Set<SecretId>();
  for (const { Spec } of view.services()) {
    const wish = httpWish(Spec.Labels);
    for (const id of wish ? certificatesOf(view, wish) : []) found.add(id);
  }
  return found;
}

/** Whether the task is a proxy that runs, or will run. */
export function isProxy(task: Task): boolean {
  return task.Gam.serviceName === httpProxyName && !isTerminal(task.Status.State);
}

/**
 * Returns: why the service cannot have that spec, and what to do: another service has one of its names with the
 *          same path, or serves the name with another certificate, or there is no such secret.
 */
export function httpConflict(view: View, spec: ServiceSpec): string | undefined {
  const wish = httpWish(spec.Labels);
  if (wish === undefined) return undefined;
  const targets = spec.TaskTemplate.Networks ?? spec.Networks ?? [];
  const foreign = targets.find(({ Target }) => isPredefined(Target));
  if (foreign !== undefined || containerOptions(spec.Labels).network !== undefined) {
    return `label "gam.http.host" of service ${spec.Name} needs a network of the cluster: leave out the network "${foreign?.Target ?? "none"}"`;
  }
  if (typeof wish.tls === "object" && httpCertificate(view, wish, "") === undefined) {
    return `label "gam.http.tls" of service ${spec.Name} names the secret "${wish.tls.secret}", which does not exist: create it from a file with the certificate chain and its key`;
  }
  for (const other of view.services()) {
    if (other.Spec.Name === spec.Name) continue;
    for (const theirs of wishesOf(other)) {
      const taken = takenName(wish, theirs);
      if (taken !== undefined) {
        return `${taken} is already served for service ${other.Spec.Name}: choose another name or path (labels gam.http.host, gam.http.path and gam.http.redirect)`;
      }
      const shared = wish.hosts.find((one) => theirs.hosts.includes(one));
      if (shared === undefined || sameTls(wish, theirs)) continue;
      return `${shared} is also served for service ${other.Spec.Name}, with another gam.http.tls: give both services the same`;
    }
  }
  return undefined;
}

/** What a service has now, and what it would have after a failed update. */
function wishesOf(service: Service): readonly HttpWish[] {
  const specs = [service.Spec, mayGoBack(service) ? service.PreviousSpec : undefined];
  return specs.map((spec) => httpWish(spec?.Labels)).filter((wish) => wish !== undefined);
}

/** Returns: a name, with its path, that both have. A name that is redirected has all paths. */
function takenName(mine: HttpWish, theirs: HttpWish): string | undefined {
  for (const one of [...mine.hosts, ...mine.redirects]) {
    if (theirs.redirects.includes(one)) return one;
    if (!theirs.hosts.includes(one)) continue;
    if (mine.redirects.includes(one)) return one;
    const path = mine.paths.find((found) => theirs.paths.includes(found));
    if (path !== undefined) return `${one}${path}`;
  }
  return undefined;
}

function sameTls({ tls: a }: HttpWish, { tls: b }: HttpWish): boolean {
  if (typeof a === "string" || typeof b === "string") return a === b;
  return a.secret === b.secret;
}
