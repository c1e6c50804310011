/**
 * The docker client, each version that this machine has: the commands of a day with Swarm, in order.
 *
 * A row says how the command ends and what it prints. `@` at the beginning of a word names something of an earlier
 * row: `@node` is the hostname of a node that does not lead.
 */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ClientCluster, labUnavailable } from "./support/client-cluster.ts";

const skip = labUnavailable() ?? false;
const number = 101;
const withinMs = 120_000;
const clients = [
  ...new Set(
    ["/usr/bin/docker", "/usr/local/bin/docker"]
      .filter(existsSync)
      .map((path) => realpathSync(path)),
  ),
];

interface Row {
  readonly name: string;
  readonly args: string;
  /** Wanted on standard output; for a row that fails, on standard error. */
  readonly says?: RegExp;
  readonly fails?: true;
  readonly input?: string;
  /** Repeats the command until it says so. */
  readonly waits?: true;
}

const stack = `version: "3.8"
services:
  web:
    image: gam/test:1
    deploy: {replicas: 2, update_config: {order: start-first}}
    networks: [front]
    secrets: [token]
    configs: [{source: app, target: /etc/app.conf}]
networks: {front: {}}
secrets: {token: {file: ./token.txt}}
configs: {app: {file: ./app.conf}}
`;

const ids = /^[0-9a-z]{25}$/;
const create = "service create --detach --no-resolve-image";

const rows: readonly Row[] = [
  { name: "info", args: "info --format {{.Swarm.LocalNodeState}}", says: /^active$/ },
  { name: "info about managers", args: "info --format {{.Swarm.ControlAvailable}}", says: /true/ },
  { name: "node ls", args: "node ls", says: /Ready\s+Active\s+Leader/ },
  { name: "node ls by role", args: "node ls --filter role=manager --quiet", says: /^[0-9a-z]{25}/ },
  { name: "node ls by name", args: "node ls --filter name=@node --quiet", says: ids },
  {
    name: "node ls by a wrong filter",
    args: "node ls --filter colour=red",
    fails: true,
    says: /invalid filter 'colour'/i,
  },
  {
    name: "node inspect",
    args: "node inspect @node --format {{.Description.Hostname}}",
    says: /host/,
  },
  {
    name: "node inspect --pretty",
    args: "node inspect --pretty @node",
    says: /Availability:\s+Active/,
  },
  {
    name: "node inspect self",
    args: "node inspect self --format {{.Status.State}}",
    says: /ready/,
  },
  {
    name: "node inspect of a stranger",
    args: "node inspect nonsense",
    fails: true,
    says: /(No such node: nonsense|node nonsense not found)/i,
  },
  { name: "node update --label-add", args: "node update --label-add zone=a @node", says: /host/ },
  {
    name: "node label is there",
    args: "node inspect @node --format {{.Spec.Labels.zone}}",
    says: /^a$/,
  },
  { name: "node ls by node label", args: "node ls --filter node.label=zone=a --quiet", says: ids },
  { name: "node update --label-rm", args: "node update --label-rm zone @node" },
  { name: "node update --availability", args: "node update --availability pause @node" },
  { name: "node is paused", args: "node ls --filter name=@node", says: /Pause/ },
  { name: "node is active again", args: "node update --availability active @node" },
  { name: "swarm join-token worker", args: "swarm join-token -q worker", says: /^\S{30,}$/ },
  {
    name: "swarm join-token manager",
    args: "swarm join-token manager",
    says: /docker swarm join --token/,
  },
  { name: "swarm update", args: "swarm update --task-history-limit 4", says: /Swarm updated/ },
  { name: "swarm ca", args: "swarm ca", says: /-----BEGIN CERTIFICATE-----/ },
  { name: "swarm init twice", args: "swarm init", fails: true, says: /already part of a swarm/ },

  {
    name: "network create",
    args: "network create -d overlay --attachable --subnet 10.79.0.0/24 net",
    says: ids,
  },
  {
    name: "network create twice",
    args: "network create -d overlay net",
    fails: true,
    says: /network with name net already exists/,
  },
  { name: "network ls", args: "network ls --filter driver=overlay", says: /net\s+overlay\s+swarm/ },
  {
    name: "network inspect",
    args: "network inspect net --format {{(index_.IPAM.Config_0).Subnet}}",
    says: /10\.79\.0\.0\/24/,
  },

  { name: "secret create", args: "secret create hush -", input: "hush", says: ids },
  {
    name: "secret create twice",
    args: "secret create hush -",
    input: "x",
    fails: true,
    says: /already exists/,
  },
  { name: "secret ls", args: "secret ls", says: /hush/ },
  { name: "secret inspect", args: "secret inspect hush --format {{.Spec.Name}}", says: /^hush$/ },
  { name: "config create", args: "config create -l a=b conf -", input: "key=value", says: ids },
  { name: "config ls by label", args: "config ls --filter label=a=b --quiet", says: ids },
  { name: "config inspect --pretty", args: "config inspect --pretty conf", says: /key=value/ },

  {
    name: "service create",
    args: `${create} --name web --replicas 2 --network net --secret hush --config source=conf,target=/etc/c --publish 18380:80 gam/test:1`,
    says: ids,
  },
  {
    name: "service create twice",
    args: `${create} --name web gam/test:1`,
    fails: true,
    says: /name conflicts with an existing object/,
  },
  {
    name: "service create with a taken port",
    args: `${create} --name web2 --publish 18380:80 gam/test:1`,
    fails: true,
    says: /port '18380' is already in use by service 'web' \(\w+\) as an ingress port/,
  },
  {
    name: "service create with an unknown secret",
    args: `${create} --name web2 --secret nonsense gam/test:1`,
    fails: true,
    says: /secret not found: nonsense/,
  },
  {
    name: "service create with an unknown network",
    args: `${create} --name web2 --network nonsense gam/test:1`,
    fails: true,
    says: /(network nonsense not found|No such network: nonsense)/i,
  },
  {
    name: "service create with a wrong template",
    args: `${create} --name web2 --hostname {{.Wrong}} gam/test:1`,
    fails: true,
    says: /can't evaluate field Wrong/,
  },
  {
    name: "service ls",
    args: "service ls",
    waits: true,
    says: /web\s+replicated\s+2\/2\s+gam\/test:1\s+\*:18380->80\/tcp/,
  },
  {
    name: "service ls by name",
    args: "service ls --filter name=web --quiet",
    says: /^[0-9a-z]{12}$/,
  },
  { name: "service ls by mode", args: "service ls --filter mode=global --quiet", says: /^$/ },
  { name: "service ps", args: "service ps web", says: /web\.1\s.*Running/ },
  {
    name: "service ps by desired state",
    args: "service ps web --filter desired-state=running -q",
    says: /^[0-9a-z]{25}\n/,
  },
  {
    name: "service inspect",
    args: "service inspect web --format {{.Spec.Mode.Replicated.Replicas}}",
    says: /2/,
  },
  {
    name: "service inspect --pretty",
    args: "service inspect --pretty web",
    says: /Service Mode:\s+Replicated/,
  },
  {
    name: "service inspect of a stranger",
    args: "service inspect nonsense",
    fails: true,
    says: /no such service: nonsense/i,
  },
  { name: "service scale", args: "service scale --detach web=3", says: /web scaled to 3/ },
  { name: "service is scaled", args: "service ls --filter name=web", waits: true, says: /3\/3/ },
  {
    name: "service update waits",
    args: "service update --quiet --env-add A=1 --update-parallelism 0 web",
  },
  {
    name: "service update says completed",
    args: "service inspect web --format {{.UpdateStatus.State}}",
    says: /completed/,
  },
  { name: "service rollback", args: "service rollback --quiet web" },
  {
    name: "service rollback is completed",
    args: "service inspect web --format {{.UpdateStatus.State}}",
    says: /rollback_completed/,
  },
  { name: "service update --force", args: "service update --detach --force web" },
  { name: "service logs", args: "service logs web" },
  {
    name: "secret rm in use",
    args: "secret rm hush",
    fails: true,
    says: /secret 'hush' is in use by the following service: web/,
  },
  {
    name: "config rm in use",
    args: "config rm conf",
    fails: true,
    says: /config 'conf' is in use by the following service: web/,
  },
  { name: "network rm in use", args: "network rm net", fails: true, says: /in use by service/ },
  { name: "a global service", args: `${create} --name all --mode global gam/test:1`, says: ids },
  {
    name: "a global service runs everywhere",
    args: "service ls --filter mode=global",
    waits: true,
    says: /all\s+global\s+3\/3/,
  },
  {
    name: "a global service does not scale",
    args: "service scale all=2",
    fails: true,
    says: /scale can only be used with replicated/,
  },
  {
    name: "a job",
    args: `${create} --name once --mode replicated-job --replicas 2 --restart-condition none gam/test:1 true`,
    says: ids,
  },
  {
    name: "a job completes",
    args: "service ls --filter name=once",
    waits: true,
    says: /0\/2 \(2\/2 completed\)/,
  },
  { name: "node ps", args: "node ps @node", says: /all\.\w+\s/ },
  { name: "service rm", args: "service rm web all once", says: /web\nall\nonce/ },
  {
    name: "service rm of a stranger",
    args: "service rm web",
    fails: true,
    says: /(service web not found|No such service: web)/i,
  },
  { name: "secret rm", args: "secret rm hush", waits: true, says: /hush/ },
  { name: "config rm", args: "config rm conf", waits: true, says: /conf/ },
  { name: "network rm", args: "network rm net", waits: true, says: /net/ },

  {
    name: "stack deploy",
    args: "stack deploy --resolve-image never -c stack.yml shop",
    says: /Creating service shop_web/,
  },
  { name: "stack ls", args: "stack ls", says: /shop\s+1/ },
  {
    name: "stack services",
    args: "stack services shop",
    waits: true,
    says: /shop_web\s+replicated\s+2\/2/,
  },
  { name: "stack ps", args: "stack ps shop", says: /shop_web\.1/ },
  {
    name: "stack deploy again changes nothing",
    args: "stack deploy --resolve-image never -c stack.yml shop",
    says: /Updating service shop_web/,
  },
  {
    name: "no task of the stack was replaced",
    args: "stack ps shop -q --filter desired-state=shutdown",
    fails: true,
    says: /nothing found in stack: shop/,
  },
  { name: "stack rm", args: "stack rm shop", says: /.*/ },
  { name: "the stack is gone", args: "stack ls --format {{.Name}}", waits: true, says: /^$/ },
];

for (const client of clients) {
  describe(`docker, ${client}`, { skip, timeout: 4 * withinMs }, () => {
    let up: ClientCluster;
    let folder: string;
    const known = new Map<string, string>();
    before(async () => {
      folder = mkdtempSync(join(tmpdir(), "gam-cli-"));
      for (const [name, text] of [
        ["stack.yml", stack],
        ["token.txt", "hush"],
        ["app.conf", "key = value"],
      ] as const) {
        writeFileSync(join(folder, name), text);
      }
      up = await ClientCluster.up(number);
      const nodes = await up.cluster.nodes(up.cluster.lab.host(1));
      const node = nodes.find(({ ManagerStatus }) => ManagerStatus?.Leader !== true);
      known.set("@node", node?.Description.Hostname ?? "");
    });
    after(async () => {
      await up?.down();
      if (folder !== undefined) rmSync(folder, { recursive: true });
    });

    for (const { name, args, says, fails = false, input = "", waits = false } of rows) {
      test(name, async () => {
        // "_" stands for a space inside a word.
        const words = args.split(" ").map((word) => {
          const filled = word.replace(/@node/, (found) => known.get(found) ?? found);
          return filled.startsWith("{{") ? filled.replaceAll("_", " ") : filled;
        });
        const run = () =>
          up.run(client, ["--config", folder, ...words], { withinMs, cwd: folder, input });
        const holds = ({ code, out, err }: Awaited<ReturnType<typeof run>>): boolean =>
          (code !== 0) === fails && (says === undefined || says.test((fails ? err : out).trim()));
        let last = await run();
        if (waits) {
          await up.cluster.until(
            () => `${args}: ${last.out}${last.err}`,
            withinMs,
            async () => {
              if (!holds(last)) last = await run();
              return holds(last);
            },
          );
        }
        if (holds(last)) return;
        const shown = await up.run(client, ["stack", "ps", "--no-trunc", "shop"], { withinMs });
        assert.fail(`code ${last.code}\n${last.out}${last.err}\n${shown.out}${shown.err}`);
      });
    }
  });
}
