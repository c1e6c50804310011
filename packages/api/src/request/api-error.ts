/**
 * API error: an error answer, and how anything thrown becomes one.
 *
 * Clients of Swarm match on texts and statuses, so both are Swarm's where Swarm has them. A text that
 * carries the code of Swarm's inner call (`rpc error: code = X desc = …`) has the status of that code.
 */
import { type ErrorCode, GamError, messageOf } from "@gam/core";
import { statusOf } from "./status-of.ts";

/** An error whose status and text are chosen where it is thrown. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

const statusOfInner: Readonly<Record<string, number>> = {
  AlreadyExists: 409,
  FailedPrecondition: 400,
  InvalidArgument: 400,
  NotFound: 404,
  Unavailable: 503,
  Unimplemented: 501,
  Unknown: 500,
};

export interface ErrorResponse {
  readonly status: number;
  readonly message: string;
}

/** Returns: the status and the text for anything that a route throws. */
export function errorResponseOf(thrown: unknown): ErrorResponse {
  const message = messageOf(thrown);
  if (thrown instanceof ApiError) return { status: thrown.status, message };
  if (!(thrown instanceof GamError)) return { status: 500, message };
  const inner = /^rpc error: code = (\w+) desc = /.exec(message)?.[1];
  const status = inner === undefined ? undefined : statusOfInner[inner];
  return { status: status ?? statusOf[thrown.code], message };
}

const innerCodeOf: Partial<Record<ErrorCode, string>> = {
  BAD_REQUEST: "InvalidArgument",
  IN_USE: "FailedPrecondition",
  NAME_IN_USE: "AlreadyExists",
  STALE_VERSION: "Unknown",
};

/** Returns: a refusal of the store in the form of Swarm's manager; any other error unchanged. */
export function asInner(thrown: GamError): GamError {
  if (thrown.message.startsWith("rpc error:")) return thrown;
  const inner = innerCodeOf[thrown.code];
  if (inner === undefined) return thrown;
  return new GamError(thrown.code, `rpc error: code = ${inner} desc = ${thrown.message}`, {
    cause: thrown,
  });
}

// Texts of Swarm's that tools match on.

export const notInSwarm =
  'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';
export const onWorker =
  "This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state. Please run this command on a manager node or promote the current node to a manager.";
export const lockedSwarm =
  'Swarm is encrypted and needs to be unlocked before it can be used. Please use "docker swarm unlock" to unlock it.';
export const lockedLeave =
  "Swarm is encrypted and locked. Please unlock it first or use `--force` to ignore this message.";
export const notPartOfSwarm = "This node is not part of a swarm";
export const alreadyInSwarm =
  'This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join another one.';
