/**
 * Local volumes: the volumes of this host's engine, for copies to other hosts, backups and restores.
 *
 * Decides nothing. Reads and writes the files in the folder that the engine names: agent and engine see the same
 * disk.
 */
import type { Readable, Writable } from "node:stream";
import { check, GamError, rethrowInvariant, type TaskId } from "@gam/core";
import { EngineClient, EngineRefusal, EngineUnreachable, isEngineError } from "@gam/engine";
import { label } from "@gam/state";
import {
  bytesOfFolder,
  digestFolder,
  flushFolder,
  freeBytesAt,
  packFolder,
  unpackFolder,
} from "./folder-tar.ts";
import type { RestoreFolder } from "./restore-folder.ts";

export interface LocalVolume {
  readonly name: string;
  readonly folder: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** A running container that uses a volume. */
export interface VolumeUser {
  readonly id: string;
  readonly name: string;
  /** Of a service's container. */
  readonly task: TaskId | undefined;
}

const callMs = 30_000;
/** Of what a command prints, the end is kept. */
const wordsMax = 2048;
const text = check.string(1 << 16);
const texts = check.optional(check.orNull(check.map(text, 1 << 12)));
const inspected = check.object({
  Driver: text,
  Mountpoint: text,
  Labels: texts,
  Options: texts,
});
const made = check.object({ Id: text });
const ended = check.object({ ExitCode: check.orNull(check.number(Number.MIN_SAFE_INTEGER)) });
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

  /** Resolves to the running containers that use it. */
  async runningWith(name: string): Promise<readonly VolumeUser[]> {
    const all = await this.#containers(name, false);
    return all.map(({ Id, Names, Labels }) => ({
      ...{
        id: Id,
        name: Names[0]?.slice(1) ?? Id,
        task: Labels?.[label.task] as TaskId | undefined,
      },
    }));
  }

  /**
   * Runs a command by the container's shell, and waits for its end. Does not end the command when it takes too long:
   * Docker cannot.
   *
   * Errors: REFUSED for another exit code than 0, with the end of what it printed; ENGINE_FAILED; ENGINE_MISSING.
   */
  async run(container: VolumeUser, command: string, limitMs: number): Promise<void> {
    const { id, name } = container;
    const Cmd = ["/bin/sh", "-c", command];
    const wanted = { AttachStdout: true, AttachStderr: true, Cmd };
    const { body } = await this.#insist("POST", `/containers/${id}/exec`, wanted);
    const { Id } = made(body, "exec");
    const path = `/exec/${Id}/start`;
    const call = { method: "POST", path, body: { Detach: false, Tty: false }, limitMs } as const;
    const said = await this.#inTime(async () => await lastWords(await this.#client.stream(call)), {
      ...{ limitMs, name },
    });
    const { ExitCode } = ended((await this.#insist("GET", `/exec/${Id}/json`)).body, "exec");
    if (ExitCode === 0) return;
    const found = said === "" ? "" : `: ${said}`;
    throw new GamError("REFUSED", `the command in ${name} ended with code ${ExitCode}${found}`);
  }

  async #inTime<T>(
    work: () => Promise<T>,
    { limitMs, name }: { readonly limitMs: number; readonly name: string },
  ): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const message = `the command in ${name} has not ended within ${limitMs / 1000} s`;
      timer = setTimeout(() => reject(new GamError("REFUSED", message)), limitMs);
    });
    try {
      return await Promise.race([work(), late]);
    } catch (thrown) {
      rethrowInvariant(thrown);
      throw isEngineError(thrown)
        ? new GamError("ENGINE_FAILED", thrown.message, { cause: thrown })
        : thrown;
    } finally {
      clearTimeout(timer);
    }
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

  /** As packFolder(). */
  pack(
    { folder }: LocalVolume,
    to: Writable,
    options: Parameters<typeof packFolder>[2],
  ): Promise<readonly string[]> {
    return packFolder(folder, to, options);
  }

  /** Resolves when all files are on the disk. */
  async unpack({ folder }: LocalVolume, from: Readable, signal: AbortSignal): Promise<void> {
    await unpackFolder(folder, from, signal);
    await flushFolder(folder);
  }

  /** Writes the files beside the volume. Call RestoreFolder.finish() then. */
  async unpackBeside(to: RestoreFolder, from: Readable, signal: AbortSignal): Promise<void> {
    await to.begin();
    await unpackFolder(to.partial, from, signal);
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

/** Resolves to the end of what a command has printed. The engine puts eight bytes before each piece. */
async function lastWords(stream: Readable): Promise<string> {
  let left = Buffer.alloc(0);
  let words = "";
  for await (const piece of stream as AsyncIterable<Buffer>) {
    left = Buffer.concat([left, piece]);
    while (left.length >= 8) {
      const bytes = left.readUInt32BE(4);
      if (left.length < 8 + bytes) break;
      words = (words + left.toString("utf8", 8, 8 + bytes)).slice(-wordsMax);
      left = left.subarray(8 + bytes);
    }
  }
  return words.trim();
}
