/**
 * Object spec: the secrets and configs of a stack, and the references of its services to them, as the docker client
 * sends them. Source: its recorded requests.
 */
import { base64 } from "@gam/core";
import type { SourcePosition } from "./reading/problem.ts";
import type { NamedService, ServiceBody } from "./service-spec.ts";
import { givenName } from "./shape/external.ts";
import type { File } from "./shape/file.ts";
import type { FileObject, FileReference } from "./shape/file-object.ts";
import { type Named, type SpecContext, scoped, stackLabels, undefinedName } from "./stack-names.ts";

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
  /** Absent for a config that only a credential spec reads. */
  readonly File?: {
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
  const find = (name: string, at: SourcePosition): FileObject | undefined => {
    const found = objects?.[name];
    if (found === undefined) undefinedName({ kind, name, at }, context);
    return found;
  };
  const uses = references.flatMap((reference): ObjectUse[] => {
    const { source, at } = reference;
    const object = find(source, at);
    const File = fileOf(reference);
    const line = targets.get(File.Name);
    targets.set(File.Name, at.line);
    if (line !== undefined) {
      const message = `found the target "${File.Name}" twice, first in line ${line}: change one of them`;
      context.errors.push({ at, message });
    }
    return object === undefined ? [] : [{ ...useOf(source, object, context), at, File }];
  });
  const credential = kind === "config" ? service.credential_spec : undefined;
  if (credential?.config) {
    const object = find(credential.config, credential.at);
    if (object !== undefined) {
      uses.push({ ...useOf(credential.config, object, context), at: credential.at });
    }
  }
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

function fileOf({ source, target, uid, gid, mode }: FileReference): NonNullable<ObjectUse["File"]> {
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

/** Ids of secrets or configs by their names in the cluster. */
export type Ids = ReadonlyMap<string, string>;

/** Returns: the body to send, once the ids of secrets and configs are known. */
export function withObjects(
  { spec, secrets, configs }: UsingService,
  ids: { readonly secrets: Ids; readonly configs: Ids },
): ServiceBody {
  const { TaskTemplate: task } = spec;
  const container = {
    ...task.ContainerSpec,
    ...(secrets.length > 0 && {
      Secrets: secrets.map(({ name, File }) => ({
        File,
        SecretID: ids.secrets.get(name) ?? "",
        SecretName: name,
      })),
    }),
    ...(configs.length > 0 && {
      Configs: configs.map(({ name, File }) => ({
        ...(File ? { File } : { Runtime: {} }),
        ConfigID: ids.configs.get(name) ?? "",
        ConfigName: name,
      })),
    }),
  };
  const runtime = configs.find(({ File }) => File === undefined);
  const privileges = container.Privileges?.CredentialSpec;
  const ContainerSpec =
    runtime && privileges
      ? {
          ...container,
          Privileges: {
            ...container.Privileges,
            CredentialSpec: { ...privileges, Config: ids.configs.get(runtime.name) ?? "" },
          },
        }
      : container;
  return { ...spec, TaskTemplate: { ...task, ContainerSpec } };
}
