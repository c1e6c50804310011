/** Volume shelf: what the agent needs of this host's volumes. */
import type { LocalVolumes } from "@gam/runtime";

export type VolumeShelf = Pick<LocalVolumes, keyof LocalVolumes>;
