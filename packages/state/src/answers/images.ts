/** Images: the answers of `/gam/v1/images`: which hosts have which images, pushes, and prunes. */
import { type Check, check } from "@gam/core";

export interface ImageRow {
  readonly id: string;
  /** Tags, and names with digests. */
  readonly names: readonly string[];
  /** Hostnames. */
  readonly hosts: readonly string[];
}

export interface ImageList {
  readonly images: readonly ImageRow[];
  /** Hosts that have not said which images they have. */
  readonly silent: readonly string[];
}

export interface PushRow {
  readonly host: string;
  /** `going`: ask again. */
  readonly state: "going" | "done" | "failed";
  /** Bytes that have come so far; 0 for a host that had the image. */
  readonly bytes: number;
  /** Why it failed; "" otherwise. */
  readonly reason: string;
}

export interface ImagePush {
  readonly id: string;
  readonly hosts: readonly PushRow[];
}

export interface PruneRow {
  readonly host: string;
  readonly images: readonly {
    readonly id: string;
    readonly names: readonly string[];
    readonly bytes: number;
  }[];
  /** Bytes of layers that lie ready for other hosts. */
  readonly cacheBytes: number;
  /** Why the host did not answer, or what it could not delete; "" otherwise. */
  readonly problem: string;
}

export interface ImagePrune {
  readonly hosts: readonly PruneRow[];
}

const hostsMax = 10_000;
const imagesMax = 1_000_000;
const aName = check.string(1024);
const aSentence = check.string(65_536);
const names = check.list(aName, 65_536);
const hosts = check.list(aName, hostsMax);

/** Errors of all: BAD_FRAME with the path of what is wrong. */
export const checkImageList: Check<ImageList> = check.object({
  images: check.list(check.object({ id: aName, names, hosts }), imagesMax),
  silent: hosts,
});

export const checkImagePush: Check<ImagePush> = check.object({
  id: aName,
  hosts: check.list(
    check.object({
      host: aName,
      state: check.literal("going", "done", "failed"),
      bytes: check.integer(),
      reason: aSentence,
    }),
    hostsMax,
  ),
});

export const checkPruneRow: Check<PruneRow> = check.object({
  host: aName,
  images: check.list(check.object({ id: aName, names, bytes: check.integer() }), 65_536),
  cacheBytes: check.integer(),
  problem: aSentence,
});

export const checkImagePrune: Check<ImagePrune> = check.object({
  hosts: check.list(checkPruneRow, hostsMax),
});
