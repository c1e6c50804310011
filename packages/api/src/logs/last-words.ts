/**
 * Last words: what only the host of a container knows about its end: the last lines of its log, and what its engine
 * says beside the exit code.
 *
 * A host that does not answer in time is named instead, so that the rest of a report does not wait for it.
 */
import { check, GamError, messageOf, rethrowInvariant, sizeText } from "@gam/core";
import type { Task } from "@gam/state";
import type { WhyTask } from "@gam/state/answers";
import { hasContainer } from "../answers/task-answer.ts";
import type { CallTarget } from "../engine/call-target.ts";
import { messageInText, openStream, textOfAnswer } from "../engine/open-stream.ts";
import type { Containers } from "../hosts/containers.ts";
import { decodeFrames, splitLines } from "./log-frames.ts";

type LastWords = Pick<WhyTask, "engine" | "log" | "unread">;

/** Lines of a log, and letters of each of them and of a health check. */
const linesMax = 10;
const lettersMax = 300;
/** Hosts that answer take some milliseconds. */
const askMsMax = 4_000;
const answerBytesMax = 1 << 20;

const text = check.string(1 << 20);
const inspected = check.object({
  State: check.object({
    Status: text,
    ExitCode: check.integer(-(2 ** 31)),
    OOMKilled: check.optional(check.boolean),
    Error: check.optional(text),
    Health: check.optional(
      check.object({
        Status: text,
        Log: check.optional(
          check.list(check.object({ ExitCode: check.integer(-(2 ** 31)), Output: text }), 64),
        ),
      }),
    ),
  }),
});

/** Never rejects because of what a host does. */
export async function lastWords(
  containers: Pick<Containers, "host">,
  task: Task,
): Promise<LastWords> {
  const target = task.NodeID === undefined ? undefined : containers.host(task.NodeID);
  const container = task.Status.ContainerStatus?.ContainerID;
  if (target === undefined || container === undefined || !hasContainer(task)) {
    return { engine: [], log: [], unread: "" };
  }
  const signal = AbortSignal.timeout(askMsMax);
  try {
    const [engine, log] = await Promise.all([
      askEngine(target, { container, task, signal }),
      readLog(target, { container, task, signal }),
    ]);
    return { engine, log, unread: "" };
  } catch (thrown) {
    rethrowInvariant(thrown);
    const late = `its host did not answer in ${askMsMax / 1000} s`;
    return { engine: [], log: [], unread: signal.aborted ? late : messageOf(thrown) };
  }
}

interface Asked {
  readonly container: string;
  readonly task: Task;
  readonly signal: AbortSignal;
}

async function askEngine(
  target: CallTarget,
  { container, task, signal }: Asked,
): Promise<readonly string[]> {
  const answer = await openStream(target, `/containers/${container}/json`, signal);
  const body = await textOfAnswer(answer, answerBytesMax);
  if (answer.statusCode !== 200) throw new GamError("ENGINE_FAILED", messageInText(body));
  const { State } = inspected(JSON.parse(body), "container");
  const limit = task.Spec.Resources?.Limits?.MemoryBytes ?? 0;
  // The stop of a container kills a run of its check, which has nothing to say then.
  const runs = State.Health?.Log ?? [];
  const isTold = State.Health?.Status === "unhealthy";
  const told = runs.findLast(({ ExitCode, Output }) => ExitCode !== 0 && Output !== "");
  const probe = (isTold ? told : undefined) ?? runs.at(-1);
  return [
    ...(State.OOMKilled
      ? [`killed: out of memory${limit > 0 ? `, limit ${sizeText(limit)}` : ""}`]
      : []),
    ...(State.Error ? [clean(State.Error)] : []),
    ...(probe && probe.ExitCode !== 0
      ? [
          `last health check: exit ${probe.ExitCode}${probe.Output ? `, "${clean(probe.Output)}"` : ""}`,
        ]
      : []),
  ];
}

/** Returns: nothing where the log driver keeps no log that can be read. */
async function readLog(
  target: CallTarget,
  { container, task, signal }: Asked,
): Promise<readonly string[]> {
  const query = `stdout=1&stderr=1&tail=${linesMax}`;
  const answer = await openStream(target, `/containers/${container}/logs?${query}`, signal);
  if (answer.statusCode !== 200) {
    answer.resume();
    return [];
  }
  const frames = task.Spec.ContainerSpec.TTY ? splitLines(answer) : decodeFrames(answer);
  const lines: string[] = [];
  for await (const { payload } of frames) {
    lines.push(clean(payload.toString("utf8")));
    if (lines.length > linesMax) lines.shift();
  }
  return lines;
}

/** Returns: the text on one line, without control characters, and cut. */
function clean(found: string): string {
  const line = found.replace(/[\p{Cc}\p{Cf}\s]+/gu, " ").trim();
  const letters = [...line];
  return letters.length <= lettersMax ? line : `${letters.slice(0, lettersMax).join("")}…`;
}
