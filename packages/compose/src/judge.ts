/**
 * Judge: what a cluster would refuse of a stack, with file, line and column, before anything is sent.
 *
 * Decides what the files alone show: names, images, constraints, ports of two services, the size of secrets. The
 * rules are those of the API, which judges every spec again. Does not know what runs: the command asks the API.
 */
import { GamError, type NetworkId } from "@gam/core";
import {
  Budget,
  checkTemplate,
  isImageReference,
  nameProblem,
  readConstraints,
  readNetworkSpec,
  readServiceSpec,
  zoneProblem,
} from "@gam/state";
import type { ObjectCreate, ObjectKind } from "./object-spec.ts";
import { judgePods } from "./pods.ts";
import type { Problem, SourcePosition } from "./reading/problem.ts";
import type { Filled } from "./reading/read.ts";
import type { File, NetworkEntry, VolumeEntry } from "./shape/file.ts";
import type { ServiceEntry } from "./shape/service-shape.ts";
import type { At, Stack, StackService } from "./spec.ts";

/** The API gives a network its id. */
const idUnknown = "" as NetworkId;

/** Drivers whose networks exist on one host only, so services cannot use them. */
const localDrivers = new Set(["bridge", "host", "ipvlan", "macvlan", "none", "null"]);

export interface JudgeOptions {
  readonly file: File;
  /** The services that are deployed, in the order of `stack.services`. */
  readonly services: readonly ServiceEntry[];
  readonly errors: Problem[];
  readonly warnings: Problem[];
}

export function judge(stack: Stack, { file, services, errors, warnings }: JudgeOptions): void {
  for (const [index, service] of stack.services.entries()) {
    const entry = services[index];
    const before = errors.length;
    if (entry !== undefined) {
      judgeImage(entry, errors, warnings);
      judgeConstraints(entry, errors);
      judgeTemplates(entry, service, errors);
    }
    judgeName(service.spec.Name, "service", { at: service.at, errors });
    // The API's own rules, for everything that has no rule of its own here.
    if (errors.length === before)
      refusedBy(
        () => readServiceSpec(service.spec, { checkTemplate, ownProblem: zoneProblem }),
        service.at,
        errors,
      );
  }
  judgePorts(stack.services, errors);
  judgePods(stack.services, errors);
  for (const { at, body } of stack.networks) {
    if (localDrivers.has(body.Driver)) {
      const message = `network "${body.Name}" has the driver "${body.Driver}", which services cannot use: remove "driver", or write "overlay"`;
      errors.push({ at, message });
    } else refusedBy(() => readNetworkSpec(body, idUnknown), at, errors);
  }
  judgeObjects("secret", stack.secrets, errors);
  judgeObjects("config", stack.configs, errors);
  for (const [key, network] of Object.entries(file.networks ?? {})) {
    judgeExternal("network", key, { entry: network, errors });
  }
  for (const [key, volume] of Object.entries(file.volumes ?? {})) {
    judgeExternal("volume", key, { entry: volume, errors });
  }
}

function refusedBy(judgement: () => unknown, at: SourcePosition, errors: Problem[]): void {
  try {
    judgement();
  } catch (thrown) {
    if (!(thrown instanceof GamError)) throw thrown;
    errors.push({ at, message: thrown.message.replace(/^rpc error: code = \w+ desc = /, "") });
  }
}

function judgeImage(
  { at, image, build }: ServiceEntry,
  errors: Problem[],
  warnings: Problem[],
): void {
  const advice = "build it with `docker build -t NAME .` and write `image: NAME`";
  const unset = unsetIn(image);
  if (!image?.value) {
    const found =
      unset === "" ? 'found a service without "image": add it' : `found an empty image: ${unset}`;
    const message = build ? `"build" is not supported: ${advice}` : found;
    errors.push({ at: build?.at ?? image?.at ?? at, message });
    return;
  }
  if (build) {
    const message = `"build" is ignored: nodes must be able to pull "${image.value}"`;
    warnings.push({ at: build.at, message });
  }
  if (isImageReference(image.value)) return;
  const reason = unset === "" ? "write a name such as registry.example/team/app:1.2" : unset;
  errors.push({ at: image.at, message: `image "${image.value}" is not valid: ${reason}` });
}

function unsetIn(text: Filled | undefined): string {
  return (text?.unset ?? []).map((name) => `variable "${name}" is not set`).join(", ");
}

function judgeConstraints({ deploy }: ServiceEntry, errors: Problem[]): void {
  for (const constraint of deploy?.placement?.constraints ?? []) {
    const { at, value } = constraint;
    if (readConstraints([value]) !== undefined) continue;
    const reason = unsetIn(constraint) || "write one such as node.labels.zone == a";
    errors.push({ at, message: `constraint "${value}" is not valid: ${reason}` });
  }
}

/** As the API judges them, but each at its own line. */
function judgeTemplates({ places }: ServiceEntry, service: StackService, errors: Problem[]): void {
  const { spec } = service;
  const { Env, Hostname, Mounts } = spec.TaskTemplate.ContainerSpec;
  const budget = new Budget();
  const judgeText = (text: string | undefined, at: SourcePosition | undefined, what: string) => {
    const problem = checkTemplate(text ?? "", spec, budget);
    if (problem === undefined) return;
    errors.push({ at: at ?? service.at, message: `${what} is not a valid template: ${problem}` });
  };
  judgeText(Hostname, places.hostname, "the hostname");
  for (const line of Env ?? []) {
    const end = line.indexOf("=");
    if (end < 0) continue;
    const name = line.slice(0, end);
    const at = places[`environment ${name}`] ?? places.env_file;
    judgeText(line.slice(end + 1), at, `variable "${name}"`);
  }
  for (const { Source, Target = "", VolumeOptions: volume } of Mounts ?? []) {
    const at = places[`volumes ${Target}`];
    judgeText(Source, at, `the source "${Source}"`);
    judgeText(Target, at, `the target "${Target}"`);
    const options = { ...volume?.Labels, ...volume?.DriverConfig?.Options };
    for (const [key, text] of Object.entries(options)) {
      judgeText(text, at, `"${key}" of volume "${Source}"`);
    }
  }
}

function judgeName(
  name: string,
  kind: string,
  { at, errors }: { readonly at: SourcePosition; readonly errors: Problem[] },
): void {
  const problem = nameProblem(name);
  if (problem !== undefined) errors.push({ at, message: `${kind} "${name}": ${problem}` });
}

/** Two services of the stack cannot publish the same port on every node. */
function judgePorts(services: readonly StackService[], errors: Problem[]): void {
  const holders = new Map<string, string>();
  for (const { at, spec } of services) {
    for (const port of spec.EndpointSpec?.Ports ?? []) {
      if (!port.PublishedPort || port.PublishMode === "host") continue;
      const key = `${port.PublishedPort}/${port.Protocol ?? "tcp"}`;
      const holder = holders.get(key);
      if (holder !== undefined && holder !== spec.Name) {
        const message = `port ${key} is also published by service "${holder}": change one of them`;
        errors.push({ at, message });
      }
      holders.set(key, spec.Name);
    }
  }
}

const objectNameForm = /^[a-zA-Z0-9]+(?:[a-zA-Z0-9\-_.]*[a-zA-Z0-9])?$/;
const objectNameMax = 64;
/** Bytes of one object, which every manager keeps in memory. Source: Swarm's limits. */
const objectBytesEnd = { secret: 500 * 1024, config: 1000 * 1024 };

function judgeObjects(
  kind: ObjectKind,
  objects: readonly At<ObjectCreate>[],
  errors: Problem[],
): void {
  const names = new Map<string, number>();
  for (const { at, body } of objects) {
    const { Name: name, Data: data = "", Driver: driver } = body;
    if (name.length > objectNameMax || !objectNameForm.test(name)) {
      const message = `${kind} name "${name}" is not valid: use up to ${objectNameMax} letters, digits, "-", "_" and "."`;
      errors.push({ at, message });
    }
    const line = names.get(name);
    if (line !== undefined) {
      errors.push({ at, message: `${kind} "${name}" is also in line ${line}: change one name` });
    }
    names.set(name, at.line);
    if (driver !== undefined) continue;
    const bytes = Math.floor((data.replace(/=+$/, "").length * 3) / 4);
    if (bytes > 0 && bytes < objectBytesEnd[kind]) continue;
    const message = `${kind} "${name}" has ${bytes} bytes: wanted 1 to ${objectBytesEnd[kind] - 1}`;
    errors.push({ at, message });
  }
}

function judgeExternal(
  kind: string,
  key: string,
  { entry, errors }: { entry: NetworkEntry | VolumeEntry; errors: Problem[] },
): void {
  if (!entry.external?.external) return;
  const fail = (other: string): void => {
    const message = `found "external" and "${other}" for ${kind} "${key}": remove one of them`;
    errors.push({ at: entry.at, message });
  };
  if (entry.external.name && entry.name) fail("name");
  if (kind !== "volume") return;
  if (entry.driver) fail("driver");
  if (Object.keys(entry.driver_opts ?? {}).length > 0) fail("driver_opts");
  if (Object.keys(entry.labels ?? {}).length > 0) fail("labels");
}
