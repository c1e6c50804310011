/**
 * Write stack: the stack file of services that run, the other way round than read-stack.ts.
 *
 * The file is read again, and what it does not say is told: nothing is left out in silence. Secrets are external,
 * since nobody can read what is in them. The data of configs goes into files beside the stack file.
 */
import { stringify } from "yaml";
import { comparable, differences, ownLabels } from "./comparable.ts";
import { withObjects } from "./object-spec.ts";
import { escaped, type Plain } from "./plain.ts";
import { readStack } from "./read-stack.ts";
import { entriesOf, type Parts, type RunningStack } from "./stack-entries.ts";

export interface WrittenStack {
  /** YAML. */
  readonly text: string;
  /** Data of configs, by their paths beside the stack file. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** What the file cannot say, and what must be there before it is deployed. */
  readonly notes: readonly string[];
}

const folder = "/stack";

export function writeStack(stack: RunningStack): WrittenStack {
  const files = new Map<string, Uint8Array>();
  const parts = partsOf(stack, files);
  const whole = { version: "3.13", ...parts } as unknown as Plain;
  const text = stringify(escaped(whole), { sortMapEntries: true, lineWidth: 0 });
  return { text, files, notes: notesOn(stack, text, files) };
}

function partsOf(stack: RunningStack, files: Map<string, Uint8Array>): Parts {
  const parts = entriesOf(stack);
  for (const key of Object.keys(parts.configs ?? {})) {
    const config = stack.configs.find(({ name }) => name === key);
    if (config === undefined || parts.configs === undefined) continue;
    const path = `${stack.name}.configs/${key}`;
    files.set(path, config.data);
    const labels = ownLabels(config.labels);
    parts.configs[key] = {
      name: key,
      file: `./${path}`,
      ...(Object.keys(labels).length > 0 && { labels }),
      ...(config.template !== undefined && { template_driver: config.template }),
    };
  }
  return parts;
}

function notesOn(
  stack: RunningStack,
  text: string,
  files: ReadonlyMap<string, Uint8Array>,
): string[] {
  const result = readStack([{ name: `${stack.name}.yml`, text }], {
    projectName: stack.name,
    environment: {},
    workingDir: folder,
    readFile: (path) => files.get(path.slice(folder.length + 1)),
  });
  if (!result.ok) return result.errors.map(({ message }) => `the file is refused: ${message}`);
  const idsOf = (uses: readonly { readonly name: string }[]): Map<string, string> =>
    new Map(uses.map(({ name }) => [name, name]));
  const again = new Map(
    result.stack.services.map((service) => {
      const { secrets, configs } = service;
      const body = withObjects(service, { secrets: idsOf(secrets), configs: idsOf(configs) });
      return [body.Name, body];
    }),
  );
  const notes = stack.services.flatMap((spec) => {
    const name = spec.Name.startsWith(`${stack.name}_`) ? spec.Name : `${stack.name}_${spec.Name}`;
    const wanted = comparable({ ...spec, Name: name }, stack);
    const renamed = name === spec.Name ? [] : [`service ${spec.Name} becomes ${name}`];
    const isAlone = (spec.TaskTemplate.Networks ?? spec.Networks ?? []).length === 0;
    const joins = isAlone ? [`service ${spec.Name} joins the network ${stack.name}_default`] : [];
    const differs = differences(wanted, comparable(again.get(name) ?? {}, stack));
    const lost = differs
      .filter((path) => !isAlone || path !== "TaskTemplate.Networks")
      .map((path) => `service ${spec.Name}: a stack file cannot say ${path}`);
    return [...renamed, ...joins, ...lost];
  });
  const secrets = new Set(
    stack.services.flatMap(({ TaskTemplate: { ContainerSpec } }) =>
      (ContainerSpec.Secrets ?? []).map(({ SecretName }) => SecretName),
    ),
  );
  const missing = [...secrets].sort().map((name) => `secret ${name} must be there before`);
  return [...notes, ...missing];
}
