/** Image commands: `image ls`, `image push`, `image prune`. */
import { GamError } from "@gam/core";
import { checkImageList, checkImagePrune, checkImagePush, type PruneRow } from "@gam/state/answers";
import type { AgentClient } from "../agent/agent-client.ts";
import type { CommandIo } from "../agent/command-io.ts";
import { columns } from "../views/columns.ts";

const pollMs = 1_000;
const idLength = 12;

export async function list(
  client: AgentClient,
  io: CommandIo,
  { json = false, trunc = true }: { readonly json?: boolean; readonly trunc?: boolean },
): Promise<void> {
  const answer = await client.get("/gam/v1/images");
  if (json) return io.print(JSON.stringify(answer, undefined, 2));
  const { images, silent } = checkImageList(answer, "images");
  const rows = images
    .map(({ id, names, hosts }) => [nameOf(names), shortId(id, trunc), hosts.join(", ")])
    .sort(([a = ""], [b = ""]) => (a < b ? -1 : a > b ? 1 : 0));
  for (const line of columns([["IMAGE", "ID", "HOSTS"], ...rows])) io.print(line);
  if (silent.length > 0) io.complain(`Not known yet: the images of ${silent.join(", ")}`);
}

/** Returns: whether all hosts have the image. */
export async function push(
  client: AgentClient,
  io: CommandIo,
  { image, hosts }: { readonly image: string; readonly hosts: readonly string[] },
): Promise<boolean> {
  const told = new Map<string, string>();
  for (;;) {
    const answer = await client.post("/gam/v1/images/push", { image, hosts });
    const push = checkImagePush(answer, "push");
    for (const { host, state, bytes, reason } of push.hosts) {
      const said =
        state === "failed"
          ? `${host}: failed: ${reason}`
          : state === "going"
            ? `${host}: ${megabytes(bytes)} so far`
            : bytes === 0 && !told.has(host)
              ? `${host}: has the image`
              : `${host}: done`;
      if (told.get(host) !== said) (state === "failed" ? io.complain : io.print)(said);
      told.set(host, said);
    }
    if (push.hosts.every(({ state }) => state !== "going")) {
      return push.hosts.every(({ state }) => state === "done");
    }
    await io.pause(pollMs);
  }
}

export interface PruneOptions {
  readonly hosts: readonly string[];
  readonly all?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** Returns: whether every host answered, and deleted what it should. Errors: REFUSED for another answer than "yes". */
export async function prune(
  client: AgentClient,
  io: CommandIo,
  { hosts, all = false, yes = false, json = false }: PruneOptions,
): Promise<boolean> {
  const ask = async (apply: boolean): Promise<readonly PruneRow[]> => {
    const answer = await client.post("/gam/v1/images/prune", { hosts, all, apply });
    if (json && (apply || !yes)) io.print(JSON.stringify(answer, undefined, 2));
    return checkImagePrune(answer, "prune").hosts;
  };
  const planned = await ask(false);
  if (!json) for (const line of pruneView(planned)) io.print(line);
  const isEmpty = planned.every(
    ({ images, cacheBytes }) => images.length === 0 && cacheBytes === 0,
  );
  for (const { host, problem } of planned) if (problem !== "") io.complain(`${host}: ${problem}`);
  const answered = planned.every(({ problem }) => problem === "");
  if (isEmpty || !(yes || (await insists(io, all)))) return answered;
  const done = await ask(true);
  for (const { host, problem } of done) if (problem !== "") io.complain(`${host}: ${problem}`);
  if (!json)
    io.print(
      `Deleted ${megabytes(sumOf(done))} on ${done.length} ${done.length === 1 ? "host" : "hosts"}`,
    );
  return done.every(({ problem }) => problem === "");
}

/** Lines to print. */
function pruneView(rows: readonly PruneRow[]): string[] {
  const lines = rows.flatMap(({ host, images, cacheBytes }) => [
    ...images.map(({ id, names, bytes }) => [
      host,
      nameOf(names),
      shortId(id, true),
      megabytes(bytes),
    ]),
    ...(cacheBytes > 0 ? [[host, "(layers kept for other hosts)", "", megabytes(cacheBytes)]] : []),
  ]);
  if (lines.length === 0) return ["Nothing to delete"];
  return columns([["HOST", "IMAGE", "ID", "SIZE"], ...lines]);
}

async function insists(io: CommandIo, all: boolean): Promise<boolean> {
  if (io.ask === undefined) {
    io.complain(
      `Nothing was deleted. To delete these, run "gam image prune --yes${all ? " --all" : ""}"`,
    );
    return false;
  }
  const said = (await io.ask('Type "yes" to delete these: ')).trim();
  if (said === "yes") return true;
  throw new GamError("REFUSED", `Nothing was deleted: found "${said}" instead of "yes"`);
}

/** Images share layers, so the sum may be more than what becomes free. */
function sumOf(rows: readonly PruneRow[]): number {
  return rows.reduce(
    (sum, { images, cacheBytes }) =>
      sum + cacheBytes + images.reduce((bytes, image) => bytes + image.bytes, 0),
    0,
  );
}

/** Returns: the first tag, else the first name with a digest. */
function nameOf(names: readonly string[]): string {
  const tags = names.filter((name) => !name.includes("@"));
  return (tags.length > 0 ? tags.join(", ") : names[0]?.replace(/@.*$/, "")) ?? "<none>";
}

function shortId(id: string, trunc: boolean): string {
  return trunc ? id.replace(/^sha256:/, "").slice(0, idLength) : id;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e8 ? 1 : 0)} MB`;
}
