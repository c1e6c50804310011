/** Check of secrets and configs: their changes, the whole objects, and everything that is sealed. */
import { type Check, type ConfigId, check, type SecretId } from "@gam/core";
import type { ChangeFields } from "../log/table-rule.ts";
import type { Config, ConfigSpec } from "../objects/config.ts";
import {
  type ConfigContent,
  type Contents,
  contentsMax,
  type Sealed,
  type SecretContent,
} from "../objects/content.ts";
import type { Secret, SecretSpec } from "../objects/secret.ts";
import {
  configBytesMax,
  contentNameForm,
  contentNameMax,
  secretBytesMax,
} from "../specs/content-spec.ts";
import { anything, keeping, shortText } from "./check-parts.ts";
import {
  aContentVersion,
  anId,
  anIndex,
  aTime,
  labels,
  registryAuthBytesMax,
} from "./field-checks.ts";

const { bytes, id, list, literal, matching, optional, struct, where } = check;

/** What sealing adds: a nonce and a tag. */
const sealBytes = 28;

function sealedUpTo(plainBytesMax: number): { key: Check<string>; sealed: Check<Uint8Array> } {
  return {
    key: anId,
    sealed: where(
      bytes(plainBytesMax + sealBytes),
      ({ length }) => length > sealBytes,
      "sealed bytes",
    ),
  };
}

const secretSeal = sealedUpTo(secretBytesMax);
const checkSecretSeal = struct(secretSeal) as Check<Sealed>;
/** Registry credentials. */
export const checkCredentials = struct(sealedUpTo(registryAuthBytesMax)) as Check<Sealed>;

const checkSecretContent = struct({
  version: aContentVersion,
  ...secretSeal,
}) as Check<SecretContent>;
const checkConfigContent = struct({
  version: aContentVersion,
  data: where(bytes(configBytesMax), ({ length }) => length > 0, "at least one byte"),
}) as Check<ConfigContent>;

/** A new object's content. */
function first<T extends { readonly version: number }>(one: Check<T>): Check<T> {
  return where(one, ({ version }) => version === 1, "version 1");
}

function checkContents<T extends { readonly version: number }>(one: Check<T>): Check<Contents<T>> {
  const shape = struct({
    contents: list(one, contentsMax),
    current: aContentVersion,
    last: aContentVersion,
  });
  return where(shape, isWhole, "its contents by version, with the current one") as Check<
    Contents<T>
  >;
}

function isWhole({ contents, current, last }: Contents<{ readonly version: number }>): boolean {
  const versions = contents.map(({ version }) => version);
  const ascend = versions.every((version, at) => at === 0 || version > (versions[at - 1] ?? 0));
  return ascend && versions.includes(current) && (versions.at(-1) ?? 0) <= last;
}

const spec = {
  Name: matching(contentNameForm, "a name", contentNameMax),
  Labels: labels,
  Templating: optional(struct({ Name: literal("golang") })),
};
const checkSecretSpec = struct(spec) as Check<SecretSpec>;
const checkConfigSpec = struct(spec) as Check<ConfigSpec>;

const meta = { Version: struct({ Index: anIndex }), CreatedAt: aTime, UpdatedAt: aTime };

export const checkSecret = struct({
  ID: id<SecretId>(),
  ...meta,
  Spec: checkSecretSpec,
  Gam: checkContents(checkSecretContent),
}) as Check<Secret>;

export const checkConfig = struct({
  ID: id<ConfigId>(),
  ...meta,
  Spec: checkConfigSpec,
  Gam: checkContents(checkConfigContent),
}) as Check<Config>;

export const secretParts = keeping({
  ID: shortText,
  Spec: keeping({ Name: shortText }),
  Gam: keeping({ contents: list(anything, contentsMax) }),
});
export const configParts = secretParts;

const versions = list(aContentVersion, contentsMax);

export const secretFields: ChangeFields<"secret"> = {
  createSecret: { id: id<SecretId>(), spec: checkSecretSpec, content: first(checkSecretContent) },
  updateSecret: {
    id: id<SecretId>(),
    labels,
    content: optional(checkSecretContent),
    basedOn: anIndex,
  },
  removeSecret: { id: id<SecretId>() },
  resealSecret: { id: id<SecretId>(), version: aContentVersion, from: anId, to: checkSecretSeal },
  dropSecretContents: { id: id<SecretId>(), versions },
};

export const configFields: ChangeFields<"config"> = {
  createConfig: { id: id<ConfigId>(), spec: checkConfigSpec, content: first(checkConfigContent) },
  updateConfig: {
    id: id<ConfigId>(),
    labels,
    content: optional(checkConfigContent),
    basedOn: anIndex,
  },
  removeConfig: { id: id<ConfigId>() },
  dropConfigContents: { id: id<ConfigId>(), versions },
};
