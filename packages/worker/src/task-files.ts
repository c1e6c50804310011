/**
 * Task files: the secrets and configs of a task, as files of its container.
 *
 * Decides where each file is in the container, who owns it and which content it has. Does not decide when to write
 * them (local-task.ts), nor read their data: that never passes through this package.
 *
 * Source: Docker Engine API 1.41, SecretReference and ConfigReference; the engine's default targets.
 */
import type { ConfigId, SecretId } from "@gam/core";
import type { FileTarget, Task } from "@gam/state";

type Named =
  | { readonly kind: "secret"; readonly id: SecretId }
  | { readonly kind: "config"; readonly id: ConfigId };

/** One file of a container, with the content that its task was made with. */
export type TaskFile = Named & {
  /** For people. */
  readonly name: string;
  /** Which of the object's contents. */
  readonly content: number;
  /** Absolute path in the container. */
  readonly target: string;
  readonly uid: number;
  readonly gid: number;
  /** Permissions. */
  readonly mode: number;
};

/** Files of the task, in the order of its spec, and a sentence for each one that cannot be made. */
export interface TaskFiles {
  readonly files: readonly TaskFile[];
  readonly problems: readonly string[];
}

const secretsFolder = "/run/secrets/";
const configsFolder = "/";
/** The number above it means "as it is" to the kernel. */
const idMax = 2 ** 32 - 2;

/** A config that only a credential spec uses is no file. */
export function filesOf(task: Task): TaskFiles {
  const { Secrets = [], Configs = [] } = task.Spec.ContainerSpec;
  const files: TaskFile[] = [];
  const problems: string[] = [];
  const add = (named: Named, name: string, target: FileTarget): void => {
    const content = task.Gam.contents[named.id];
    if (content === undefined) return void problems.push(`${named.kind} ${name} not found`);
    const wrong = [target.UID, target.GID].map(problemOfId).find((one) => one !== undefined);
    if (wrong !== undefined) problems.push(wrong);
    else files.push({ ...named, name, content, ...placeOf(named.kind, target) });
  };
  for (const { File, SecretID: id, SecretName } of Secrets) {
    add({ kind: "secret", id }, SecretName, File);
  }
  for (const { File, ConfigID: id, ConfigName } of Configs) {
    if (File !== undefined) add({ kind: "config", id }, ConfigName, File);
  }
  return { files, problems };
}

/** Returns: why it is no numeric id of a user or group; "" is 0. */
function problemOfId(text: string): string | undefined {
  if (!/^\d*$/.test(text)) return `strconv.Atoi: parsing "${text}": invalid syntax`;
  if (Number(text) <= idMax) return undefined;
  return `strconv.Atoi: parsing "${text}": value out of range`;
}

function placeOf(
  kind: TaskFile["kind"],
  { Name, UID, GID, Mode }: FileTarget,
): Pick<TaskFile, "target" | "uid" | "gid" | "mode"> {
  const folder = kind === "secret" ? secretsFolder : configsFolder;
  return {
    target: Name.startsWith("/") ? Name : `${folder}${Name}`,
    uid: Number(UID),
    gid: Number(GID),
    mode: Mode & 0o777,
  };
}
