/**
 * Contents: how the simulator's clients make, change and remove secrets and configs, and use them in services.
 *
 * Nothing is sealed here, since sealing belongs to the agent: the bytes only look like it.
 */
import type { ConfigId, SecretId } from "@gam/core";
import {
  type AskedChange,
  type ContainerSpec,
  newestKey,
  type Sealed,
  type ServiceSpec,
  type View,
} from "@gam/state";
import type { SimHost } from "./hosts/host.ts";
import type { World } from "./world.ts";

/** Of each kind. */
const objectsMax = 3;

/** Text as if sealed with the newest key. */
export function sealedText(view: View, text: string): Sealed {
  return { key: newestKey(view) ?? "", sealed: new TextEncoder().encode(text.padEnd(40, ".")) };
}

/** `id`: unused so far. */
export function askForContents(world: World, host: SimHost, view: View, id: string): void {
  const isSecret = world.random.below(2) === 0;
  const change = isSecret ? secretChange(world, view, id) : configChange(world, view, id);
  world.ask(host, [change]);
}

function secretChange(world: World, view: View, made: string): AskedChange {
  const holder = someOf(world, view.secrets());
  const text = `pw${world.count("content")}`;
  if (holder === undefined) {
    const id = made as SecretId;
    const content = { version: 1, ...sealedText(view, text) };
    const spec = { Name: `secret${world.count("secret")}`, Labels: {} };
    return { kind: "createSecret", id, spec, content };
  }
  const { ID: id, Version, Gam } = holder;
  if (world.random.below(8) === 0) return { kind: "removeSecret", id };
  const basedOn = Version.Index;
  if (world.random.below(5) === 0) return { kind: "updateSecret", id, labels: { text }, basedOn };
  const content = { version: Gam.last + 1, ...sealedText(view, text) };
  return { kind: "updateSecret", id, labels: {}, content, basedOn };
}

function configChange(world: World, view: View, made: string): AskedChange {
  const holder = someOf(world, view.configs());
  const data = new TextEncoder().encode(`conf${world.count("content")}`);
  if (holder === undefined) {
    const spec = { Name: `config${world.count("config")}`, Labels: {} };
    return { kind: "createConfig", id: made as ConfigId, spec, content: { version: 1, data } };
  }
  const { ID: id, Version, Gam } = holder;
  if (world.random.below(8) === 0) return { kind: "removeConfig", id };
  const content = { version: Gam.last + 1, data };
  return { kind: "updateConfig", id, labels: {}, content, basedOn: Version.Index };
}

/** An object to change or remove; undefined to make a new one. */
function someOf<Holder>({ random }: World, all: readonly Holder[]): Holder | undefined {
  if (all.length === 0 || (all.length < objectsMax && random.below(3) === 0)) return undefined;
  return all[random.below(all.length)];
}

/** Returns: the spec with some of the secrets and configs as files, where there are any. */
export function withContents(world: World, view: View, spec: ServiceSpec): ServiceSpec {
  if (!world.secretive) return spec;
  const { random } = world;
  const File = (Name: string) => ({ Name, UID: "0", GID: "0", Mode: 292 });
  const Secrets = view
    .secrets()
    .filter(() => random.below(2) === 0)
    .map(({ ID, Spec }) => ({ File: File(Spec.Name), SecretID: ID, SecretName: Spec.Name }));
  const Configs = view
    .configs()
    .filter(() => random.below(2) === 0)
    .map(({ ID, Spec }) => ({ File: File(`/${Spec.Name}`), ConfigID: ID, ConfigName: Spec.Name }));
  const { Secrets: _, Configs: __, ...rest } = spec.TaskTemplate.ContainerSpec;
  const ContainerSpec: ContainerSpec = {
    ...rest,
    ...(Secrets.length > 0 && { Secrets }),
    ...(Configs.length > 0 && { Configs }),
  };
  return { ...spec, TaskTemplate: { ...spec.TaskTemplate, ContainerSpec } };
}
