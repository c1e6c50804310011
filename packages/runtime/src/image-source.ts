/** Image source: where an image comes from before a registry is asked. The agent's is the other hosts. */

import { ForeignNames } from "./images/foreign-names.ts";

/** `full`: the image is there, and this host has no room for it. */
export type FetchedImage =
  | { readonly kind: "loaded"; readonly id: string }
  | { readonly kind: "none" | "full"; readonly reason: string };

export interface ImageSource {
  /** Brings an image with a digest into the engine. Never rejects. */
  fetch(image: string): Promise<FetchedImage>;
}

/** Where images come from, and the names of those that came. */
export interface EngineImages {
  readonly source: ImageSource;
  readonly names: ForeignNames;
}

/** Images come from registries only. */
export function registriesOnly(): EngineImages {
  return {
    source: { fetch: async () => ({ kind: "none", reason: "not asked" }) },
    names: ForeignNames.inMemory(),
  };
}
