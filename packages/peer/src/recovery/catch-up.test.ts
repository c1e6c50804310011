import { test } from "node:test";
import { type Command, runScripts } from "@gam/core/testing";
import { CatchUp } from "./catch-up.ts";

test("CatchUp follows its scripts", () => {
  runScripts(new URL("../../testdata/catch-up/", import.meta.url), () => {
    let answersAtOnce = false;
    let reads = 0;
    let lines: string[] = [];
    const answer = (id: string, fresh: boolean): void => {
      if (catchUp.answered(id, fresh)) lines.push("done");
    };
    const catchUp: CatchUp = new CatchUp({
      mint: {
        id: () => {
          reads += 1;
          return `r${reads}`;
        },
      },
      ask: (id) => {
        lines.push(`ask ${id}`);
        if (answersAtOnce) answer(id, true);
      },
    });
    return ({ verb, words }: Command): string => {
      const wasDone = catchUp.isDone;
      const [first = "", second] = words;
      lines = [];
      switch (verb) {
        case "look":
          answersAtOnce = second === "at-once";
          catchUp.look(first === "led");
          break;
        case "answer":
          answer(first, second === "fresh");
          break;
        default:
          throw new Error(`Cannot run "${verb}": no such command`);
      }
      const shown = lines.length === 0 ? ["nothing"] : lines;
      return [...shown, ...(wasDone && catchUp.isDone ? ["still done"] : [])].join("\n");
    };
  });
});
