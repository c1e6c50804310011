/** HTTP report: what `gam http status` shows. Only managers can open certificates. */
import { GamError } from "@gam/core";
import { acmeFailure, type HttpSite, planSites } from "@gam/network";
import {
  heldPorts,
  httpProxyName,
  isProxy,
  isWanted,
  type Secret,
  type Task,
  type View,
} from "@gam/state";
import type { HttpReport, HttpSiteReport } from "@gam/state/answers";
import { readPair } from "./certificate-pair.ts";

export interface HttpReportParts {
  readonly sealer: { openSecret(secret: Secret, version: number): Uint8Array };
  /** Of the proxy on this host. */
  readonly problems: readonly string[];
}

/** Errors: NOT_SUPPORTED on a worker. */
export function reportHttp(view: View, parts: HttpReportParts): HttpReport {
  const service = view.services().find(({ Spec }) => Spec.Name === httpProxyName);
  const tasks = service === undefined ? [] : view.tasksOf(service.ID).filter(isWanted);
  const proxies = tasks.filter(isProxy);
  return {
    proxy:
      service === undefined
        ? null
        : {
            image: service.Spec.TaskTemplate.ContainerSpec.Image,
            running: proxies.filter((task) => isUp(view, task)).length,
            wanted: proxies.length,
          },
    sites: planSites(view).sites.flatMap((site) => rowsOf(view, site, parts)),
    problems: [...(service === undefined ? [] : rivals(view)), ...parts.problems],
  };
}

function rowsOf(view: View, site: HttpSite, parts: HttpReportParts): HttpSiteReport[] {
  const { host, certificate, redirect = "", routes } = site;
  const common = {
    host,
    redirect,
    secret: typeof certificate === "object" ? certificate.name : "",
    ...certificateState(view, host, { certificate, parts }),
  };
  if (redirect !== "") return [{ ...common, path: "", service: "" }];
  return routes.map(({ path, service, upstreams }) => {
    const name = view.service(service)?.Spec.Name ?? service;
    const answers = upstreams.length > 0 && view.tasksOf(service).some((task) => isUp(view, task));
    const problem = common.problem || (answers ? "" : "no task answers");
    return { ...common, path, service: name, problem };
  });
}

/** Whether it runs, on a host that answers. */
function isUp(view: View, task: Task): boolean {
  const node = task.NodeID === undefined ? undefined : view.node(task.NodeID);
  return isWanted(task) && task.Status.State === "running" && node?.Status.State === "ready";
}

function certificateState(
  view: View,
  host: string,
  { certificate, parts }: Pick<HttpSite, "certificate"> & { readonly parts: HttpReportParts },
): Pick<HttpSiteReport, "notAfter" | "problem"> {
  if (certificate === undefined) return { notAfter: "", problem: "" };
  const failure = acmeFailure(view, host);
  if (certificate === "awaited") {
    return { notAfter: "", problem: failure ?? "waits for its certificate" };
  }
  const secret = view.secret(certificate.secret);
  if (secret === undefined) return { notAfter: "", problem: "the secret has gone" };
  try {
    const { notAfterMs, isFor } = readPair(parts.sealer.openSecret(secret, certificate.version));
    const problem = isFor(host) ? (failure ?? "") : "the certificate is for other names";
    return { notAfter: new Date(notAfterMs).toISOString(), problem };
  } catch (thrown) {
    if (!(thrown instanceof GamError) || thrown.code === "NOT_SUPPORTED") throw thrown;
    return { notAfter: "", problem: thrown.message };
  }
}

/** Services that take the proxy's ports away from it on every host. */
function rivals(view: View): string[] {
  return view.services().flatMap((service) => {
    const taken = heldPorts(service).filter(({ PublishedPort, Protocol = "tcp" }) => {
      return Protocol === "tcp" && (PublishedPort === 80 || PublishedPort === 443);
    });
    const ports = [...new Set(taken.map(({ PublishedPort }) => PublishedPort))];
    return ports.map((port) => {
      return `Service ${service.Spec.Name} publishes port ${port}, so requests go to it and not to the proxy: remove the published port, and give the service a name (gam.http.host)`;
    });
  });
}
