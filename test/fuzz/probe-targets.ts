/** What tasks, URLs and Prometheus servers answer when they are asked about a service. */
import {
  readNumber,
  readPrometheus,
  readStatus,
} from "../../packages/state/src/derived/probes/http-answer.ts";
import type { Target } from "./target.ts";

const sample = [1_700_000_000.1, "0.25"];
const answers = [
  { status: "success", data: { resultType: "vector", result: [{ metric: {}, value: sample }] } },
  { status: "success", data: { resultType: "scalar", result: sample } },
  { status: "error", errorType: "bad_data", error: "parse error" },
  12.5,
];

export function probeTargets(): readonly Target[] {
  return [
    {
      name: "answers to probes",
      group: "containers",
      form: "json",
      seeds: answers.map((answer) => new TextEncoder().encode(JSON.stringify(answer))),
      take: (input) => {
        const body = new TextDecoder().decode(input);
        const readings = [readStatus, readNumber, readPrometheus].map((read) => {
          return read({ status: 200, body });
        });
        return readings.slice(1).some(({ kind }) => kind === "passed");
      },
    },
  ];
}
