/**
 * Package hosts: hosts of a lab that have neither Node nor npm nor this checkout's gam, and packages to install there.
 *
 * Each host gets a /usr of its own, in which dpkg writes.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { type Host, LabError } from "../clusters/lab.ts";
import { must, type RunResult } from "../hosts/run.ts";

const checkout = join(import.meta.dirname, "../../..");
const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** Debian's name of this machine. */
const machine = process.arch === "x64" ? "amd64" : "arm64";
/** Where the packages are in a host. */
export const shelf = "/run/packages";

export interface MadePackage {
  /** Path of the file. */
  readonly file: string;
  /** As `gam upgrade` and `gam status` show it. */
  readonly version: string;
}

/** The command line that runs a line of a shell as a person at that host would. */
export function personsWords(line: string): string[] {
  return ["env", "-i", `PATH=${path}`, `HOME=${shelf}`, "sh", "-c", line];
}

export function at(host: Host, line: string): Promise<RunResult> {
  return host.exec(personsWords(line));
}

/** Returns: what the line printed. Errors: LabError, with what it printed, for another exit code than 0. */
export async function done(host: Host, line: string): Promise<string> {
  const { code, stdout, stderr } = await at(host, line);
  if (code !== 0)
    throw new LabError(`"${line}" at ${host.name} ended with ${code}: ${stdout}${stderr}`);
  return stdout;
}

/** Takes gam, Node and npm out of the host's /usr, and makes that writable. */
export async function equip(host: Host): Promise<void> {
  await done(
    host,
    [
      "mount -t tmpfs tmpfs /run/lock && mkdir /run/lock/upper /run/lock/work",
      "mount -t overlay -o lowerdir=/usr,upperdir=/run/lock/upper,workdir=/run/lock/work overlay /usr",
      "mount -t tmpfs tmpfs /var/cache && mkdir -p /var/cache/apt/archives/partial && mount -t tmpfs tmpfs /var/log",
      "rm -f /usr/bin/node /usr/bin/nodejs /usr/bin/npm /usr/bin/npx /usr/local/bin/node /usr/local/bin/npm /usr/local/bin/npx",
      `! command -v node && ! command -v npm && ! command -v gam && mkdir ${shelf}`,
    ].join(" && "),
  );
}

/** Copies all files of the folder to the host. */
export function putAll(host: Host, folder: string): void {
  for (const name of readdirSync(folder)) {
    copyFileSync(join(folder, name), host.path(`${shelf}/${name}`));
  }
}

/** Makes packages of this checkout for this machine, with SHA256SUMS and install.sh. */
export async function makePackages(folder: string, kinds: readonly string[]): Promise<void> {
  const words = ["--fast", "--arch", machine, "--out", folder];
  await must(
    join(checkout, "scripts/package"),
    [...words, ...kinds.flatMap((kind) => ["--only", kind])],
    { env: { ...process.env } as Record<string, string> },
  );
}

/** Makes .debs that differ from one of this checkout by their build, and by what a fault adds to the agent. */
export class Successors {
  readonly #tree: string;
  readonly #folder: string;
  readonly first: MadePackage;

  /** `folder` has the .deb of makePackages(), and is used for the others. */
  constructor(folder: string) {
    this.#folder = folder;
    const name = readdirSync(folder).find((one) => one.endsWith(".deb"));
    if (name === undefined) throw new LabError(`There is no .deb in ${folder}`);
    this.#tree = join(folder, "tree");
    execFileSync("dpkg-deb", ["--raw-extract", join(folder, name), this.#tree]);
    this.first = { file: join(folder, name), version: `0.1.0+${this.#gam().build}` };
  }

  /** Makes a package in a folder of its own, with SHA256SUMS. `fault`: JavaScript that the agent runs first. */
  make(build: string, fault = ""): MadePackage {
    const tree = this.#tree;
    const manifest = join(tree, "usr/lib/gam/package.json");
    const text = readFileSync(manifest, "utf8");
    writeFileSync(manifest, text.replace(this.#gam().build, build));
    const control = join(tree, "DEBIAN/control");
    const fields = readFileSync(control, "utf8");
    writeFileSync(control, fields.replace(/^Gam-Build: .*$/m, `Gam-Build: ${build}`));
    const agent = join(tree, "usr/lib/gam/dist/agent.mjs");
    const code = readFileSync(agent);
    if (fault !== "") writeFileSync(agent, Buffer.concat([Buffer.from(`${fault}\n`), code]));
    const folder = join(this.#folder, build);
    mkdirSync(folder);
    const file = join(folder, basename(this.first.file));
    execFileSync("dpkg-deb", ["--root-owner-group", "-Zgzip", "-z1", "--build", tree, file]);
    writeFileSync(agent, code);
    const sum = createHash("sha256").update(readFileSync(file)).digest("hex");
    writeFileSync(join(folder, "SHA256SUMS"), `${sum}  ${basename(file)}\n`);
    return { file, version: `0.1.0+${build}` };
  }

  #gam(): { readonly build: string } {
    const text = readFileSync(join(this.#tree, "usr/lib/gam/package.json"), "utf8");
    return (JSON.parse(text) as { gam: { build: string } }).gam;
  }
}

/** Copies a package and its sum to the host. Returns: its path there. */
export function put(host: Host, { file }: MadePackage): string {
  const folder = `${shelf}/${basename(join(file, ".."))}`;
  mkdirSync(host.path(folder), { recursive: true });
  for (const name of [basename(file), "SHA256SUMS"]) {
    copyFileSync(join(file, "..", name), host.path(`${folder}/${name}`));
  }
  return `${folder}/${basename(file)}`;
}
