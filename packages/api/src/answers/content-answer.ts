import { base64 } from "@gam/core";
import type { Config, Secret } from "@gam/state";
import type { Naming } from "../request/reference.ts";

export const secretNaming: Naming<Secret> = {
  kind: "secret",
  id: ({ ID }) => ID,
  names: ({ Spec }) => [Spec.Name],
};

export const configNaming: Naming<Config> = {
  kind: "config",
  id: ({ ID }) => ID,
  names: ({ Spec }) => [Spec.Name],
};

/** The Engine API's secret. It never shows the data. */
export function secretAnswer({ Gam: _, ...secret }: Secret): object {
  return secret;
}

/** The Engine API's config, with its current data. */
export function configAnswer({ Gam, Spec, ...config }: Config): object {
  const { Templating, ...spec } = Spec;
  const content = Gam.contents.find(({ version }) => version === Gam.current);
  const Data = base64(content?.data ?? new Uint8Array());
  return { ...config, Spec: { ...spec, Data, ...(Templating && { Templating }) } };
}
