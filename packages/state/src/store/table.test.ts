import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Table } from "./table.ts";

const ids = ["a", "b", "c", "d", "e"] as const;
type Step = readonly [kind: "put" | "delete", id: (typeof ids)[number], row: number];
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.tuple(fc.constantFrom("put" as const, "delete" as const), fc.constantFrom(...ids), fc.nat(9)),
  { maxLength: 30 },
);

function perform(table: Table<string, number>, all: readonly Step[]): void {
  for (const [kind, id, row] of all) {
    if (kind === "put") table.put(id, row);
    else table.delete(id);
  }
}

function shown(table: Table<string, number>): unknown {
  return [table.all(), table.size, ids.map((id) => [table.has(id), table.get(id)])];
}

for (const sorted of [false, true]) {
  test(`a rollback leaves no trace, in a table that is ${sorted ? "" : "not "}sorted`, () => {
    fc.assert(
      fc.property(steps, steps, steps, (before, lost, after) => {
        const [table, other] = [
          new Table<string, number>(sorted),
          new Table<string, number>(sorted),
        ];
        perform(table, before);
        perform(other, before);
        table.begin();
        perform(table, lost);
        table.rollBack();
        assert.deepEqual(shown(table), shown(other));
        table.begin();
        perform(table, after);
        table.commit();
        perform(other, after);
        assert.deepEqual(shown(table), shown(other));
      }),
    );
  });

  test(`uncommitted changes are visible, in a table that is ${sorted ? "" : "not "}sorted`, () => {
    fc.assert(
      fc.property(steps, steps, (before, now) => {
        const [table, other] = [
          new Table<string, number>(sorted),
          new Table<string, number>(sorted),
        ];
        perform(table, before);
        perform(other, before);
        table.begin();
        perform(table, now);
        perform(other, now);
        assert.deepEqual(shown(table), shown(other));
      }),
    );
  });
}
