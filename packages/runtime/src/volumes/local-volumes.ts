/**
 * Local volumes: the volumes of this host's engine, for copies to other hosts.
 *
 * Decides nothing. Reads and writes the files in the folder that the engine names: agent and engine see the same
 * disk.
 */
import type { Readable, Writable } from "node:stream";
import { check, GamError } from "@gam/core";
import { EngineClient, EngineRefusal, EngineUnreachable } from "@gam/engine";
import { label } from "@gam/state";
import {
  bytesOfFolder,
  digestFolder,
  flushFolder,
  freeBytesAt,
  packFolder,
  unpackFolder,
} from "./folder-tar.ts";

export interface LocalVolume {
  readonly name: string;
  readonly folder: string;
  readonly labels: Readonly<Record<string, string>>;
}

const callMs = 30_000;
const text = check.string(1 << 16);
const texts = check.optional(check.orNull(check.map(text, 1 << 12)));
const inspected = check.object({
  Driver: text,
  Mountpoint: text,
  Labels: texts,
  Options: texts,
});
const containers = check.list(
  check.object({ Id: text, Names: check.list(text, 64), State: text, Labels: texts }),
  1 << 16,
);

export class LocalVolumes {
  readonly #client: EngineClient;

  constructor(socketPath: string) {
    this.#client = new EngineClient(socketPath);
  }

  /** Resolves to undefined for an unknown volume. Errors: NOT_SUPPORTED for one whose data is not in its folder. */
  async find(name: string): Promise<LocalVolume | undefined> {
    const { status, body } = await this.#ask("GET", `/volumes/${name}`);
    if (status === 404) return undefined;
    const { Driver, Mountpoint: folder, Labels, Options } = inspected(body, "volume");
    if (Driver === "local" && Object.keys(Options ?? {}).length === 0) {
      return { name, folder, labels: Labels ?? {} };
    }
    throw new GamError(
      "NOT_SUPPORTED",
      `Cannot copy volume ${name}: it has the driver "${Driver}" or driver options`,
    );
  }

  /** Resolves to the names of the containers that use it now. */
  async users(name: string): Promise<readonly string[]> {
    return (await this.#containers(name, false)).map(({ Names, Id }) => Names[0]?.slice(1) ?? Id);
  }

  async create(name: string, labels: LocalVolume["labels"]): Promise<LocalVolume> {
    await this.#insist("POST", "/volumes/create", { Name: name, Driver: "local", Labels: labels });
    const made = await this.find(name);
    if (made !== undefined) return made;
    throw new GamError("ENGINE_FAILED", `Cannot make volume ${name}: the engine lost it at once`);
  }

  /** Also removes ended containers of tasks that hold it. Errors: IN_USE while another container does. */
  async remove(name: string): Promise<void> {
    for (const { Id, State, Labels } of await this.#containers(name, true)) {
      const isEnded = State === "exited" || State === "dead" || State === "created";
      if (isEnded && Labels?.[label.task] !== undefined) {
        await this.#insist("DELETE", `/containers/${Id}`);
      }
    }
    await this.#insist("DELETE", `/volumes/${name}`);
  }

  bytes({ folder }: LocalVolume): Promise<number> {
    return bytesOfFolder(folder);
  }

  freeBytes({ folder }: LocalVolume): Promise<number> {
    return freeBytesAt(folder);
  }

  pack({ folder }: LocalVolume, to: Writable, signal: AbortSignal): Promise<void> {
    return packFolder(folder, to, signal);
  }

  /** Resolves when all files are on the disk. */
  async unpack({ folder }: LocalVolume, from: Readable, signal: AbortSignal): Promise<void> {
    await unpackFolder(folder, from, signal);
    await flushFolder(folder);
  }

  digest({ folder }: LocalVolume, signal: AbortSignal): Promise<string> {
    return digestFolder(folder, signal);
  }

  async #containers(name: string, all: boolean) {
    const filters = encodeURIComponent(JSON.stringify({ volume: [name] }));
    const { body } = await this.#insist("GET", `/containers/json?all=${all}&filters=${filters}`);
    return containers(body, "containers");
  }

  async #insist(method: "GET" | "POST" | "DELETE", path: string, body?: Record<string, unknown>) {
    const answer = await this.#ask(method, path, body);
    if (answer.status < 300 || (method === "DELETE" && answer.status === 404)) return answer;
    const { message } = Object(answer.body) as { message?: unknown };
    const code = answer.status === 409 ? "IN_USE" : "ENGINE_FAILED";
    throw new GamError(code, `Cannot ${method} ${path.split("?")[0]}: ${message ?? answer.status}`);
  }

  async #ask(method: "GET" | "POST" | "DELETE", path: string, body?: Record<string, unknown>) {
    try {
      return await this.#client.ask({ method, path, ...(body && { body }), limitMs: callMs });
    } catch (thrown) {
      if (!(thrown instanceof EngineUnreachable) && !(thrown instanceof EngineRefusal))
        throw thrown;
      throw new GamError("ENGINE_MISSING", thrown.message, { cause: thrown });
    }
  }
}
