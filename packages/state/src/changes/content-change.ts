/**
 * Content change: the effect of each change on a secret or a config, and why a change is refused.
 *
 * Secrets and configs differ only in how their content is stored: a secret's is sealed. What new content means for
 * services is in content-roll.ts. The messages are Swarm's.
 */
import { unreachable } from "@gam/core";
import { contentHolder, neededVersions, usersOf } from "../derived/content-need.ts";
import { certificateUsers } from "../derived/http/http-need.ts";
import { openRollout } from "../derived/rollout/open-rollout.ts";
import type { ChangeOf, Refusal } from "../log/change.ts";
import { born, moved, type Occasion } from "../log/occasion.ts";
import type { View } from "../log/view.ts";
import type { Config } from "../objects/config.ts";
import { type ContentId, type Contents, contentsMax, type Sealed } from "../objects/content.ts";
import type { Secret } from "../objects/secret.ts";
import type { ServiceSpec } from "../objects/service.ts";
import { missing, stale, takenId } from "./refusal.ts";
import { isNewestKey } from "./sealing-keys.ts";

/** Returns: why something sealed may not enter the state: it is not sealed with the newest key. */
export function foreignSeal(view: View, sealed: Sealed | undefined): Refusal | undefined {
  if (sealed === undefined || isNewestKey(view, sealed.key)) return undefined;
  return { code: "STALE_VERSION", message: "the key that seals secrets is another by now" };
}

export function secretRefusal(view: View, change: ChangeOf<"secret">): Refusal | undefined {
  switch (change.kind) {
    case "createSecret":
      return (
        takenName(view.secrets(), change.spec.Name, "secret") ??
        takenId(contentHolder(view, change.id), `secret ${change.id}`) ??
        foreignSeal(view, change.content)
      );
    case "updateSecret": {
      const secret = view.secret(change.id);
      const { content } = change;
      return (
        stale(secret, change.basedOn, `secret ${change.id}`) ??
        unfitContent(view, secret, content, "secret") ??
        foreignSeal(view, content)
      );
    }
    case "removeSecret":
      return (
        missing(view.secret(change.id), `secret ${change.id}`) ?? inUse(view, change.id, "secret")
      );
    case "dropSecretContents":
    case "resealSecret":
      return undefined;
    default:
      unreachable(change);
  }
}

export function configRefusal(view: View, change: ChangeOf<"config">): Refusal | undefined {
  switch (change.kind) {
    case "createConfig":
      return (
        takenName(view.configs(), change.spec.Name, "config") ??
        takenId(contentHolder(view, change.id), `config ${change.id}`)
      );
    case "updateConfig": {
      const config = view.config(change.id);
      return (
        stale(config, change.basedOn, `config ${change.id}`) ??
        unfitContent(view, config, change.content, "config")
      );
    }
    case "removeConfig":
      return (
        missing(view.config(change.id), `config ${change.id}`) ?? inUse(view, change.id, "config")
      );
    case "dropConfigContents":
      return undefined;
    default:
      unreachable(change);
  }
}

/** As TableRule.after. */
export function secretAfter(
  secret: Secret | undefined,
  change: ChangeOf<"secret">,
  on: Occasion,
): Secret | undefined {
  if (change.kind === "createSecret") {
    const { id, spec, content } = change;
    return { ...born(on), ID: id, Spec: spec, Gam: firstContent(content) };
  }
  if (secret === undefined) return undefined;
  switch (change.kind) {
    case "updateSecret": {
      const Spec = { ...secret.Spec, Labels: change.labels };
      return { ...secret, ...moved(on), Spec, Gam: withContent(secret.Gam, change.content) };
    }
    case "removeSecret":
      return undefined;
    case "dropSecretContents": {
      const needed = neededVersions(on.view, secret);
      const contents = without(secret.Gam.contents, { versions: change.versions, needed });
      return contents === secret.Gam.contents
        ? secret
        : { ...secret, Gam: { ...secret.Gam, contents } };
    }
    case "resealSecret": {
      const { version, from, to } = change;
      const known = secret.Gam.contents.find((one) => one.version === version);
      if (known?.key !== from || !isNewestKey(on.view, to.key)) return secret;
      const contents = secret.Gam.contents.map((one) => (one === known ? { version, ...to } : one));
      return { ...secret, Gam: { ...secret.Gam, contents } };
    }
    default:
      unreachable(change);
  }
}

/** As TableRule.after. */
export function configAfter(
  config: Config | undefined,
  change: ChangeOf<"config">,
  on: Occasion,
): Config | undefined {
  if (change.kind === "createConfig") {
    const { id, spec, content } = change;
    return { ...born(on), ID: id, Spec: spec, Gam: firstContent(content) };
  }
  if (config === undefined) return undefined;
  switch (change.kind) {
    case "updateConfig": {
      const Spec = { ...config.Spec, Labels: change.labels };
      return { ...config, ...moved(on), Spec, Gam: withContent(config.Gam, change.content) };
    }
    case "removeConfig":
      return undefined;
    case "dropConfigContents": {
      const needed = neededVersions(on.view, config);
      const contents = without(config.Gam.contents, { versions: change.versions, needed });
      return contents === config.Gam.contents
        ? config
        : { ...config, Gam: { ...config.Gam, contents } };
    }
    default:
      unreachable(change);
  }
}

/** Returns: why a service cannot have that spec: a secret or config in it does not exist, or has another name. */
export function lostContent(view: View, { TaskTemplate }: ServiceSpec): Refusal | undefined {
  const { Secrets = [], Configs = [] } = TaskTemplate.ContainerSpec;
  const secrets = Secrets.filter(({ SecretID, SecretName }) => {
    return view.secret(SecretID)?.Spec.Name !== SecretName;
  });
  const configs = Configs.filter(({ ConfigID, ConfigName }) => {
    return view.config(ConfigID)?.Spec.Name !== ConfigName;
  });
  return (
    notFound(
      "secret",
      secrets.map(({ SecretName }) => SecretName),
    ) ??
    notFound(
      "config",
      configs.map(({ ConfigName }) => ConfigName),
    )
  );
}

function notFound(kind: string, names: readonly string[]): Refusal | undefined {
  if (names.length === 0) return undefined;
  const message = `${kind}${names.length === 1 ? "" : "s"} not found: ${names.join(", ")}`;
  return { code: "BAD_REQUEST", message };
}

function takenName(
  all: readonly (Secret | Config)[],
  name: string,
  kind: string,
): Refusal | undefined {
  if (!all.some(({ Spec }) => Spec.Name === name)) return undefined;
  return { code: "NAME_IN_USE", message: `${kind} ${name} already exists` };
}

function inUse(view: View, id: ContentId, kind: string): Refusal | undefined {
  const services = [...usersOf(view, id), ...certificateUsers(view, id)];
  const users = [...new Set(services.map(({ Spec }) => Spec.Name))];
  if (users.length === 0) return undefined;
  const name = contentHolder(view, id)?.Spec.Name ?? id;
  const noun = users.length === 1 ? "service" : "services";
  const message = `${kind} '${name}' is in use by the following ${noun}: ${users.join(", ")}`;
  return { code: "BAD_REQUEST", message };
}

/** Returns: why the object cannot have that content: its version is not the next one, or there is no room. */
function unfitContent(
  view: View,
  holder: Secret | Config | undefined,
  content: { readonly version: number } | undefined,
  kind: string,
): Refusal | undefined {
  if (holder === undefined || content === undefined) return undefined;
  const { contents, last } = holder.Gam;
  if (content.version !== last + 1) {
    return { code: "STALE_VERSION", message: "update out of sequence" };
  }
  const divided = usersOf(view, holder.ID).find((service) => openRollout(service) !== undefined);
  if (divided !== undefined) {
    const message = `${kind} '${holder.Spec.Name}' is used by service '${divided.Spec.Name}', which is in a rollout: promote or abort that first`;
    return { code: "REFUSED", message };
  }
  if (contents.length < contentsMax) return undefined;
  const message =
    `${kind} '${holder.Spec.Name}' has ${contentsMax} contents in use: ` +
    "wait until its services have replaced their tasks";
  return { code: "REFUSED", message };
}

function firstContent<Content extends { readonly version: number }>(
  content: Content,
): Contents<Content> {
  return { contents: [content], current: content.version, last: content.version };
}

function withContent<Content extends { readonly version: number }>(
  before: Contents<Content>,
  content: Content | undefined,
): Contents<Content> {
  if (content === undefined) return before;
  const { version } = content;
  return { contents: [...before.contents, content], current: version, last: version };
}

/** Returns: the contents without those of `versions` that are not needed; `contents` itself when all are. */
function without<Content extends { readonly version: number }>(
  contents: readonly Content[],
  {
    versions,
    needed,
  }: { readonly versions: readonly number[]; readonly needed: ReadonlySet<number> },
): readonly Content[] {
  const kept = contents.filter(({ version }) => needed.has(version) || !versions.includes(version));
  return kept.length === contents.length ? contents : kept;
}
