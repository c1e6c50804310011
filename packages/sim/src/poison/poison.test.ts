import { test } from "node:test";
import { poisonRound } from "./poison.ts";

/** 20,000 inputs in all. For a million: npm run poison. */
const rounds = 40;
const inputs = 500;

test("nothing that a member sends makes a peer throw, plan without end, or differ from the others", () => {
  for (let seed = 1; seed <= rounds; seed += 1) poisonRound(seed, inputs);
});
