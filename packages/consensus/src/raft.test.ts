import { test } from "node:test";
import { runScripts } from "@gam/core/testing";
import { ScriptWorld } from "./testing/script-world.ts";

test("Raft follows its scripts", () => {
  runScripts(new URL("../testdata/", import.meta.url), () => {
    const world = new ScriptWorld();
    return (command) => world.run(command);
  });
});
