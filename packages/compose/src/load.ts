/**
 * Load: reads a stack file together with the files that it includes and extends.
 *
 *   include   adds the services and objects of other files; a name that is in both is refused
 *   extends   begins a service as a copy of another one, of this file or another
 *
 * Relative paths of an included or extended file begin at its own folder.
 * Source: the Compose specification, "Include" and "Extends".
 */

import { mergeServices, overlay } from "./overlay.ts";
import { entryOf } from "./reading/entry-of.ts";
import { without } from "./reading/marks.ts";
import { absolutePath, folderOf } from "./reading/path.ts";
import type { SourcePosition } from "./reading/problem.ts";
import {
  type Context,
  list,
  type Placed,
  placed,
  record,
  shortOrLong,
  text,
} from "./reading/read.ts";
import { type MapValue, parseFile, type Value } from "./reading/value.ts";
import { readEnvFile } from "./shape/environment.ts";
import { type File, type ReadFile, readFile } from "./shape/file.ts";
import type { Extended, ServiceEntry } from "./shape/service-shape.ts";

export interface LoadOptions {
  /** For messages. */
  readonly name: string;
  readonly text: string;
  readonly context: Context;
}

/** Returns: the file with everything that it includes and extends; `undefined` for an invalid one. */
export function load({ name, text, context }: LoadOptions): ReadFile | undefined {
  return new Loader(context.folder).load({ name, text, context, trail: [] });
}

interface Loading extends LoadOptions {
  /** Absolute paths of the files that include this one. */
  readonly trail: readonly string[];
}

/** One parsed file, of which services are read. */
interface Source {
  readonly name: string;
  readonly value: Value;
  readonly context: Context;
}

const pathsOrOne = (value: Value, context: Context): Placed<string>[] | undefined => {
  if (value.kind === "list") return list(placed(text))(value, context);
  const path = placed(text)(value, context);
  return path && [path];
};

const includeEntry = shortOrLong(
  (value, context) => {
    const path = placed(text)(value, context);
    return path && { at: value.at, path: [path] };
  },
  record({ path: pathsOrOne, project_directory: text, env_file: pathsOrOne }),
);

class Loader {
  /** Names in messages are relative to this folder. */
  readonly #workingDir: string;

  constructor(workingDir: string) {
    this.#workingDir = workingDir;
  }

  load({ name, text, context, trail }: Loading): ReadFile | undefined {
    const value = parseFile(name, text, context.errors);
    const own = value && readFile(value, context);
    if (value === undefined || own === undefined) return undefined;
    const source: Source = { name, value, context };
    const extended = { ...own, file: this.#extendAll(own, source) };
    const included = this.#included(source, trail);
    return included.length === 0 ? extended : this.#join(extended, included, context);
  }

  #included({ value, context }: Source, trail: readonly string[]): File[] {
    const entry = value.kind === "map" ? value.entries.get("include") : undefined;
    if (entry === undefined) return [];
    const entries = list(includeEntry)(entry.value, context) ?? [];
    return entries.flatMap(({ at, path = [], ...rest }): File[] => {
      const [first] = path;
      if (first === undefined) {
        context.errors.push({ at, message: 'found an include without "path": add it' });
        return [];
      }
      const directory = "project_directory" in rest ? rest.project_directory : undefined;
      const own = folderOf(absolutePath(first.value, context.folder));
      const folder = directory === undefined ? own : absolutePath(directory, context.folder);
      const variables = "env_file" in rest ? (rest.env_file ?? []) : [];
      const environment = { ...context.environment };
      for (const file of variables) {
        const found = readEnvFile({ path: file, required: true }, context);
        // The caller's environment comes before the file's.
        for (const [name, item] of Object.entries(found)) environment[name] ??= item ?? "";
      }
      const inner: Context = { ...context, folder, environment };
      const files = path.flatMap((file) => this.#loadPath(file, { context, inner, trail }) ?? []);
      return [overlay(files)].filter((file) => file !== undefined);
    });
  }

  #loadPath(
    path: Placed<string>,
    { context, inner, trail }: { context: Context; inner: Context; trail: readonly string[] },
  ): ReadFile | undefined {
    const absolute = absolutePath(path.value, context.folder);
    if (trail.includes(absolute)) {
      const message = `found the file "${path.value}", which includes itself: remove one include`;
      context.errors.push({ at: path.at, message });
      return undefined;
    }
    const text = textAt(absolute, path, context);
    if (text === undefined) return undefined;
    const name = this.#shown(absolute);
    return this.load({ name, text, context: inner, trail: [...trail, absolute] });
  }

  /** Adds what is included to the file. */
  #join(own: ReadFile, included: readonly File[], { errors }: Context): ReadFile {
    const take = <T extends { readonly at: SourcePosition }>(
      kind: string,
      pick: (file: File) => Readonly<Record<string, T>> | undefined,
    ): Record<string, T> => {
      const all: Record<string, T> = {};
      for (const file of [...included, own.file]) {
        for (const [name, entry] of Object.entries(pick(file) ?? {})) {
          const before = entryOf(all, name);
          if (before !== undefined && before !== entry) {
            const where = `${before.at.file}:${before.at.line}`;
            const message = `${kind} "${name}" is also in ${where}: rename one of them`;
            errors.push({ at: entry.at, message });
          }
          all[name] = entry;
        }
      }
      return all;
    };
    const file: File = {
      ...own.file,
      services: take("service", ({ services }) => services),
      networks: take("network", ({ networks }) => networks),
      volumes: take("volume", ({ volumes }) => volumes),
      secrets: take("secret", ({ secrets }) => secrets),
      configs: take("config", ({ configs }) => configs),
    };
    return { ...own, file };
  }

  #extendAll(own: ReadFile, source: Source): File {
    if (own.file.services === undefined) return own.file;
    const services: Record<string, ServiceEntry> = {};
    for (const name of Object.keys(own.file.services)) {
      const service = this.#extended(name, { own, source, chain: [] });
      if (service !== undefined) services[name] = service;
    }
    return { ...own.file, services };
  }

  #extended(
    name: string,
    from: { readonly own: ReadFile; readonly source: Source; readonly chain: readonly string[] },
  ): ServiceEntry | undefined {
    const { own, source, chain } = from;
    const found = entryOf(own.file.services, name);
    if (found?.extends === undefined) return found;
    const { extends: base, ...service } = found;
    const { context } = source;
    const key = `${source.name} ${name}`;
    if (chain.includes(key)) {
      const message = `found service "${name}", which extends itself: remove one "extends"`;
      context.errors.push({ at: base.at, message });
      return service;
    }
    const next = base.file === undefined ? from : this.#open(base.file, base, source);
    if (next === undefined) return service;
    const before = this.#extended(base.service, { ...next, chain: [...chain, key] });
    if (before === undefined) {
      const message = `found no service "${base.service}" in ${next.source.name} to extend`;
      context.errors.push({ at: base.at, message });
      return service;
    }
    const cleared = own.cleared.filter(([top, one]) => top === "services" && one === name);
    const kept = cleared.reduce((entry, path) => without(entry, path.slice(2)), before);
    return mergeServices(kept, service);
  }

  /** The services of another file that `base` needs. */
  #open(
    file: string,
    base: Extended,
    { context }: Source,
  ): { own: ReadFile; source: Source } | undefined {
    const absolute = absolutePath(file, context.folder);
    const text = textAt(absolute, { at: base.at, value: file }, context);
    const name = this.#shown(absolute);
    const value = text === undefined ? undefined : parseFile(name, text, context.errors);
    if (value === undefined) return undefined;
    const source: Source = { name, value, context: { ...context, folder: folderOf(absolute) } };
    const own = readFile(onlyService(value, base.service), source.context);
    return own && { own, source };
  }

  #shown(absolute: string): string {
    const prefix = `${this.#workingDir}/`;
    return absolute.startsWith(prefix) ? absolute.slice(prefix.length) : absolute;
  }
}

function textAt(absolute: string, path: Placed<string>, context: Context): string | undefined {
  const bytes = context.readFile(absolute);
  if (bytes !== undefined) return new TextDecoder().decode(bytes);
  const message = `found no file "${path.value}": create it, or correct the path`;
  context.errors.push({ at: path.at, message });
  return undefined;
}

/** Returns: the file with this service and those of the same file that it extends, and nothing else. */
function onlyService(value: Value, service: string): Value {
  const services = mapAt(value, "services");
  if (value.kind !== "map" || services === undefined) return value;
  const wanted = new Set<string>();
  let next: string | undefined = service;
  while (next !== undefined && !wanted.has(next)) {
    wanted.add(next);
    next = sameFileBase(services.entries.get(next)?.value);
  }
  const entries = new Map([...services.entries].filter(([name]) => wanted.has(name)));
  const only: MapValue = { ...services, entries };
  return { ...value, entries: new Map([["services", { at: services.at, value: only }]]) };
}

function sameFileBase(service: Value | undefined): string | undefined {
  const base = service?.kind === "map" ? service.entries.get("extends")?.value : undefined;
  if (base?.kind === "scalar") return base.text;
  if (base?.kind !== "map" || base.entries.has("file")) return undefined;
  const name = base.entries.get("service")?.value;
  return name?.kind === "scalar" ? name.text : undefined;
}

function mapAt(value: Value, key: string): MapValue | undefined {
  const found = value.kind === "map" ? value.entries.get(key)?.value : undefined;
  return found?.kind === "map" ? found : undefined;
}
