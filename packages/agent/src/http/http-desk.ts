/**
 * HTTP desk: keeps the proxy of this host at the HTTP plan.
 *
 * The proxy is a task like any other. It reads a file at its start, and takes later versions at its socket. The desk
 * writes that file, with the certificates, into a folder in memory. So a proxy that starts while the agent is away
 * serves what it served before.
 *
 * Decides only when to write and to load. What is served is decided by the plan (@gam/network).
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import {
  GamError,
  messageOf,
  type NodeId,
  rethrowInvariant,
  type SecretId,
  type TaskId,
} from "@gam/core";
import { replaceFile } from "@gam/files";
import {
  type CertificatePair,
  caddyConfig,
  type HttpCertificate,
  type HttpPlan,
} from "@gam/network";
import { MemoryFolder } from "@gam/runtime";
import { type Event, httpConfigFile, httpFolder, isProxy, type View } from "@gam/state";
import type { HttpReport } from "@gam/state/answers";
import { AcmeDesk, type AcmeDeskParts } from "./acme-desk.ts";
import { loadConfig } from "./caddy-admin.ts";
import { type ReadPair, readPair } from "./certificate-pair.ts";
import { type HttpReportParts, reportHttp } from "./http-report.ts";

export interface HttpDeskParts {
  readonly self: NodeId;
  readonly view: () => View;
  /** Errors: NOT_SUPPORTED on a worker, when a secret is opened. */
  readonly sealer: () => HttpReportParts["sealer"];
  /** The data of secrets for a task of the proxy. Errors: those of ContentDesk. */
  readonly secrets: (
    task: TaskId,
    wanted: readonly { readonly id: SecretId; readonly content: number }[],
  ) => Promise<readonly Uint8Array[]>;
  readonly log: { warn(fields: object, text: string): void };
  /** The folder that the proxy's container has as well, and what makes it. Tests have another one. */
  readonly folder?: string;
  readonly open?: (folder: string) => Promise<void>;
}

/** What was missing may be there soon: a manager that answers, or a proxy that is busy. */
const againMs = 5_000;
const nothing: HttpPlan = { sites: [], challenges: [] };

export class HttpDesk {
  readonly #parts: HttpDeskParts;
  readonly #pairs = new Map<SecretId, { readonly version: number; readonly pair: ReadPair }>();
  #plan: HttpPlan | undefined;
  /** The configuration that the proxy has, or will read at its start. */
  #written = "";
  #loaded = "";
  #refused = "";
  #problems: readonly string[] = [];
  #isArranged = false;
  #isAsked = false;
  #round: Promise<void> | undefined;
  #alarm: NodeJS.Timeout | undefined;
  #isClosed = false;
  #acme: AcmeDesk | undefined;

  constructor(parts: HttpDeskParts) {
    this.#parts = parts;
  }

  /** What does not work, in sentences for users. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  /** `plan`: undefined where no proxy is wanted. */
  arrange(plan: HttpPlan | undefined): void {
    const isNew = this.#plan !== plan || !this.#isArranged;
    this.#plan = plan;
    this.#isArranged = true;
    if (plan !== undefined || isNew) this.#ask();
  }

  /** A proxy that starts here may have read the file before its last change. */
  notice({ table, after }: Event): void {
    if (table !== "task" || after?.NodeID !== this.#parts.self || !isProxy(after)) return;
    this.#loaded = "";
    this.#ask();
  }

  /** Returns: what the proxies serve. Errors: NOT_SUPPORTED on a worker. */
  report(): HttpReport {
    const { view, sealer } = this.#parts;
    return reportHttp(view(), { sealer: sealer(), problems: this.#problems });
  }

  /** Resolves to true when the proxy of this host, if there is one, serves the last plan. */
  async steered(): Promise<boolean> {
    const plan = this.#plan;
    await this.#round;
    return plan === this.#plan;
  }

  /** Gets certificates while this host leads. */
  lead(parts: AcmeDeskParts): void {
    this.#acme = new AcmeDesk(parts);
  }

  /** The proxy goes on. */
  async close(): Promise<void> {
    this.#acme?.stop();
    this.#isClosed = true;
    clearTimeout(this.#alarm);
    await this.#round;
  }

  #ask(): void {
    this.#isAsked = true;
    this.#round ??= this.#rounds().finally(() => {
      this.#round = undefined;
    });
  }

  async #rounds(): Promise<void> {
    while (this.#isAsked && !this.#isClosed) {
      this.#isAsked = false;
      clearTimeout(this.#alarm);
      try {
        await this.#follow(this.#plan);
      } catch (thrown) {
        rethrowInvariant(thrown);
        this.#say([`Cannot configure the HTTP proxy of this host: ${messageOf(thrown)}`]);
        this.#later();
      }
    }
  }

  async #follow(plan: HttpPlan | undefined): Promise<void> {
    const { self, view, folder = httpFolder } = this.#parts;
    if (plan === undefined) return await this.#clear(folder);
    const proxy = view().tasksOn(self).find(isProxy);
    const socket = join(folder, "admin.sock");
    const problems: string[] = [];
    const certificates = proxy && (await this.#certificates(proxy.ID, plan, problems));
    // Before the proxy comes, an empty configuration lets it start.
    const config = caddyConfig(proxy === undefined ? nothing : plan, {
      socket,
      certificates: certificates ?? new Map(),
    });
    if (proxy === undefined && this.#written !== "") return this.#say(problems);
    // What Caddy refuses would not let it start again.
    if (proxy === undefined || (await this.#load(socket, config, problems))) {
      await this.#write(config);
    }
    this.#say(problems);
  }

  /** The file holds keys. It may be from before the last start of the agent. */
  async #clear(folder: string): Promise<void> {
    this.#written = "";
    this.#loaded = "";
    this.#pairs.clear();
    this.#say([]);
    await rm(join(folder, httpConfigFile), { force: true });
  }

  async #write(config: string): Promise<void> {
    if (config === this.#written) return;
    const { folder = httpFolder, open = openFolder } = this.#parts;
    await open(folder);
    await replaceFile(join(folder, httpConfigFile), config);
    this.#written = config;
  }

  /** Returns: false for a configuration that Caddy does not take. */
  async #load(socket: string, config: string, problems: string[]): Promise<boolean> {
    if (config === this.#loaded) return true;
    const answer = await loadConfig(socket, config);
    switch (answer.kind) {
      case "loaded":
        this.#loaded = config;
        this.#refused = "";
        return true;
      case "absent":
        // It reads the file when it starts.
        this.#loaded = "";
        return true;
      case "refused":
        problems.push(`The HTTP proxy of this host goes on as before: it refused ${answer.reason}`);
        if (config !== this.#refused) this.#later();
        this.#refused = config;
        return false;
    }
  }

  /** Those that can be used. Earlier versions serve where a new one cannot be had. */
  async #certificates(
    task: TaskId,
    { sites }: HttpPlan,
    problems: string[],
  ): Promise<ReadonlyMap<SecretId, CertificatePair>> {
    const wanted = new Map<SecretId, HttpCertificate>();
    for (const { certificate } of sites) {
      if (typeof certificate === "object") wanted.set(certificate.secret, certificate);
    }
    for (const id of this.#pairs.keys()) if (!wanted.has(id)) this.#pairs.delete(id);
    const lacking = [...wanted.values()].filter(({ secret, version }) => {
      return this.#pairs.get(secret)?.version !== version;
    });
    for (const one of lacking) await this.#fetch(task, one, problems);
    return new Map([...this.#pairs].map(([id, { pair }]) => [id, pair]));
  }

  async #fetch(
    task: TaskId,
    { secret, version, name }: HttpCertificate,
    problems: string[],
  ): Promise<void> {
    try {
      const [data] = await this.#parts.secrets(task, [{ id: secret, content: version }]);
      if (data === undefined) return;
      const pair = readPair(data);
      data.fill(0);
      this.#pairs.set(secret, { version, pair });
    } catch (thrown) {
      if (!(thrown instanceof GamError)) throw thrown;
      problems.push(`Cannot use secret "${name}" as a certificate: ${thrown.message}`);
      if (thrown.code !== "BAD_REQUEST") this.#later();
    }
  }

  #say(problems: readonly string[]): void {
    for (const text of problems) {
      if (!this.#problems.includes(text)) this.#parts.log.warn({}, text);
    }
    this.#problems = problems;
  }

  #later(): void {
    if (this.#isClosed) return;
    clearTimeout(this.#alarm);
    this.#alarm = setTimeout(() => this.#ask(), againMs);
    this.#alarm.unref();
  }
}

async function openFolder(folder: string): Promise<void> {
  await new MemoryFolder(folder).open();
}
