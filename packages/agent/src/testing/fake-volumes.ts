/** Fake volumes: volumes of an engine that is not there, with real files. */
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { GamError } from "@gam/core";
import { type LocalVolume, LocalVolumes, type VolumeUser } from "@gam/runtime";
import type { VolumeShelf } from "../volumes/volume-shelf.ts";

export class FakeVolumes implements VolumeShelf {
  readonly #home: string;
  readonly #volumes = new Map<string, LocalVolume>();
  /** By volume. */
  readonly using = new Map<string, readonly VolumeUser[]>();
  /** Each command that ran, as "container: command". */
  readonly ran: string[] = [];
  /** Commands that fail. */
  readonly failing = new Set<string>();
  /** Called between the pieces of work of a command. */
  onRun: (command: string) => void = () => undefined;
  free = 1e12;
  /** Volumes with a driver of their own. */
  readonly foreign = new Set<string>();
  readonly #real = new LocalVolumes("/nonexistent/engine.sock");

  constructor(home: string) {
    this.#home = home;
  }

  find: VolumeShelf["find"] = async (name) => {
    if (this.foreign.has(name)) {
      throw new GamError("NOT_SUPPORTED", `Cannot copy volume ${name}: it has another driver`);
    }
    return this.#volumes.get(name);
  };
  users: VolumeShelf["users"] = async (name) =>
    (this.using.get(name) ?? []).map((user) => user.name);
  runningWith: VolumeShelf["runningWith"] = async (name) => this.using.get(name) ?? [];
  run: VolumeShelf["run"] = async ({ name }, command) => {
    this.ran.push(`${name}: ${command}`);
    this.onRun(command);
    if (this.failing.has(command)) {
      throw new GamError("REFUSED", `the command in ${name} ended with code 1: no`);
    }
  };
  create: VolumeShelf["create"] = async (name, labels) => {
    const folder = join(this.#home, name, "_data");
    const known = this.#volumes.get(name);
    if (known !== undefined) return known;
    mkdirSync(folder, { recursive: true });
    const volume = { name, folder, labels };
    this.#volumes.set(name, volume);
    return volume;
  };
  remove: VolumeShelf["remove"] = async (name) => {
    const [user] = this.using.get(name) ?? [];
    if (user !== undefined) throw new GamError("IN_USE", `volume is in use - [${user.id}]`);
    this.#volumes.delete(name);
    rmSync(join(this.#home, name), { recursive: true, force: true });
  };
  bytes: VolumeShelf["bytes"] = (volume) => this.#real.bytes(volume);
  freeBytes: VolumeShelf["freeBytes"] = async () => this.free;
  pack: VolumeShelf["pack"] = (...asked) => this.#real.pack(...asked);
  unpack: VolumeShelf["unpack"] = (...asked) => this.#real.unpack(...asked);
  unpackBeside: VolumeShelf["unpackBeside"] = (...asked) => this.#real.unpackBeside(...asked);
  digest: VolumeShelf["digest"] = (...asked) => this.#real.digest(...asked);

  /** Returns: the folder of a volume, which exists from now on. */
  folderOf(name: string): string {
    const folder = join(this.#home, name, "_data");
    if (!existsSync(folder)) mkdirSync(folder, { recursive: true });
    if (!this.#volumes.has(name)) this.#volumes.set(name, { name, folder, labels: { by: "hand" } });
    return folder;
  }
}
