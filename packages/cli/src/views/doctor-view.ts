/**
 * Doctor view: what `gam doctor` shows of a report.
 *
 * The first line is the most urgent cause, so that nobody has to search for it. Below it is what to do, then what
 * follows from it. Last comes one line for each topic. Unknown results are counted, and shown once for each reason,
 * because most pairs of hosts have the same reason.
 */

import type { DoctorCheck, DoctorFinding, DoctorFix, DoctorReport } from "@gam/state/answers";
import { type Cell, columns } from "./columns.ts";
import type { Paint } from "./status-view.ts";

/** Consequences of one cause that are shown; the others are counted. */
const followsShown = 5;

/** Lines to print. */
export function doctorView({ checks, findings, healthy }: DoctorReport, paint: Paint): string[] {
  const topics = [...new Set(checks.map(({ topic }) => topic))];
  const fixable = findings.some(({ fix }) => fix !== "");
  return [
    ...findings.flatMap((one) => [...findingView(one, paint), ""]),
    ...columns(topics.map((topic) => row(topic, checks, paint))),
    ...unproven(checks, paint),
    "",
    healthy
      ? paint.green("Nothing is wrong")
      : paint.red(`${findings.length} ${findings.length === 1 ? "thing is" : "things are"} wrong`),
    ...(fixable ? ['"gam doctor --fix" mends what hosts can mend by themselves'] : []),
  ];
}

/** Lines about one finding. */
export function findingView(
  { cause, remedy, follows, fix }: DoctorFinding,
  paint: Paint,
): string[] {
  const shown = follows.slice(0, followsShown);
  const more = follows.length - shown.length;
  return [
    paint.red(cause),
    `  ${remedy}`,
    ...(shown.length === 0 ? [] : [paint.dim(`  From this follows: ${shown.join("; ")}`)]),
    ...(more > 0 ? [paint.dim(`  and ${more} more`)] : []),
    ...(fix === "" ? [] : [`  "gam doctor --fix" would ${fix}`]),
  ];
}

/** Lines about what was mended. */
export function fixesView(fixes: readonly DoctorFix[], paint: Paint): string[] {
  if (fixes.length === 0) return ["There is nothing that hosts can mend by themselves"];
  return fixes.map(({ host, fix, done, failure }) =>
    failure === ""
      ? `${paint.bold(host)}: ${done}`
      : `${paint.bold(host)}: ${paint.red(`Could not ${fix}`)}: ${failure}`,
  );
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
