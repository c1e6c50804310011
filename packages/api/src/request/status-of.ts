import type { ErrorCode } from "@gam/core";

/**
 * The HTTP status of an error without a text of Swarm's. The type requires every code; docs/errors.md says what
 * each means.
 */
export const statusOf = {
  BAD_FRAME: 400,
  BAD_REQUEST: 400,
  BAD_TOKEN: 400,
  CORRUPT_FILE: 500,
  DISK_FAILED: 500,
  ENGINE_FAILED: 500,
  ENGINE_MISSING: 503,
  IN_USE: 400,
  NAME_IN_USE: 409,
  NOT_FOUND: 404,
  NOT_MEMBER: 503,
  NOT_SUPPORTED: 501,
  NO_LEADER: 503,
  REFUSED: 403,
  // Not 409: clients of Swarm recognize a lost race by this status and its text.
  STALE_VERSION: 500,
  UNREACHABLE: 503,
} as const satisfies Record<ErrorCode, number>;
