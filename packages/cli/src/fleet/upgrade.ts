/**
 * Upgrade: replaces gam on all hosts, one host after the other, and stops at the first that does not come back.
 *
 * Remembers nothing: each step follows from what the hosts say (upgrade-plan.ts), so the same command goes on after
 * an interruption. A host that installs does so by itself, also when this command or its agent ends.
 */
import { createReadStream } from "node:fs";
import { GamError } from "@gam/core";
import {
  checkGivenPackage,
  checkPackage,
  checkUpgradeReport,
  type GamPackage,
  type UpgradeHost,
  type UpgradeReport,
} from "@gam/state/answers";
import type { AgentClient } from "../agent/agent-client.ts";
import type { CommandIo } from "../agent/command-io.ts";
import { columns } from "../views/columns.ts";
import { packageFile } from "./package-file.ts";
import {
  backVersion,
  holdsBack,
  type UpgradeGoal,
  type UpgradeRow,
  unsettled,
  upgradePlan,
} from "./upgrade-plan.ts";

const pollMs = 500;
/** A host that restarts its agent is back within this time. */
const answerMsMax = 20_000;
/** The other hosts may need a moment, for example to elect a leader. */
const calmMsMax = 60_000;
/** A host that takes longer is worth a line. */
const patienceMs = 30_000;
/** Without any progress. */
const sendMsMax = 120_000;
/** Installing, the restart of the agent, and catching up; and going back, where that fails. */
const installMsMax = 420_000;

export interface UpgradeOptions {
  readonly to: readonly string[];
  readonly sha256?: string;
  readonly back?: boolean;
  readonly plan?: boolean;
  readonly skip: readonly string[];
}

/** The used part of the agent's client. */
export type UpgradeClient = Pick<AgentClient, "get" | "post" | "upload">;

/** `failed`: something is left to do that this command cannot do. */
export type UpgradeEnd = "done" | "failed" | "interrupted";

/** Errors: BAD_REQUEST, REFUSED; UNREACHABLE where this host's agent does not answer. */
export async function upgrade(
  client: UpgradeClient,
  io: CommandIo,
  options: UpgradeOptions,
): Promise<UpgradeEnd> {
  if (options.to.length === 0 && options.back !== true) {
    await showVersions(client, io);
    return "done";
  }
  return await new Upgrading(client, io, options).run();
}

async function reportOf(client: UpgradeClient): Promise<UpgradeReport> {
  return checkUpgradeReport(await client.get("/gam/v1/upgrade"), "report");
}

async function showVersions(client: UpgradeClient, io: CommandIo): Promise<void> {
  const report = await reportOf(client);
  const rows = report.hosts.map(({ hostname, role, gam, problem }) => [
    hostname,
    role === "learner" ? "standby" : role,
    gam === null ? `does not answer: ${problem}` : gam.version,
    gam?.kept.find(({ sha256 }) => sha256 === gam.earlier)?.version ?? "-",
  ]);
  rows.sort(([a = ""], [b = ""]) => (a < b ? -1 : Number(a > b)));
  for (const line of columns([["HOST", "ROLE", "GAM", "BEFORE"], ...rows])) io.print(line);
  io.print("");
  io.print(
    'To upgrade all hosts, run "gam upgrade --to FILE" with a package. gam downloads nothing by itself',
  );
  const back = backVersion(report);
  if (back !== undefined) io.print(`To go back to ${back} on all hosts, run "gam upgrade --back"`);
}

class Upgrading {
  readonly #client: UpgradeClient;
  readonly #io: CommandIo;
  readonly #options: UpgradeOptions;
  #isInterrupted = false;
  /** What this host had applied at the last look: since then every host had time to apply it. */
  #applied = 0;

  constructor(client: UpgradeClient, io: CommandIo, options: UpgradeOptions) {
    this.#client = client;
    this.#io = io;
    this.#options = options;
  }

  async run(): Promise<UpgradeEnd> {
    const io = this.#io;
    const report = await this.#allAnswer();
    const goal = await this.#goal(report);
    const plan = upgradePlan(report, goal, this.#options.skip);
    this.#insistOnNames(report);
    for (const line of planView(plan, goal)) io.print(line);
    const cannot = plan.filter(({ does }) => does === "cannot");
    if (cannot.length > 0) {
      io.complain("");
      for (const { host, why } of cannot) io.complain(`${host.hostname}: ${why}`);
      io.complain('Nothing was changed. To leave a host out for now, add "--skip HOST"');
      return "failed";
    }
    if (this.#options.plan === true) return "done";
    if (report.autolock) {
      io.complain(
        'Managers are locked when they restart: run "gam unlock" on each of them meanwhile',
      );
    }
    const deafen = io.onInterrupt(() => {
      this.#isInterrupted = true;
    });
    try {
      return await this.#each(goal, plan);
    } finally {
      deafen();
    }
  }

  /** A host may be restarting since an earlier run of this command. */
  async #allAnswer(): Promise<UpgradeReport> {
    const { skip } = this.#options;
    const untilMs = this.#io.nowMs() + answerMsMax;
    const isSilent = ({ gam, hostname, id }: UpgradeHost): boolean =>
      gam === null && !skip.includes(hostname) && !skip.includes(id);
    const waiting = new Set<string>();
    for (;;) {
      const isLast = this.#io.nowMs() > untilMs;
      const report = isLast ? await reportOf(this.#client) : await this.#reportOr();
      const silent = report?.hosts.filter(isSilent).map(({ hostname }) => hostname);
      if (report !== undefined && (isLast || silent?.length === 0)) return report;
      for (const name of silent ?? ["this host's agent"]) {
        if (!waiting.has(name)) this.#io.complain(`Waiting for ${name}`);
        waiting.add(name);
      }
      await this.#io.pause(pollMs);
    }
  }

  async #goal(report: UpgradeReport): Promise<UpgradeGoal> {
    const { to, sha256, back } = this.#options;
    if (back === true) {
      const version = backVersion(report);
      if (version !== undefined) return { kind: "back", version };
      const [running, ...others] = new Set(report.hosts.map(({ gam }) => gam?.version));
      const noEarlier = report.hosts.every(({ gam }) => gam?.earlier === "");
      const found =
        others.length === 0 && noEarlier
          ? `all hosts run ${running} and keep no earlier package. They have gone back already, or were never upgraded`
          : 'the hosts do not all keep a package of one earlier version. "gam upgrade" shows what they keep';
      throw new GamError(
        "REFUSED",
        `Cannot go back: ${found}. To install a certain package, run "gam upgrade --to FILE"`,
      );
    }
    const packages: GamPackage[] = [];
    for (const file of to) packages.push(await this.#upload(file, sha256, report));
    const versions = [...new Set(packages.map(({ version }) => version))];
    const [version = ""] = versions;
    if (versions.length === 1) return { kind: "to", version, packages };
    throw new GamError(
      "BAD_REQUEST",
      `Cannot upgrade to several versions at once: found ${versions.join(", ")}. Give packages of one build`,
    );
  }

  async #upload(
    file: string,
    given: string | undefined,
    { self, hosts }: UpgradeReport,
  ): Promise<GamPackage> {
    const { name, path, sha256 } = await packageFile(this.#io, file, given);
    const kept = hosts.find(({ id }) => id === self)?.gam?.kept ?? [];
    const known = kept.find((one) => one.sha256 === sha256);
    if (known !== undefined) return known;
    const query = new URLSearchParams({ name, sha256 });
    const sent = await this.#client.upload(
      `/gam/v1/upgrade/packages?${query}`,
      createReadStream(path),
      "application/octet-stream",
    );
    return checkPackage(sent, "package");
  }

  #insistOnNames({ hosts }: UpgradeReport): void {
    for (const name of this.#options.skip) {
      if (hosts.some(({ hostname, id }) => name === hostname || name === id)) continue;
      throw new GamError("BAD_REQUEST", `Cannot leave out "${name}": there is no such host`);
    }
  }

  async #each(goal: UpgradeGoal, plan: readonly UpgradeRow[]): Promise<UpgradeEnd> {
    const io = this.#io;
    const all = plan.filter(({ does }) => does === "install").length;
    for (let number = 1; ; number += 1) {
      const beganMs = io.nowMs();
      const next = await this.#next(goal);
      if (typeof next === "string") return this.#stopped(next, all - number + 1);
      if (next === undefined) break;
      const { host, wanted } = next;
      io.print(`${host.hostname} (${number} of ${Math.max(all, number)}): ${wanted.name}`);
      const failure = await this.#replace(host, wanted, goal);
      if (failure !== undefined) return this.#stopped(failure, all - number + 1);
      const took = ((io.nowMs() - beganMs) / 1000).toFixed(1);
      io.print(`${host.hostname}: runs ${goal.version}, ready after ${took} s`);
    }
    const skipped = this.#options.skip.length;
    io.print(
      skipped === 0
        ? `All hosts run ${goal.version}`
        : `All hosts but ${this.#options.skip.join(", ")} run ${goal.version}`,
    );
    return "done";
  }

  #stopped(reason: string, left: number): UpgradeEnd {
    const io = this.#io;
    if (this.#isInterrupted) {
      io.complain(
        `Stopped: ${left} ${left === 1 ? "host is" : "hosts are"} left, and a host that has begun goes on by itself`,
      );
    } else {
      io.complain(reason);
    }
    io.complain(
      'Run the same command again to go on, or "gam upgrade --back" to go back on all hosts',
    );
    return this.#isInterrupted ? "interrupted" : "failed";
  }

  /**
   * Waits until the other hosts are as they should be. Returns: the next host; undefined when all are done; or why it
   * does not go on.
   */
  async #next(
    goal: UpgradeGoal,
  ): Promise<{ readonly host: UpgradeHost; readonly wanted: GamPackage } | string | undefined> {
    const { skip: skipped } = this.#options;
    let reason = "";
    const found = await this.#until(calmMsMax, (report, applied) => {
      const rows = upgradePlan(report, goal, skipped);
      const row = rows.find(({ does }) => does !== "done" && does !== "skip");
      const last = rows.find(({ does }) => does === "done");
      if (row === undefined) {
        // The hosts that are done must have caught up, too.
        reason = (last && holdsBack(last.host, report, { skipped, applied })) ?? "";
        return reason === "" ? { over: true as const } : undefined;
      }
      const { host, wanted, why } = row;
      // A host that another command has begun with goes on by itself.
      if (wanted !== undefined && host.gam?.installing === wanted.sha256) return { host, wanted };
      reason = wanted === undefined ? `${host.hostname}: ${why}` : "";
      reason ||= holdsBack(host, report, { skipped, applied }) ?? "";
      return reason === "" && wanted !== undefined ? { host, wanted } : undefined;
    });
    if (found === undefined) return `Does not go on: ${reason}`;
    return "over" in found ? undefined : found;
  }

  /** Returns: why the host does not run the wanted gam; undefined when it does. */
  async #replace(
    host: UpgradeHost,
    wanted: GamPackage,
    goal: UpgradeGoal,
  ): Promise<string | undefined> {
    const { hostname } = host;
    if (host.gam?.installing !== wanted.sha256) {
      const failure = await this.#send(host, wanted);
      if (failure !== undefined) return `${hostname}: the package did not get there: ${failure}`;
      if (this.#isInterrupted) return "";
      const back = goal.kind === "back";
      const body = { host: host.id, sha256: wanted.sha256, back };
      await this.#client.post("/gam/v1/upgrade/install", body);
    }
    let reason = `${hostname} did not answer`;
    let told = "";
    const beganMs = this.#io.nowMs();
    const end = await this.#until(installMsMax, (report, applied) => {
      const now = report.hosts.find(({ id }) => id === host.id);
      if (now === undefined) return { failure: `${hostname} is no member any more` };
      const last = now.gam?.last;
      if (
        now.gam?.installing === "" &&
        last?.sha256 === wanted.sha256 &&
        last.end !== "installed"
      ) {
        return { failure: failureText(now, last.end, last.printed) };
      }
      const problem = unsettled(now, report, applied);
      if (problem === undefined && now.gam?.version === wanted.version)
        return { failure: undefined };
      reason = problem ?? `${hostname} still runs ${now.gam?.version}`;
      // The user may have to do something, for example to unlock the host.
      if (this.#io.nowMs() - beganMs > patienceMs && reason !== told) {
        this.#io.complain(`Waiting: ${reason}`);
        told = reason;
      }
      return undefined;
    });
    if (end !== undefined) return end.failure;
    return `${hostname}: no end in ${installMsMax / 1000} s: ${reason}. Look at its agent's log`;
  }

  async #send(host: UpgradeHost, { sha256 }: GamPackage): Promise<string | undefined> {
    if (host.gam?.kept.some((one) => one.sha256 === sha256)) return undefined;
    const io = this.#io;
    let bytesBefore = -1;
    let movedMs = io.nowMs();
    for (;;) {
      const answer = await this.#client.post("/gam/v1/upgrade/give", { host: host.id, sha256 });
      const { state, bytes, reason } = checkGivenPackage(answer, "answer");
      if (state === "done") return undefined;
      if (state === "failed") return reason;
      if (this.#isInterrupted) return "interrupted";
      if (bytes > bytesBefore) movedMs = io.nowMs();
      bytesBefore = bytes;
      if (io.nowMs() - movedMs > sendMsMax) return `no progress for ${sendMsMax / 1000} s`;
      io.print(`${host.hostname}: ${(bytes / 1e6).toFixed(0)} MB sent`);
    }
  }

  /** Asks until `look` returns something, for so long. This host's agent may restart meanwhile. */
  async #until<T extends object>(
    withinMs: number,
    look: (report: UpgradeReport, applied: number) => T | undefined,
  ): Promise<T | undefined> {
    const untilMs = this.#io.nowMs() + withinMs;
    while (!this.#isInterrupted) {
      const report = await this.#reportOr();
      const found = report && look(report, this.#applied);
      if (found !== undefined) return found;
      this.#applied = report?.applied ?? this.#applied;
      if (this.#io.nowMs() > untilMs) return undefined;
      await this.#io.pause(pollMs);
    }
    return undefined;
  }

  async #reportOr(): Promise<UpgradeReport | undefined> {
    try {
      return await reportOf(this.#client);
    } catch (thrown) {
      if (thrown instanceof GamError && thrown.code === "UNREACHABLE") return undefined;
      throw thrown;
    }
  }
}

function failureText({ hostname, gam }: UpgradeHost, end: string, printed: string): string {
  const now = gam === null ? "" : `; it runs ${gam.version}`;
  const what =
    end === "reverted"
      ? "the new agent did not start, and the host has gone back by itself"
      : end === "failed"
        ? "the package could not be installed, and the host was left as it was"
        : "the installation was interrupted";
  return `${hostname}: ${what}${now}. It printed:\n${printed.replace(/^/gm, "  ")}`;
}

/** Lines to print. */
function planView(plan: readonly UpgradeRow[], { version }: UpgradeGoal): string[] {
  const texts = { done: "runs it already", install: "", cannot: "cannot", skip: "is left out" };
  const rows = plan.map(({ host, does }, at) => [
    String(at + 1),
    host.hostname,
    host.role === "learner" ? "standby" : host.role,
    host.gam?.version ?? "?",
    does === "install" ? version : texts[does],
  ]);
  return columns([["", "HOST", "ROLE", "GAM", "GETS"], ...rows]);
}
