/**
 * Content references: the secrets and configs that a service's spec names.
 *
 * Decides whether the list makes sense by itself, and its one stored form. Does not decide whether the objects
 * exist (content-refusal.ts). Errors: GamError BAD_REQUEST, in Swarm's words.
 */
import { GamError } from "@gam/core";
import type { ConfigReference, FileTarget, SecretReference } from "../objects/service.ts";
import { fileMode, list, type Shaped, struct, text } from "./json-shape.ts";

const fileShape = (goType: string) =>
  struct(goType, { Name: text, UID: text, GID: text, Mode: fileMode });

export const secretReferences = list(
  struct("SecretReference", {
    File: fileShape("SecretReferenceFileTarget"),
    SecretID: text,
    SecretName: text,
  }),
  {},
  "*swarm.SecretReference",
);

export const configReferences = list(
  struct("ConfigReference", {
    File: fileShape("ConfigReferenceFileTarget"),
    Runtime: struct("ConfigReferenceRuntimeTarget", {}),
    ConfigID: text,
    ConfigName: text,
  }),
  {},
  "*swarm.ConfigReference",
);

type ReadFile = Shaped<ReturnType<typeof fileShape>>;

function refuse(message: string): never {
  throw new GamError("BAD_REQUEST", `rpc error: code = InvalidArgument desc = ${message}`);
}

function fileTarget({ Name = "", UID = "", GID = "", Mode = 0 }: ReadFile): FileTarget {
  return { Name, UID, GID, Mode };
}

/** Finds two references with the same file. */
class Targets {
  readonly #names = new Map<string, string>();
  readonly #kind: string;

  constructor(kind: string) {
    this.#kind = kind;
  }

  take({ Name }: FileTarget, owner: string): void {
    const kind = this.#kind;
    if (Name === "") refuse(`malformed file ${kind} reference, invalid target file name provided`);
    const other = this.#names.get(Name);
    if (other !== undefined) {
      refuse(`${kind} references '${other}' and '${owner}' have a conflicting target: '${Name}'`);
    }
    this.#names.set(Name, owner);
  }
}

export function readSecretReferences(
  read: NonNullable<Shaped<typeof secretReferences>>,
): readonly SecretReference[] {
  const targets = new Targets("secret");
  return read.map(({ File, SecretID = "", SecretName = "" }) => {
    if (SecretID === "" || SecretName === "") refuse("malformed secret reference");
    if (File === undefined) refuse("malformed secret reference, no target provided");
    const target = fileTarget(File);
    targets.take(target, SecretName);
    return { File: target, SecretID: SecretID as SecretReference["SecretID"], SecretName };
  });
}

export function readConfigReferences(
  read: NonNullable<Shaped<typeof configReferences>>,
): readonly ConfigReference[] {
  const targets = new Targets("config");
  return read.map(({ File, Runtime, ConfigID = "", ConfigName = "" }) => {
    if (ConfigID === "" || ConfigName === "") refuse("malformed config reference");
    const owner = { ConfigID: ConfigID as ConfigReference["ConfigID"], ConfigName };
    if (File !== undefined) {
      const target = fileTarget(File);
      targets.take(target, ConfigName);
      return { File: target, ...owner };
    }
    if (Runtime === undefined) refuse("malformed config reference, no target provided");
    return { Runtime: {}, ...owner };
  });
}
