/**
 * Parts: everything that gam is made of or needs, as a CycloneDX document, and the problems found in it.
 *
 * Decides which licences are allowed, and how far each part goes: into the agent's file, into the gam
 * command, only into tests, or onto a host as a program that gam runs. Does not use `npm sbom`: that knows
 * only the packages installed on this platform. It knows neither what is in the agent's file, nor Node and
 * Debian's programs. Two runs over one checkout give the same document.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type BuildOptions, build } from "esbuild";
import { agentBundle } from "./bundle/agent.ts";
import { commandBundle } from "./bundle/command.ts";

/** Licences allowed for parts that are linked into our programs, or used to build or test them. */
const linked: ReadonlySet<string> = new Set([
  "0BSD",
  "Apache-2.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "ISC",
  "MIT",
  "Unlicense",
]);
/** Licences allowed for programs that gam only runs. They come from Debian, not from us. */
const run: ReadonlySet<string> = new Set([
  ...linked,
  "Artistic-2.0",
  "GPL-2.0-only",
  "GPL-2.0-or-later",
  "GPL-3.0-or-later",
  "LGPL-2.1-or-later",
  "SSH-OpenSSH",
  "MPL-2.0",
]);

/** Licences that Debian states only in prose. `host`: an agent runs the program; otherwise only tests do. */
const debian: Readonly<Record<string, { readonly license: string; readonly host?: true }>> = {
  "docker.io": { license: "Apache-2.0", host: true },
  iproute2: { license: "GPL-2.0-only", host: true },
  nftables: { license: "GPL-2.0-or-later", host: true },
  iptables: { license: "GPL-2.0-or-later", host: true },
  conntrack: { license: "GPL-2.0-or-later", host: true },
  "wireguard-tools": { license: "GPL-2.0-only", host: true },
  "wireguard-go": { license: "MIT", host: true },
  npm: { license: "Artistic-2.0", host: true },
  "busybox-static": { license: "GPL-2.0-only" },
  e2fsprogs: { license: "GPL-2.0-only" },
  procps: { license: "GPL-2.0-or-later AND LGPL-2.1-or-later" },
  "openssh-server": { license: "SSH-OpenSSH" },
  tcpdump: { license: "BSD-3-Clause" },
  ansible: { license: "GPL-3.0-or-later" },
  caddy: { license: "Apache-2.0" },
  "docker-compose": { license: "Apache-2.0" },
  openssl: { license: "Apache-2.0" },
  pebble: { license: "MPL-2.0" },
  prometheus: { license: "Apache-2.0" },
  "python3-docker": { license: "Apache-2.0" },
  "python3-jsondiff": { license: "MIT" },
  "python3-yaml": { license: "MIT" },
};

/** Licences of the images in docker-compose.yml. */
const images: Readonly<Record<string, string>> = {
  "docker:28-dind": "Apache-2.0",
  // Built from node:24 by docker-compose.yml itself.
  "gam-peer": "Apache-2.0",
  "node:24": "MIT",
};

/**
 * How far a part goes, the farthest first. `installed`: npm installs it with a part that is used, but none of
 * our programs loads it. `host`: a program that an agent runs.
 */
const uses = ["agent", "command", "host", "installed", "tests"] as const;
type Use = (typeof uses)[number];

interface Component {
  readonly type: "library" | "application" | "container";
  readonly "bom-ref": string;
  readonly name: string;
  readonly version?: string;
  readonly scope: "required" | "optional" | "excluded";
  readonly purl: string;
  readonly hashes?: readonly { readonly alg: "SHA-512"; readonly content: string }[];
  readonly licenses: readonly { readonly expression: string }[];
  readonly properties: readonly { readonly name: "gam:use"; readonly value: Use }[];
}

interface Locked {
  /** If it differs from the folder's name. */
  readonly name?: string | undefined;
  readonly version?: string;
  readonly license?: string | undefined;
  readonly integrity?: string;
  readonly dev?: true;
  readonly link?: true;
}

export interface PartsFiles {
  /** package-lock.json */
  readonly lock: string;
  /** Licence of the package in this folder of node_modules, from the package's manifest. */
  readonly licenseIn: (path: string) => string | undefined;
  /** scripts/env, scripts/try and scripts/test, one after the other. */
  readonly scripts: string;
  /** docker-compose.yml */
  readonly compose: string;
  /** Folders of node_modules that the agent's file and the gam command are made of. */
  readonly used: Readonly<Record<"agent" | "command", ReadonlySet<string>>>;
}

export interface Parts {
  readonly document: { readonly components: readonly Component[] };
  /** What must be fixed, one line each. */
  readonly problems: readonly string[];
}

const scopes: Readonly<Record<Use, Component["scope"]>> = {
  agent: "required",
  command: "required",
  host: "required",
  installed: "optional",
  tests: "excluded",
};

export function listParts({ lock, licenseIn, scripts, compose, used }: PartsFiles): Parts {
  const { name, version, packages } = JSON.parse(lock);
  const listing = new Listing();
  for (const [path, part] of Object.entries<Locked>(packages)) {
    const at = path.lastIndexOf("node_modules/");
    if (at < 0 || part.link) continue; // Ours.
    const folder = path.slice(at + "node_modules/".length);
    const license = part.license ?? licenseIn(path);
    listing.addPackage({ name: folder, ...part, license }, useOf(path, part, used));
  }
  const node = /^gam_node_version=(.+)$/m.exec(scripts)?.[1];
  const pins = [...scripts.matchAll(/^gam_node_sha512_(\w+)=([0-9a-f]{128})$/gm)];
  if (node === undefined || pins.length === 0) listing.problems.push("scripts/env pins no Node");
  for (const [, machine, hex = ""] of pins) {
    const integrity = `sha512-${Buffer.from(hex, "hex").toString("base64")}`;
    const part = { name: `node-linux-${machine}`, version: node ?? "", license: "MIT", integrity };
    listing.addPackage(part, "agent", "application");
  }
  for (const program of debianOf(scripts)) listing.addProgram(program);
  for (const [, image = ""] of compose.matchAll(/^\s*image: (\S+)$/gm)) listing.addImage(image);
  const document = {
    $schema: "http://cyclonedx.org/schema/bom-1.5.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    version: 1,
    metadata: {
      component: {
        type: "application",
        "bom-ref": `pkg:npm/${name}@${version}`,
        name,
        version,
        licenses: [{ expression: packages[""]?.license }],
      },
    },
    components: listing.components(),
  };
  return { document, problems: listing.problems };
}

class Listing {
  readonly problems: string[] = [];
  readonly #components = new Map<string, Component>();

  components(): readonly Component[] {
    return [...this.#components.values()].sort((a, b) => (a.purl < b.purl ? -1 : 1));
  }

  addPackage(part: Locked, use: Use, type: Component["type"] = "library"): void {
    const { name = "", version = "", license, integrity } = part;
    const purl = `pkg:npm/${name.replace("@", "%40")}@${version}`;
    // A second copy of a package: the farther use of the two counts.
    const before = this.#components.get(purl)?.properties[0]?.value;
    if (before !== undefined && uses.indexOf(before) <= uses.indexOf(use)) return;
    const content = hexOf(integrity);
    if (content === undefined) this.problems.push(`${name}@${version} has no sha512`);
    const hashes = content === undefined ? [] : [{ alg: "SHA-512" as const, content }];
    const licenses = this.#licenses(`${name}@${version}`, license, linked);
    this.#add({ type, name, version, purl, hashes, licenses }, use);
  }

  /** Without a version: the host's Debian decides it. */
  addProgram(name: string): void {
    const known = debian[name];
    const licenses = this.#licenses(`Debian's ${name}`, known?.license, run);
    const purl = `pkg:deb/debian/${name}`;
    this.#add({ type: "application", name, purl, licenses }, known?.host ? "host" : "tests");
  }

  addImage(image: string): void {
    const [name = "", version = "latest"] = image.split(":");
    const licenses = this.#licenses(`Image ${image}`, images[image], linked);
    this.#add(
      { type: "container", name, version, purl: `pkg:docker/${name}@${version}`, licenses },
      "tests",
    );
  }

  #licenses(
    shown: string,
    license: string | undefined,
    allowed: ReadonlySet<string>,
  ): Component["licenses"] {
    if (license === undefined) {
      this.problems.push(`${shown} names no licence`);
      return [];
    }
    if (!isAllowed(license, allowed)) {
      this.problems.push(`${shown} has the licence "${license}", not allowed in scripts/parts.ts`);
    }
    return [{ expression: license }];
  }

  #add(part: Omit<Component, "bom-ref" | "scope" | "properties">, use: Use): void {
    this.#components.set(part.purl, {
      ...part,
      "bom-ref": part.purl,
      scope: scopes[use],
      properties: [{ name: "gam:use", value: use }],
    });
  }
}

/** Returns npm and all packages named after `gam_use_debian` in the scripts. */
function debianOf(scripts: string): readonly string[] {
  const names = [...scripts.matchAll(/^\s*gam_use_debian (.+)$/gm)].flatMap(([, list = ""]) =>
    list.trim().split(/\s+/),
  );
  return [...new Set(["npm", ...names])].sort();
}

function useOf(path: string, { dev }: Locked, used: PartsFiles["used"]): Use {
  if (used.agent.has(path)) return "agent";
  if (used.command.has(path)) return "command";
  return dev ? "tests" : "installed";
}

function hexOf(integrity: string | undefined): string | undefined {
  const found = /^sha512-([0-9A-Za-z+/]{86}==)$/.exec(integrity ?? "")?.[1];
  return found && Buffer.from(found, "base64").toString("hex");
}

/** Whether one alternative (OR) has only allowed licences (AND). Nested expressions are not allowed. */
function isAllowed(expression: string, allowed: ReadonlySet<string>): boolean {
  const flat = /^\(([^()]*)\)$/.exec(expression)?.[1] ?? expression;
  return flat
    .split(" OR ")
    .some((one) => one.split(" AND ").every((name) => allowed.has(name.trim())));
}

/** Reads the files of this checkout. Needs node_modules. */
export async function readPartsFiles(root: string): Promise<PartsFiles> {
  const read = (path: string): string => readFileSync(join(root, path), "utf8");
  const [agent, command] = await Promise.all([foldersIn(agentBundle), foldersIn(commandBundle)]);
  return {
    lock: read("package-lock.json"),
    licenseIn: (path) => {
      const manifest = join(path, "package.json");
      if (!existsSync(join(root, manifest))) return undefined;
      const { license, licenses } = JSON.parse(read(manifest));
      return license ?? licenses?.[0]?.type;
    },
    compose: read("docker-compose.yml"),
    scripts: ["scripts/env", "scripts/try", "scripts/test"].map(read).join("\n"),
    used: { agent, command },
  };
}

async function foldersIn(bundle: BuildOptions): Promise<ReadonlySet<string>> {
  const { metafile } = await build({ ...bundle, metafile: true, write: false });
  const folders = Object.keys(metafile.inputs).map(
    (path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1],
  );
  return new Set(folders.filter((path) => path !== undefined));
}
