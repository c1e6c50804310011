/** HTTP commands: run a proxy on each host that answers for services by name, and show what it serves. */
import { GamError } from "@gam/core";
import {
  acmeSettingsName,
  checkHttpReport,
  type HttpReport,
  type HttpSiteReport,
  httpProxyName,
  httpProxySpec,
} from "@gam/state/answers";
import type { AgentClient } from "../agent/agent-client.ts";
import type { CommandIo } from "../agent/command-io.ts";
import { readInputFile } from "../agent/input-file.ts";
import { columns } from "../views/columns.ts";

const letsEncrypt = "https://acme-v02.api.letsencrypt.org/directory";
const imageDefault = "caddy:2";
const dayMs = 86_400_000;

export interface TurnOn {
  readonly image?: string;
  readonly email?: string;
  readonly acmeServer?: string;
  readonly acmeCa?: string;
}

/** Makes the proxy's service, and says how to get certificates. Errors: those of AgentClient; REFUSED where it is on already. */
export async function turnOn(client: AgentClient, io: CommandIo, wish: TurnOn): Promise<void> {
  const { image = imageDefault, email } = wish;
  if (email === undefined && (wish.acmeServer ?? wish.acmeCa) !== undefined) {
    throw new GamError("BAD_REQUEST", "Cannot use an ACME server without --email: add it");
  }
  const answer = await client.ask("GET", `/services/${httpProxyName}`);
  const isOn = answer.status === 200;
  if (isOn && (email === undefined || wish.image !== undefined)) {
    throw new GamError(
      "REFUSED",
      `The HTTP proxy is on already. It is the service ${httpProxyName}: change it with "docker service update ${httpProxyName}"`,
    );
  }
  if (email !== undefined) await setAcme(client, io, wish);
  if (isOn) return;
  await client.post("/services/create", httpProxySpec(image));
  io.print(
    `Each host runs ${image} on its ports 80 and 443 now. Give services names with the label gam.http.host`,
  );
}

/** Replaces the settings. */
async function setAcme(
  client: AgentClient,
  io: CommandIo,
  { email = "", acmeServer = letsEncrypt, acmeCa }: TurnOn,
): Promise<void> {
  if (!acmeServer.startsWith("https://")) {
    throw new GamError(
      "BAD_REQUEST",
      `Cannot use ACME server "${acmeServer}": use an https:// URL`,
    );
  }
  if (!/^[^@\s]+@[^@\s]+$/.test(email)) {
    throw new GamError(
      "BAD_REQUEST",
      `Cannot use "${email}" as an address: use one like ops@example.com`,
    );
  }
  const ca = acmeCa === undefined ? "" : readInputFile(io, acmeCa);
  const old = await client.ask("GET", `/configs/${acmeSettingsName}`);
  if (old.status === 200) await client.delete(`/configs/${acmeSettingsName}`);
  const settings = { server: acmeServer, email, ca };
  const Data = Buffer.from(JSON.stringify(settings)).toString("base64");
  await client.post("/configs/create", { Name: acmeSettingsName, Labels: {}, Data });
  io.print(`Services with gam.http.tls=acme get certificates from ${acmeServer}`);
}

/** Errors: those of AgentClient. */
export async function turnOff(client: AgentClient, io: CommandIo): Promise<void> {
  const answer = await client.ask("GET", `/services/${httpProxyName}`);
  if (answer.status === 404) throw new GamError("REFUSED", "The HTTP proxy is off already");
  await client.delete(`/services/${httpProxyName}`);
  io.print("The HTTP proxy is off. The services run on");
}

export async function status(
  client: AgentClient,
  io: CommandIo,
  { json = false }: { readonly json?: boolean },
): Promise<void> {
  const answer = await client.get("/gam/v1/http");
  const report = checkHttpReport(answer, "http");
  if (json) io.print(JSON.stringify(answer, undefined, 2));
  else for (const line of httpView(report, io.nowMs())) io.print(line);
}

function httpView({ proxy, sites, problems }: HttpReport, nowMs: number): string[] {
  return [
    proxy === null
      ? 'The HTTP proxy is off: run "gam http on"'
      : `The HTTP proxy runs on ${proxy.running} of ${proxy.wanted} hosts: ${proxy.image}`,
    ...(sites.length === 0 ? ["No service has a name (label gam.http.host)"] : [""]),
    ...(sites.length === 0
      ? []
      : columns([
          ["NAME", "SERVICE", "CERTIFICATE", ""],
          ...sites.map((site) => row(site, nowMs)),
        ])),
    ...(problems.length === 0 ? [] : ["", ...problems]),
  ];
}

function row(site: HttpSiteReport, nowMs: number): string[] {
  const { host, path, service, redirect, secret, problem } = site;
  return [
    `${host}${path}`,
    redirect === "" ? service : `redirected to ${redirect}`,
    secret === "" ? "none" : `${secret}${lastsFor(site, nowMs)}`,
    problem,
  ];
}

function lastsFor({ notAfter }: HttpSiteReport, nowMs: number): string {
  if (notAfter === "") return "";
  const days = Math.floor((Date.parse(notAfter) - nowMs) / dayMs);
  if (days < 0) return ", expired";
  return days === 0 ? ", ends today" : `, ${days} day${days === 1 ? "" : "s"} left`;
}
