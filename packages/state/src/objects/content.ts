/**
 * Content: the versions of what a secret or a config holds, and the form in which secret bytes are stored.
 *
 * A secret and a config can change, as services can: a new content gets a new version, and the services that use
 * the object replace their tasks. Earlier contents stay as long as a task uses them or a service can return to them.
 */
import type { ConfigId, SecretId } from "@gam/core";

/** Bytes that only managers can open. */
export interface Sealed {
  /** Id of the cluster's sealing key with which they were sealed. */
  readonly key: string;
  readonly sealed: Uint8Array;
}

/** One version of a secret. */
export interface SecretContent extends Sealed {
  readonly version: number;
}

/** One version of a config. Configs are not secret. */
export interface ConfigContent {
  readonly version: number;
  readonly data: Uint8Array;
}

/** What gam adds to a secret or config. Not shown to Docker clients. */
export interface Contents<Content extends { readonly version: number }> {
  /** By version, lowest first. The current one is among them. */
  readonly contents: readonly Content[];
  /** The version that new tasks get. After a rollback it is not the newest. */
  readonly current: number;
  /** The highest version so far. A version is never used for two contents. */
  readonly last: number;
}

/** Versions of one object that the state keeps. Each is as large as the object. */
export const contentsMax = 64;

/** For each secret and config, the version of its content. */
export type ContentVersions = Readonly<Record<string, number>>;

/** How a spec says that its data is a template. */
export interface Templating {
  readonly Name: "golang";
}

export type ContentId = SecretId | ConfigId;
