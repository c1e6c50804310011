/** Config: the Engine API's config. Its data is in `Gam`, one entry for each version. */
import type { ConfigId } from "@gam/core";
import type { ConfigContent, Contents, Templating } from "./content.ts";
import type { Labels, Meta } from "./meta.ts";

export interface ConfigSpec {
  readonly Name: string;
  readonly Labels: Labels;
  readonly Templating?: Templating;
}

export interface Config extends Meta {
  readonly ID: ConfigId;
  readonly Spec: ConfigSpec;
  readonly Gam: Contents<ConfigContent>;
}
