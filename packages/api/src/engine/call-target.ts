import type { RequestOptions } from "node:http";
import type { GamError } from "@gam/core";

/** The answer of a target to a small question. */
export interface SmallAnswer {
  readonly status: number;
  /** Parsed JSON, or the text itself if it is no JSON. */
  readonly body: unknown;
}

/** Where the proxy passes a call: this host's engine, or another host. */
export interface CallTarget {
  /** Resolves to the call's path and query in the API version of the target. */
  pathOf(url: string): Promise<string>;
  /** Returns: options for http.request() on a new connection, with unchanged headers. */
  options(method: string, path: string, headers: readonly string[]): RequestOptions;
  /** Returns: the error for the client when the connection failed. */
  missing(cause: unknown): GamError;
}
