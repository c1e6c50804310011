/** Secret: the Engine API's secret. The state never holds its data in a readable form. */
import type { SecretId } from "@gam/core";
import type { Contents, SecretContent, Templating } from "./content.ts";
import type { Labels, Meta } from "./meta.ts";

export interface SecretSpec {
  readonly Name: string;
  readonly Labels: Labels;
  readonly Templating?: Templating;
}

export interface Secret extends Meta {
  readonly ID: SecretId;
  readonly Spec: SecretSpec;
  readonly Gam: Contents<SecretContent>;
}
