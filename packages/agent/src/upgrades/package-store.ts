/**
 * Package store: the packages of gam that this host keeps, one folder for each, named by its sha256.
 *
 * install.sh keeps the running package and the one before it, and removes all others. It writes the marks `present`
 * and `earlier`.
 */
import { execFile } from "node:child_process";
import { createReadStream } from "node:fs";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { promisify } from "node:util";
import { check, GamError, hasCode, messageOf, rethrowInvariant } from "@gam/core";
import { receiveFile } from "@gam/files";
import { checkPackage, type GamPackage, packageForm } from "@gam/state/answers";
import type { Marks } from "./earlier-package.ts";

/** A package has some 35 MB. */
const packageBytesMax = 2 ** 28;
/** Of a listing: what a program prints about a package. */
const outputBytesMax = 2 ** 20;
const sumForm = /^[0-9a-f]{64}$/;
const run = promisify(execFile);

const checkAbout = check.object({
  version: check.string(32),
  gam: check.object({ build: check.string(31), dialect: check.integer(1, 2 ** 31) }),
});

export class PackageStore {
  readonly folder: string;
  readonly #known = new Map<string, GamPackage>();
  /** Sums of kept files that are no packages, so that each is read only once. */
  readonly #broken = new Set<string>();
  readonly #coming = new Map<string, Promise<GamPackage>>();

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Returns: the kept packages, in the order of their sums. A file that is no package is left out. */
  async list(): Promise<GamPackage[]> {
    const found: GamPackage[] = [];
    for (const sha256 of (await this.#names("")).filter((name) => sumForm.test(name)).sort()) {
      for (const name of await this.#names(sha256)) {
        if (packageForm(name) === undefined || this.#broken.has(sha256)) continue;
        const known = this.#known.get(sha256) ?? (await this.#readOr(sha256, name));
        if (known !== undefined) found.push(known);
      }
    }
    return found;
  }

  async marks(): Promise<Marks> {
    return { present: await this.text("present"), earlier: await this.text("earlier") };
  }

  /** Returns: the first word of a note; "" where there is none. */
  async text(name: string): Promise<string> {
    try {
      return (await readFile(join(this.folder, name), "utf8")).trim();
    } catch (thrown) {
      if (hasCode(thrown, "ENOENT")) return "";
      throw thrown;
    }
  }

  /**
   * Takes a package, unless it is kept already: then the stream is read to its end all the same.
   *
   * Errors: REFUSED for another sum or no package; those of the stream and of the file system.
   */
  async take(name: string, sha256: string, content: Readable): Promise<GamPackage> {
    // It may break before somebody reads it. The reader then gets the error.
    content.on("error", () => undefined);
    const coming = this.#coming.get(sha256) ?? this.#take(name, sha256, content);
    this.#coming.set(sha256, coming);
    try {
      return await coming;
    } finally {
      this.#coming.delete(sha256);
      // A sender that still sends when the answer comes would take it for a broken connection.
      content.resume();
    }
  }

  /** Errors: NOT_FOUND. */
  async open(sha256: string): Promise<{ readonly about: GamPackage; readonly content: Readable }> {
    const about = (await this.list()).find((one) => one.sha256 === sha256);
    if (about === undefined) {
      throw new GamError("NOT_FOUND", `Cannot find package ${sha256}: this host does not keep it`);
    }
    return { about, content: createReadStream(join(this.folder, sha256, about.name)) };
  }

  async #take(name: string, sha256: string, content: Readable): Promise<GamPackage> {
    const kept = (await this.list()).find((one) => one.sha256 === sha256);
    if (kept !== undefined) return kept;
    await mkdir(join(this.folder, sha256), { recursive: true, mode: 0o700 });
    const path = join(this.folder, sha256, name);
    await receiveFile(path, content, { sha256, bytesMax: packageBytesMax });
    try {
      return await this.#read(sha256, name);
    } catch (thrown) {
      await rm(join(this.folder, sha256), { recursive: true, force: true });
      throw thrown;
    }
  }

  async #readOr(sha256: string, name: string): Promise<GamPackage | undefined> {
    try {
      return await this.#read(sha256, name);
    } catch (thrown) {
      if (!(thrown instanceof GamError)) throw thrown;
      this.#broken.add(sha256);
      return undefined;
    }
  }

  /** Errors: REFUSED. */
  async #read(sha256: string, name: string): Promise<GamPackage> {
    const form = packageForm(name);
    const path = join(this.folder, sha256, name);
    try {
      if (form === undefined) throw new Error("its name is not that of a package");
      const { version, gam } = form.kind === "deb" ? await debAbout(path) : await tarAbout(path);
      const about = {
        name,
        sha256,
        version: `${version}+${gam.build}`,
        dialect: gam.dialect,
        ...form,
      };
      this.#known.set(sha256, checkPackage(about, name));
      this.#broken.delete(sha256);
    } catch (thrown) {
      rethrowInvariant(thrown);
      throw new GamError(
        "REFUSED",
        `Cannot read ${name}: it is no package of gam that "gam upgrade" can use: ${firstWords(messageOf(thrown))}`,
        { cause: thrown },
      );
    }
    return this.#known.get(sha256) as GamPackage;
  }

  async #names(folder: string): Promise<string[]> {
    try {
      return await readdir(join(this.folder, folder));
    } catch (thrown) {
      if (hasCode(thrown, "ENOENT") || hasCode(thrown, "ENOTDIR")) return [];
      throw thrown;
    }
  }
}

async function debAbout(path: string): Promise<check.Checked<typeof checkAbout>> {
  const { stdout } = await run(
    "dpkg-deb",
    ["--field", path, "Version", "Gam-Build", "Gam-Dialect"],
    {
      maxBuffer: outputBytesMax,
    },
  );
  const fields = new Map(stdout.split("\n").map((line) => line.split(": ") as [string, string]));
  const gam = { build: fields.get("Gam-Build"), dialect: Number(fields.get("Gam-Dialect")) };
  return checkAbout({ version: fields.get("Version"), gam }, "control");
}

/** The folder in the tarball has the tarball's name. */
async function tarAbout(path: string): Promise<check.Checked<typeof checkAbout>> {
  const top = path.slice(path.lastIndexOf("/") + 1).replace(/\.tar\.gz$/, "");
  const { stdout } = await run("tar", ["-xzOf", path, `${top}/package.json`], {
    maxBuffer: outputBytesMax,
  });
  return checkAbout(JSON.parse(stdout), "package.json");
}

/** Returns: what a program printed first when it failed. The line before it is the command, with the store's paths. */
function firstWords(message: string): string {
  const [first = "", second] = message.split("\n").filter((line) => line.trim() !== "");
  return first.startsWith("Command failed") ? (second ?? first) : first;
}
