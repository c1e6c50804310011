/**
 * Object spec: the secrets and configs of a stack, and the references of its services to them, as the docker client
 * sends them. Source: its recorded requests.
 */
import { base64 } from "@gam/core";
import { entryOf } from "./reading/entry-of.ts";
import type { SourcePosition } from "./reading/problem.ts";
import type { NamedService, ServiceBody } from "./service-spec.ts";
import { givenName } from "./shape/external.ts";
import type { File } from "./shape/file.ts";
import type { FileObject, FileReference } from "./shape/file-object.ts";
import {
  type Named,
  type SpecContext,
  scoped,
  some,
  stackLabels,
  undefinedName,
} from "./stack-names.ts";

export type ObjectKind = "secret" | "config";

/** The body of `POST /secrets/create` and `/configs/create`. */
export interface ObjectCreate {
  readonly Name: string;
  readonly Labels: Readonly<Record<string, string>>;
  /** Base64. Absent for a secret that a driver reads. */
  readonly Data?: string;
  readonly Driver?: { readonly Name: string; readonly Options?: Readonly<Record<string, string>> };
  readonly Templating?: { readonly Name: string };
}

/** A secret or config that a service uses. */
export interface ObjectUse extends Named {
  readonly isExternal: boolean;
  readonly File: {
    readonly Name: string;
    readonly UID: string;
    readonly GID: string;
    readonly Mode: number;
  };
}

const modeDefault = 0o444;

/** Returns: the objects that are not external, in the order of their names. */
export function objectCreates(
  objects: Readonly<Record<string, FileObject>> | undefined,
  context: SpecContext,
): { readonly at: SourcePosition; readonly body: ObjectCreate }[] {
  return Object.entries(objects ?? {})
    .filter(([, { external }]) => !external?.external)
    .map(([key, object]) => {
      const { at, driver, driver_opts: options, template_driver: template } = object;
      const body = {
        Name: objectName(key, object, context),
        Labels: stackLabels(object.labels, context),
        ...(object.data.length > 0 && { Data: base64(object.data) }),
        ...(driver && { Driver: { Name: driver, ...(options && { Options: options }) } }),
        ...(template && { Templating: { Name: template } }),
      };
      return { at, body };
    })
    .sort((a, b) => (a.body.Name < b.body.Name ? -1 : 1));
}

function objectName(key: string, object: FileObject, context: SpecContext): string {
  return givenName(object) ?? (object.external?.external ? key : scoped(key, context));
}

/** Returns: what the service uses, in the order of names. */
export function objectUses(
  { service }: NamedService,
  kind: ObjectKind,
  { file, context }: { readonly file: File; readonly context: SpecContext },
): ObjectUse[] {
  const objects = kind === "secret" ? file.secrets : file.configs;
  const references = (kind === "secret" ? service.secrets : service.configs) ?? [];
  const targets = new Map<string, number>();
  const uses = references.flatMap((reference): ObjectUse[] => {
    const { source, at } = reference;
    const object = entryOf(objects, source);
    if (object === undefined) undefinedName({ kind, name: source, at }, context);
    const File = fileOf(reference);
    const line = targets.get(File.Name);
    targets.set(File.Name, at.line);
    if (line !== undefined) {
      const message = `found the target "${File.Name}" twice, first in line ${line}: change one of them`;
      context.errors.push({ at, message });
    }
    return object === undefined ? [] : [{ ...useOf(source, object, context), at, File }];
  });
  return uses.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

function useOf(
  key: string,
  object: FileObject,
  context: SpecContext,
): { readonly name: string; readonly isExternal: boolean } {
  return {
    name: objectName(key, object, context),
    isExternal: object.external?.external ?? false,
  };
}

function fileOf({ source, target, uid, gid, mode }: FileReference): ObjectUse["File"] {
  return {
    Name: target || source,
    UID: uid || "0",
    GID: gid || "0",
    Mode: mode ?? modeDefault,
  };
}

export interface UsingService {
  readonly spec: ServiceBody;
  readonly secrets: readonly ObjectUse[];
  readonly configs: readonly ObjectUse[];
}

/** Returns: the body to send, once the ids of secrets and configs are known, by their names in the cluster. */
export function withObjects(
  { spec, secrets, configs }: UsingService,
  ids: {
    readonly secrets: ReadonlyMap<string, string>;
    readonly configs: ReadonlyMap<string, string>;
  },
) {
  const secretUses = secrets.flatMap(({ name, File }) => {
    const SecretID = ids.secrets.get(name);
    return SecretID === undefined ? [] : [{ File, SecretID, SecretName: name }];
  });
  const configUses = configs.flatMap(({ name, File }) => {
    const ConfigID = ids.configs.get(name);
    return ConfigID === undefined ? [] : [{ File, ConfigID, ConfigName: name }];
  });
  const ContainerSpec = {
    ...spec.TaskTemplate.ContainerSpec,
    ...some("Secrets", secretUses),
    ...some("Configs", configUses),
  };
  return { ...spec, TaskTemplate: { ...spec.TaskTemplate, ContainerSpec } };
}
