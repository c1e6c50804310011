/** Tokens: the answer of `GET /gam/v1/token` and of `POST /gam/v1/token/rotate`. */
import { type Check, check } from "@gam/core";

/** The complete tokens with which other hosts join. */
export interface JoinTokens {
  readonly worker: string;
  readonly manager: string;
}

/** Errors: BAD_FRAME with the path of what is wrong. */
export const checkJoinTokens: Check<JoinTokens> = check.object({
  worker: check.string(),
  manager: check.string(),
});
