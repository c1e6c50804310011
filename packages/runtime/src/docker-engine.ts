/**
 * Docker engine: calls the Docker engine of this node over its socket.
 *
 *   const engine = new DockerEngine({ socketPath: "/var/run/docker.sock", contents });
 *   engine.watch((news) => peer.step(news));          // call first: actions fail until it has connected
 *   const outcome = await engine.perform(action);
 *
 * Decides nothing: actions come from the worker, results go back to it. Touches only objects with gam's
 * labels. It reports an engine that is missing, dead or too old as news, not as an error.
 */
import { check, GamError } from "@gam/core";
import { EngineClient, type EngineRefusal, EngineUnreachable, isEngineError } from "@gam/engine";
import {
  type GenericResource,
  gpuKind,
  kindAndCount,
  type NodeDescription,
  type TaskToMeasure,
  type TaskUsage,
  type Usage,
} from "@gam/state";
import type { ActionOutcome, EngineAction } from "@gam/worker";
import type { ContainerEngine, EngineNews } from "./container-engine.ts";
import type { EngineContents } from "./contents/file-room.ts";
import { EngineWatch } from "./engine-watch.ts";
import { diskFreeBytes, HostUsage } from "./host-usage.ts";
import { type EngineImages, registriesOnly } from "./image-source.ts";
import type { ForeignNames } from "./images/foreign-names.ts";
import { NetworkBook } from "./network-book.ts";
import { nvidiaGpus } from "./nvidia-gpus.ts";
import { Performer } from "./perform-action.ts";
import { TaskAsker } from "./probes/task-asker.ts";
import { TaskLoads } from "./task-loads.ts";

export interface EngineOptions {
  readonly socketPath?: string;
  readonly contents: EngineContents;
  /** Absent: images come from registries only. */
  readonly images?: EngineImages;
}

const socketPathDefault = "/var/run/docker.sock";
const answerMs = 10_000;
/** A disk fills slowly, and reading its free space is the most expensive part of measuring usage. */
const diskEveryMs = 10_000;
/** A peer accepts no more images from another peer. */
const imagesMax = 4096;
const text = check.string(1 << 20);
const texts = check.optional(check.list(text, 1 << 16));

const genericResource = check.object({
  NamedResourceSpec: check.optional(check.object({ Kind: text, Value: text })),
  DiscreteResourceSpec: check.optional(check.object({ Kind: text, Value: check.integer() })),
});

const info = check.object({
  Name: text,
  Architecture: text,
  OSType: text,
  NCPU: check.integer(),
  MemTotal: check.integer(),
  ServerVersion: text,
  DockerRootDir: text,
  Labels: texts,
  GenericResources: check.optional(check.list(genericResource, 4096)),
  Runtimes: check.optional(check.map((runtime) => runtime, 256)),
  Plugins: check.object({ Volume: texts, Network: texts, Log: texts }),
});
function isGpu(resource: GenericResource): boolean {
  return kindAndCount(resource)[0] === gpuKind;
}

const images = check.list(check.object({ Id: text, RepoTags: texts, RepoDigests: texts }), 1 << 16);

export class DockerEngine implements ContainerEngine {
  readonly #client: EngineClient;
  readonly #networks: NetworkBook;
  readonly #names: ForeignNames;
  readonly #performer: Performer;
  readonly #host = new HostUsage();
  readonly #loads = new TaskLoads();
  readonly #asker = new TaskAsker();
  #watch: EngineWatch | undefined;
  #missing = "Cannot reach engine: not tried yet";
  #ready = false;
  #images: readonly string[] = [];
  #imagesStale = true;
  #listing = false;
  #rootDir = "/";
  #diskFreeBytes = 0;
  #diskAtMs = Number.NEGATIVE_INFINITY;

  constructor({
    socketPath = socketPathDefault,
    contents,
    images = registriesOnly(),
  }: EngineOptions) {
    this.#client = new EngineClient(socketPath);
    this.#names = images.names;
    this.#networks = new NetworkBook(this.#client);
    this.#performer = new Performer({
      ...{ client: this.#client, networks: this.#networks, contents, images },
      asked: (task) => this.#watch?.asked(task),
    });
  }

  /** Gam's networks in this engine, for the data plane. */
  get networks(): NetworkBook {
    return this.#networks;
  }

  watch(listener: (news: EngineNews) => void): void {
    this.#watch ??= new EngineWatch(this.#client, this.#performer, {
      onNews: (news) => {
        if (news.kind === "engine") {
          this.#ready = news.ready;
          this.#missing = news.reason;
        }
        listener(news);
      },
      onConnect: () => {
        this.#networks.forget();
        this.#imagesStale = true;
      },
      onImagesChanged: () => {
        this.#imagesStale = true;
      },
    });
    this.#watch.start();
  }

  async perform(action: EngineAction): Promise<ActionOutcome> {
    if (!this.#ready) return { ok: false, failure: "engine", message: this.#missing };
    const act = (): Promise<ActionOutcome> => this.#performer.perform(action);
    const changes = action.kind === "create" || "container" in action;
    if (this.#watch === undefined || !changes) return await act();
    return await this.#watch.during(action.task, act);
  }

  async describe(): Promise<NodeDescription> {
    const found = info(await this.#get("/info"), "info");
    if (this.#rootDir !== found.DockerRootDir) this.#diskAtMs = Number.NEGATIVE_INFINITY;
    this.#rootDir = found.DockerRootDir;
    const said = found.GenericResources ?? [];
    const GenericResources = said.some(isGpu)
      ? said
      : [...said, ...(await nvidiaGpus(Object.keys(found.Runtimes ?? {})))];
    const plugins = (["Log", "Network", "Volume"] as const).flatMap((Type) =>
      (found.Plugins[Type] ?? []).sort().map((Name) => ({ Type, Name })),
    );
    const labels = (found.Labels ?? []).map((line): [string, string] => {
      const at = line.indexOf("=");
      return at < 0 ? [line, ""] : [line.slice(0, at), line.slice(at + 1)];
    });
    return {
      Hostname: found.Name,
      Platform: { Architecture: found.Architecture, OS: found.OSType },
      Resources: {
        NanoCPUs: found.NCPU * 1e9,
        MemoryBytes: found.MemTotal,
        ...(GenericResources.length > 0 && { GenericResources }),
      },
      Engine: {
        EngineVersion: found.ServerVersion,
        Labels: Object.fromEntries(labels),
        Plugins: plugins,
      },
    };
  }

  async usage(tasks: readonly TaskToMeasure[] = []): Promise<Usage> {
    // Not awaited: a hung engine must not block the host's usage reports.
    if (this.#ready && this.#imagesStale && !this.#listing) void this.#refreshImages();
    if (performance.now() >= this.#diskAtMs + diskEveryMs) {
      this.#diskAtMs = performance.now();
      this.#diskFreeBytes = await diskFreeBytes(this.#rootDir);
    }
    return {
      ...this.#host.measure(),
      diskFreeBytes: this.#diskFreeBytes,
      containers: this.#watch?.running ?? 0,
      images: this.#ready ? this.#images : [],
      ...(tasks.length > 0 && { tasks: this.#usageOf(tasks) }),
      atMs: Date.now(),
    };
  }

  #usageOf(tasks: readonly TaskToMeasure[]): readonly TaskUsage[] {
    const nowMs = performance.now();
    const answers = this.#asker.ask(tasks, nowMs);
    return this.#loads.measure(tasks, nowMs).map((load) => ({ ...load, ...answers.get(load.id) }));
  }

  async close(): Promise<void> {
    const closed = this.#watch?.close();
    this.#client.close();
    await closed;
  }

  /** When the engine fails meanwhile, the list stays stale and a later usage() tries again. */
  async #refreshImages(): Promise<void> {
    this.#imagesStale = false;
    this.#listing = true;
    try {
      const found = images(await this.#get("/images/json"), "images");
      const known = this.#names.byId();
      const names = found.flatMap(({ Id, RepoTags, RepoDigests }) => [
        Id,
        ...[...(RepoTags ?? []), ...(RepoDigests ?? [])].filter((name) => !name.includes("<none>")),
        ...(known.get(Id) ?? []),
      ]);
      this.#images = names.slice(0, imagesMax);
    } catch (thrown) {
      if (!(thrown instanceof GamError)) throw thrown;
      this.#imagesStale = true;
    } finally {
      this.#listing = false;
    }
  }

  async #get(path: string): Promise<unknown> {
    try {
      return await this.#client.call({ method: "GET", path, limitMs: answerMs });
    } catch (thrown) {
      if (!isEngineError(thrown)) throw thrown;
      throw told(thrown, `Cannot ask engine for ${path}`);
    }
  }
}

/** Turns an error of the engine client into a GamError. */
function told(thrown: EngineRefusal | EngineUnreachable, what: string): GamError {
  const options = { cause: thrown };
  if (thrown instanceof EngineUnreachable) {
    return new GamError("ENGINE_MISSING", `${what}: ${thrown.message}`, options);
  }
  const code = thrown.status === 404 ? "NOT_FOUND" : "ENGINE_FAILED";
  return new GamError(code, `${what}: ${thrown.message}`, options);
}
