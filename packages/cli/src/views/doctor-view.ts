/**
 * Doctor view: what `gam doctor` shows of a report.
 *
 * One line for each topic shows what was checked; then comes each failure with what to do. Unknown results are
 * counted, and shown once for each reason, because most pairs of hosts have the same reason.
 */

import type { DoctorCheck, DoctorReport } from "@gam/state/answers";
import { type Cell, columns } from "./columns.ts";
import type { Paint } from "./status-view.ts";

/** Lines to print. */
export function doctorView({ checks, healthy }: DoctorReport, paint: Paint): string[] {
  const topics = [...new Set(checks.map(({ topic }) => topic))];
  const failures = checks.filter(({ result }) => result === "failed");
  return [
    ...columns(topics.map((topic) => row(topic, checks, paint))),
    ...failures.flatMap((one) => ["", ...failure(one, paint)]),
    ...unproven(checks, paint),
    "",
    healthy
      ? paint.green("Nothing is wrong")
      : paint.red(`${failures.length} ${failures.length === 1 ? "thing is" : "things are"} wrong`),
  ];
}

function row(topic: string, checks: readonly DoctorCheck[], paint: Paint): Cell[] {
  const count = (result: DoctorCheck["result"]): number =>
    checks.filter((one) => one.topic === topic && one.result === result).length;
  const [passed, failed, unknown] = [count("passed"), count("failed"), count("unknown")];
  const counts = [
    ...(passed > 0 ? [`${passed} passed`] : []),
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(unknown > 0 ? [`${unknown} unknown`] : []),
  ];
  const [word, colour] =
    failed > 0
      ? (["FAIL", paint.red] as const)
      : passed > 0
        ? (["ok", paint.green] as const)
        : (["?", paint.yellow] as const);
  return [{ text: word, paint: colour }, { text: topic }, { text: counts.join(", ") }];
}

function failure({ topic, subject, found, remedy }: DoctorCheck, paint: Paint): string[] {
  return [`${paint.red(topic)}, ${paint.bold(subject)}: ${found}`, `  ${remedy}`];
}

function unproven(checks: readonly DoctorCheck[], paint: Paint): string[] {
  const reasons = new Map<string, string[]>();
  for (const { result, topic, subject, found } of checks) {
    if (result !== "unknown") continue;
    const reason = `${topic}: ${found}`;
    reasons.set(reason, [...(reasons.get(reason) ?? []), subject]);
  }
  return [...reasons].flatMap(([reason, [first = "", ...more]]) => {
    const others = more.length === 0 ? "" : ` and ${more.length} more`;
    return ["", paint.yellow(`${reason} (${first}${others})`)];
  });
}
