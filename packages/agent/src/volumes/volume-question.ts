/** Volume question: what the new host of a volume asks the old one, as the header of a stream. */
import { check, type VolumeName } from "@gam/core";

/** The stream's name. */
export const volumeStream = "volume";

/**
 * look    how much there is: VolumeLook
 * copy    the files, as a tar
 * digest  their SHA-256, in hex
 */
export interface VolumeQuestion {
  readonly volume: VolumeName;
  readonly move: string;
  readonly wants: "look" | "copy" | "digest";
}

export interface VolumeLook {
  readonly bytes: number;
  readonly labels: Readonly<Record<string, string>>;
}

export const checkVolumeQuestion = check.object({
  volume: check.string(255) as check.Check<VolumeName>,
  move: check.id(),
  wants: check.literal("look", "copy", "digest"),
}) as check.Check<VolumeQuestion>;

export const checkVolumeLook = check.object({
  bytes: check.number(0, Number.MAX_SAFE_INTEGER),
  labels: check.map(check.string(1 << 16), 1 << 12),
}) as check.Check<VolumeLook>;
