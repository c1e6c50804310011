/**
 * Content desk: the data of secrets, configs and registry credentials, for tasks of this node and of others.
 *
 * A manager opens what is sealed by itself. Any other node asks one manager after the other, the leader first.
 * Decides what other nodes get here: what a task of theirs uses (content-authority.ts), and nothing else. Each
 * refusal is logged and shown in `gam status`, with the node and the object. Data is never logged.
 */
import {
  decode,
  type ErrorCode,
  encode,
  GamError,
  type NodeId,
  type SecretId,
  type TaskId,
} from "@gam/core";
import type { Mesh } from "@gam/mesh";
import { refusalOfContents } from "@gam/peer";
import type { ContentSource } from "@gam/runtime";
import {
  type ContentId,
  expandPayload,
  type Secret,
  type Service,
  type Task,
  templateContext,
  type View,
  withoutQuotes,
} from "@gam/state";
import {
  type ContentAnswer,
  type ContentQuestion,
  checkAnswer,
  checkQuestion,
  secretsMax,
} from "./content-question.ts";

const name = "contents";
const answerMs = 3_000;
/** On a slow line an answer may come at 2 Mbit/s. */
const bytesPerMs = 250;
/** Managers that one question is put to. The worker asks again later. */
const askedMax = 5;

/** Reasons for which another manager may have the answer. */
const passing: ReadonlySet<ErrorCode> = new Set([
  "BAD_FRAME",
  "IN_USE",
  "NOT_MEMBER",
  "NOT_SUPPORTED",
  "NO_LEADER",
  "UNREACHABLE",
]);

export interface ContentDeskParts {
  readonly self: NodeId;
  readonly mesh: Pick<Mesh, "request" | "handle" | "sender">;
  readonly view: () => View;
  readonly leader: () => NodeId | undefined;
  /** Errors: NOT_SUPPORTED on a worker; IN_USE while this manager lacks the newest root key. */
  readonly sealer: {
    openSecret(secret: Secret, version: number): Uint8Array;
    openCredentials(service: Service): string;
  };
  readonly withheld: (refusal: Withheld) => void;
  readonly log: { debug(fields: object, text: string): void };
}

/** What this host did not give to a node, and why. */
export interface Withheld {
  readonly peer: NodeId;
  /** For people: `secret "db"`. */
  readonly what: string;
  readonly reason: string;
}

type TaskFile = Parameters<ContentSource["files"]>[1][number];
type Wanted = Omit<ContentQuestion, "asOf">;
/** The stored data of a task's secrets and configs. */
type Stored = ReadonlyMap<ContentId, Uint8Array>;

export class ContentDesk implements ContentSource {
  readonly #parts: ContentDeskParts;

  /** Starts to answer other nodes. */
  constructor(parts: ContentDeskParts) {
    this.#parts = parts;
    parts.mesh.handle(name, (from, body) => this.#serve(from, body));
  }

  /** Errors: UNREACHABLE while no manager answers; REFUSED; NOT_FOUND; BAD_REQUEST for a template that fails. */
  async files(id: TaskId, files: readonly TaskFile[]): Promise<readonly Uint8Array[]> {
    const task = this.#task(id);
    const secrets = files.filter((file) => file.kind === "secret");
    const stored = new Map<ContentId, Uint8Array>();
    for (const [index, data] of (await this.secrets(id, secrets)).entries()) {
      const secret = secrets[index];
      if (secret !== undefined) stored.set(secret.id, data);
    }
    for (const file of files) if (file.kind === "config") stored.set(file.id, this.#config(file));
    const whole = files.map((file) => this.#whole(task, file, stored));
    for (const { id } of secrets) stored.get(id)?.fill(0);
    return whole;
  }

  /** The data of secrets as it is stored, in their order, for a task that may have it. Errors: as files(). */
  async secrets(
    task: TaskId,
    wanted: readonly { readonly id: SecretId; readonly content: number }[],
  ): Promise<readonly Uint8Array[]> {
    const found: Uint8Array[] = [];
    for (let at = 0; at < wanted.length; at += secretsMax) {
      const some = wanted.slice(at, at + secretsMax).map(({ id, content }) => ({ id, content }));
      found.push(...(await this.#get({ task, secrets: some, credentials: false })).secrets);
    }
    return found;
  }

  /** The `X-Registry-Auth` with which the task's image is pulled. Errors: as files(). */
  async credentials(task: TaskId): Promise<string> {
    const { credentials } = await this.#get({ task, secrets: [], credentials: true });
    return credentials;
  }

  #task(id: TaskId): Task {
    const task = this.#parts.view().task(id);
    if (task === undefined) throw new GamError("NOT_FOUND", `Cannot find task ${id}`);
    return task;
  }

  /** Every node has the data of configs. */
  #config({ id, name, content }: Extract<TaskFile, { kind: "config" }>): Uint8Array {
    const versions = this.#parts.view().config(id)?.Gam.contents;
    const found = versions?.find(({ version }) => version === content);
    if (found !== undefined) return found.data;
    throw new GamError("NOT_FOUND", `Cannot find config "${name}" in its version ${content}`);
  }

  /** What the file has to hold, as a copy that the caller may overwrite. */
  #whole(task: Task, file: TaskFile, stored: Stored): Uint8Array {
    const { self, view } = this.#parts;
    const { id, kind, name } = file;
    const data = stored.get(id);
    const object = file.kind === "secret" ? view().secret(file.id) : view().config(file.id);
    const node = view().node(self);
    if (data === undefined || object === undefined || node === undefined) {
      throw new GamError("NOT_FOUND", `Cannot find ${kind} "${name}"`);
    }
    if (object.Spec.Templating === undefined) return Uint8Array.from(data);
    const expanded = expandPayload(data, templateContext(task, node), sourcesOf(task, stored));
    if ("data" in expanded) return expanded.data;
    // The words of Swarm's workers.
    const message = `unable to get ${kind} from ${kind} store: failed to expand templated ${kind} ${id}`;
    const isOpen = kind === "config" && !expanded.sensitive;
    const reason = isOpen ? expanded.error : withoutQuotes(expanded.error);
    throw new GamError("BAD_REQUEST", `${message}: ${reason}`);
  }

  async #get(wanted: Wanted): Promise<ContentAnswer> {
    try {
      return this.#open(wanted);
    } catch (thrown) {
      if (!isPassing(thrown)) throw thrown;
      return await this.#ask(wanted);
    }
  }

  async #ask(wanted: Wanted): Promise<ContentAnswer> {
    const { mesh, view, log } = this.#parts;
    const what = this.#nameOf(wanted);
    const timeoutMs = answerMs + Math.ceil(this.#sizeOf(wanted) / bytesPerMs);
    for (const manager of this.#managers()) {
      const question: ContentQuestion = { ...wanted, asOf: view().index };
      try {
        const body = encode(question);
        const bytes = await mesh.request(manager, { name, body, timeoutMs });
        const answer = checkAnswer(decode(bytes), "contents");
        if (answer.secrets.length === wanted.secrets.length) return answer;
      } catch (thrown) {
        if (!isPassing(thrown)) throw thrown;
        log.debug({ peer: manager, what, reason: thrown.message }, "A manager did not answer");
      }
    }
    // Always the same text, because each new one costs a write.
    throw new GamError("UNREACHABLE", `Cannot get ${what}: no manager answers`);
  }

  /** About how many bytes the answer has. */
  #sizeOf({ secrets }: Wanted): number {
    const view = this.#parts.view();
    const sizes = secrets.map(({ id, content }) => {
      const found = view.secret(id)?.Gam.contents.find(({ version }) => version === content);
      return found?.sealed.length ?? 0;
    });
    return sizes.reduce((sum, size) => sum + size, 0);
  }

  /** Managers that this node has a connection to, the leader first. */
  #managers(): NodeId[] {
    const { self, mesh, view, leader } = this.#parts;
    const first = leader();
    return view()
      .nodes()
      .filter(({ ID, Spec }) => ID !== self && Spec.Role === "manager")
      .map(({ ID }) => ID)
      .filter((id) => mesh.sender(id) !== undefined)
      .sort((a, b) => Number(b === first) - Number(a === first))
      .slice(0, askedMax);
  }

  #serve(from: NodeId, body: Uint8Array): Uint8Array {
    const { mesh, view, withheld } = this.#parts;
    const { asOf, ...wanted } = checkQuestion(decode(body), "contents");
    if (view().index < asOf) {
      throw new GamError("NO_LEADER", "Cannot answer: this host's state is older than the asker's");
    }
    const sender = mesh.sender(from);
    const asked = { task: wanted.task, contents: wanted.secrets };
    const reason =
      sender === undefined
        ? "it is not connected"
        : refusalOfContents(view(), { id: from, sender }, asked);
    if (reason !== undefined) {
      const what = this.#nameOf(wanted);
      withheld({ peer: from, what, reason });
      throw new GamError("REFUSED", `Cannot give ${what} to node "${from}": ${reason}`);
    }
    return encode(this.#open(wanted));
  }

  /** Errors: those of the sealer; NOT_FOUND. */
  #open({ task, secrets, credentials }: Wanted): ContentAnswer {
    const { view, sealer } = this.#parts;
    const opened = secrets.map(({ id, content }) => {
      const secret = view().secret(id);
      if (secret === undefined) throw new GamError("NOT_FOUND", `Cannot find secret "${id}"`);
      return sealer.openSecret(secret, content);
    });
    if (!credentials) return { secrets: opened, credentials: "" };
    const service = view().service(this.#task(task).ServiceID);
    if (service === undefined) {
      throw new GamError("NOT_FOUND", `Cannot find the service of task ${task}`);
    }
    return { secrets: opened, credentials: sealer.openCredentials(service) };
  }

  #nameOf({ task, secrets, credentials }: Wanted): string {
    const view = this.#parts.view();
    const names = secrets.map(({ id }) => `secret "${view.secret(id)?.Spec.Name ?? id}"`);
    const service = view.task(task)?.Gam.serviceName ?? task;
    return [...names, ...(credentials ? [`registry credentials of "${service}"`] : [])].join(", ");
  }
}

/** What the task's templates may read: what the task itself uses, as it is stored. */
function sourcesOf({ Spec }: Task, stored: Stored): Parameters<typeof expandPayload>[2] {
  const { Env = [], Secrets = [], Configs = [] } = Spec.ContainerSpec;
  const secrets = new Map(Secrets.map(({ File, SecretID }) => [File.Name, SecretID]));
  const configs = new Map(Configs.map(({ File, ConfigID }) => [File?.Name, ConfigID]));
  const find =
    (ids: ReadonlyMap<string | undefined, ContentId>) =>
    (target: string): Uint8Array | undefined => {
      const id = ids.get(target);
      return id && stored.get(id);
    };
  return { env: Env, secret: find(secrets), config: find(configs) };
}

function isPassing(thrown: unknown): thrown is GamError {
  return thrown instanceof GamError && passing.has(thrown.code);
}
