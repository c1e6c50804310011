/**
 * Up: makes a cluster with this host, and with others over ssh.
 *
 * Asks each host what it is before each step (remote-step.ts), so the same command goes on where it stopped. A host
 * that fails does not stop the others.
 */
import { createReadStream } from "node:fs";
import { dirname, join } from "node:path";
import { GamError } from "@gam/core";
import { checkStatus, type GamStatus, packageForm } from "@gam/state/answers";
import type { AgentClient } from "../agent/agent-client.ts";
import { withAgent } from "../agent/background-agent.ts";
import type { CommandIo } from "../agent/command-io.ts";
import { readIfThere } from "../agent/input-file.ts";
import { doctor } from "../commands/doctor.ts";
import { init, tokensOf } from "../commands/mesh-commands.ts";
import { type PackageFile, packageFile } from "./package-file.ts";
import { packageFor, probeScript, type RemoteStep, readProbe, remoteStep } from "./remote-step.ts";
import { SshHost } from "./ssh-host.ts";

const hostsAtOnce = 4;
const readyMsMax = 60_000;
const pollMs = 500;
/** Install, join, and the look afterwards. */
const stepsMax = 4;

export interface UpOptions {
  readonly hosts: readonly string[];
  readonly package: readonly string[];
  readonly sha256?: string;
  readonly worker?: boolean;
  readonly advertise?: string;
}

/** Returns: whether all hosts are members, and the doctor finds nothing. Errors: those of init. */
export async function up(
  client: AgentClient,
  io: CommandIo,
  { hosts, package: files, sha256, worker = false, advertise }: UpOptions,
): Promise<boolean> {
  if (hosts.length === 0 && (worker || files.length > 0 || sha256 !== undefined)) {
    throw new GamError(
      "BAD_REQUEST",
      'Cannot use --worker, --package or --sha256 without hosts: they are about hosts to join. Run "gam up root@HOST"',
    );
  }
  const packages = hosts.length === 0 ? [] : await packagesOf(io, files, sha256);
  const begin = async (): Promise<boolean> => {
    const isNew = (await statusOf(client)).state === "inactive";
    if (isNew) await init(client, io, advertise === undefined ? {} : { advertise });
    return isNew;
  };
  const isNew = await withAgent(client, io, { keeps: true, work: begin });
  if (hosts.length === 0) {
    if (!isNew) await showLines(client, io);
    return true;
  }
  const tokens = await tokensOf(client);
  const token = worker ? tokens.worker : tokens.manager;
  const raising = new Raising(client, io, { token, packages });
  const waiting = [...new Set(hosts)];
  let isDone = true;
  await Promise.all(
    Array.from({ length: Math.min(hostsAtOnce, waiting.length) }, async () => {
      for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
        if (!(await raising.raise(name))) isDone = false;
      }
    }),
  );
  if (!isDone) io.complain("Some hosts failed. Run the same command again to go on with them");
  io.print("");
  const isHealthy = await doctor(client, io, {});
  return isDone && isHealthy;
}

async function statusOf(client: AgentClient): Promise<GamStatus> {
  return checkStatus(await client.get("/gam/v1/status"), "status");
}

async function showLines(client: AgentClient, io: CommandIo): Promise<void> {
  const { nodes } = await statusOf(client);
  const { manager } = await tokensOf(client);
  io.print(`This host is in a mesh of ${nodes.length}. To add another host, run on that host:`);
  io.print("");
  io.print(`  gam join ${manager}`);
  io.print("");
  io.print('Or run "gam up root@HOST" here: it installs gam there over ssh, and joins the host');
}

type Package = PackageFile & NonNullable<ReturnType<typeof packageForm>>;

/** Returns: the packages that the user named; else the one by which gam came to this host. */
async function packagesOf(
  io: CommandIo,
  files: readonly string[],
  sha256: string | undefined,
): Promise<Package[]> {
  const found: PackageFile[] = [];
  for (const file of files) found.push(await packageFile(io, file, sha256));
  if (files.length === 0) {
    const folder = io.environment.GAM_PACKAGES_DIR || "/var/cache/gam/packages";
    const present = textAt(join(folder, "present"));
    const name = present && textAt(join(folder, present, "name"));
    if (name) found.push(await packageFile(io, join(folder, present, name), present));
  }
  return found.flatMap((one) => {
    const form = packageForm(one.name);
    return form === undefined ? [] : { ...one, ...form };
  });
}

function textAt(path: string): string {
  return Buffer.from(readIfThere(path) ?? [])
    .toString()
    .trim();
}

class Raising {
  readonly #client: AgentClient;
  readonly #io: CommandIo;
  readonly #with: { readonly token: string; readonly packages: readonly Package[] };

  constructor(
    client: AgentClient,
    io: CommandIo,
    around: { readonly token: string; readonly packages: readonly Package[] },
  ) {
    this.#client = client;
    this.#io = io;
    this.#with = around;
  }

  /** Returns: whether the host is a member and ready. */
  async raise(name: string): Promise<boolean> {
    const io = this.#io;
    const host = new SshHost(name, io);
    try {
      let last: RemoteStep["kind"] | undefined;
      for (let count = 0; count < stepsMax; count += 1) {
        const step = await this.#look(host);
        if (step.kind === "done") {
          await this.#ready(step.id);
          io.print(`${name}: ${last === undefined ? "is a member already, and ready" : "ready"}`);
          return true;
        }
        if (step.kind === "cannot") throw new GamError("REFUSED", step.why);
        if (step.kind === last) throw new GamError("REFUSED", `the step "${last}" had no effect`);
        last = step.kind;
        if (step.kind === "install") await this.#install(host, step);
        else await this.#join(host);
      }
      throw new GamError("REFUSED", "it does not become a member");
    } catch (thrown) {
      if (!(thrown instanceof GamError)) throw thrown;
      io.complain(`${name}: ${thrown.message}`);
      return false;
    }
  }

  async #look(host: SshHost): Promise<RemoteStep> {
    const said = await host.run("sh -s", probeScript);
    const probe = readProbe(said);
    if (probe === undefined) {
      throw new GamError("REFUSED", `it answered with something unexpected: ${said.slice(0, 200)}`);
    }
    const { nodes } = await statusOf(this.#client);
    return remoteStep(
      probe,
      nodes.map(({ id }) => id),
    );
  }

  async #install(host: SshHost, step: Extract<RemoteStep, { kind: "install" }>): Promise<void> {
    const io = this.#io;
    const one = packageFor(this.#with.packages, step);
    if (one === undefined) {
      const wanted = `gam_VERSION_${step.machine}.deb or gam-VERSION-linux-${step.machine}.tar.gz`;
      throw new GamError("NOT_FOUND", `there is no package for it. Give "--package ${wanted}"`);
    }
    io.print(`${host.name}: installing ${one.name}`);
    const folder = (await host.run("mktemp -d")).trim();
    if (!/^\/[\w./@-]+$/.test(folder)) {
      throw new GamError("REFUSED", `mktemp answered with "${folder}"`);
    }
    await host.run(`cat >${folder}/${one.name}`, createReadStream(one.path));
    await host.run(`cat >${folder}/install.sh`, installer(io, one.folder));
    await host.run(
      `sh ${folder}/install.sh ${folder}/${one.name} --sha256 ${one.sha256} && rm -rf ${folder}`,
    );
  }

  async #join(host: SshHost): Promise<void> {
    this.#io.print(`${host.name}: joining`);
    await host.run("gam join -", `${this.#with.token}\n`);
  }

  /** Errors: UNREACHABLE when the node is not ready in time. */
  async #ready(id: string): Promise<void> {
    const io = this.#io;
    const untilMs = io.nowMs() + readyMsMax;
    for (;;) {
      const node = (await statusOf(this.#client)).nodes.find((one) => one.id === id);
      // Without an engine it is a member, too. The doctor says what it lacks.
      if (node?.heard === true && (node.state === "ready" || !node.engine)) return;
      if (io.nowMs() > untilMs) {
        throw new GamError(
          "UNREACHABLE",
          `it joined and is not ready after ${readyMsMax / 1000} s. Run "gam doctor"`,
        );
      }
      await io.pause(pollMs);
    }
  }
}

/** Returns: the text of install.sh: of this gam, or beside the package. Errors: NOT_FOUND. */
function installer({ environment }: CommandIo, folder: string): string {
  const root = dirname(dirname(environment.GAM_COMMAND ?? ""));
  for (const path of [
    join(root, "install.sh"),
    join(folder, "install.sh"),
    join(root, "scripts/packaging/install.sh"),
  ]) {
    const found = textAt(path);
    if (found !== "") return `${found}\n`;
  }
  throw new GamError("NOT_FOUND", `there is no install.sh beside the package in ${folder}`);
}
