/**
 * HTTP by name on real hosts: which task answers which request, what the proxy outlives, certificates, a rolling
 * update under TLS, and what the way through gam costs.
 *
 * Host 4 is the client and no member. One mesh serves all tests, in order.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { type Host, Lab, labUnavailable } from "../clusters/lab.ts";
import { LabMesh } from "../clusters/lab-mesh.ts";
import { mustDocker } from "../clusters/must-docker.ts";
import { healthFlags, overloaded, rollingUpdate, tasksOf } from "../clusters/rolling-update.ts";
import { deadlineMs, loadPerSecond } from "../hosts/machine.ts";
import { must } from "../hosts/run.ts";
import type { Answer } from "../load/echo.ts";
import { type HttpAnswer, type HttpQuestion, httpCall } from "../load/http-call.ts";
import { Load } from "../load/load.ts";

const skip = labUnavailable({ caddy: "caddy", openssl: "openssl" }) ?? false;
const number = 70;
/** Only ends a test that would never end. */
const patienceMs = 120_000;
const members = 3;
const replicas = 6;
const perSecondMax = 300;
const alonePort = 8443;
const rounds = 4;
const roundMs = 6_000;
const shop = "shop.example.com";
const safe = "safe.example.com";
const json = (answer: HttpAnswer): Answer => JSON.parse(answer.body) as Answer;

describe("services by name, on three hosts", { skip }, () => {
  let lab: Lab;
  let mesh: LabMesh;
  let client: Host;

  before(async () => {
    lab = await Lab.up({
      ...{ hosts: members + 1, number, agents: true, echo: true, caddy: true, measure: true },
    });
    mesh = await LabMesh.form(lab, members);
    client = lab.host(members + 1);
  });
  after(async () => {
    await Lab.down(number);
  });

  const asked = (): readonly Host[] => lab.hosts.slice(0, members);
  const call = (to: Host, path: string, more: Partial<HttpQuestion> = {}): Promise<HttpAnswer> => {
    const scheme = more.ca === undefined ? "http" : "https";
    return httpCall(client, { url: `${scheme}://${to.address}${path}`, host: shop, ...more });
  };
  const create = (name: string, labels: Record<string, string>, ...more: string[]) => {
    const words = Object.entries(labels).flatMap(([key, value]) => [
      "--label",
      `gam.http.${key}=${value}`,
    ]);
    return lab.host(2).docker(["service", "create", "--detach", "--name", name, ...words, ...more]);
  };
  const made = async (name: string, labels: Record<string, string>, ...more: string[]) => {
    const { code, stderr } = await create(name, labels, ...more);
    assert.equal(code, 0, stderr);
  };
  const gam = async (...words: string[]): Promise<string> => {
    const { code, stdout, stderr } = await lab.host(1).gam(words);
    assert.equal(code, 0, stderr);
    return stdout;
  };

  test("each host answers for a name, by its own task, which learns the client's address", async () => {
    await made("web", { host: shop }, "--replicas", String(members), "gam/echo:1");
    await gam("http", "on", "--image", "gam/caddy:2");
    await mesh.running(lab.host(1), "web", members, [], patienceMs);
    await mesh.running(lab.host(1), "gam-http", members, [], patienceMs);
    const tasks = await tasksOf(mesh, "web");
    for (const host of asked()) {
      const own = tasks.find((task) => task.host === host);
      await mesh.until("its own task answers", patienceMs, async () => {
        const answer = await call(host, "/", { headers: { "x-forwarded-for": "192.0.2.1" } });
        return answer.status === 200 && json(answer).server === own?.hostname;
      });
      assert.equal(json(await call(host, "/")).forwarded, client.address);
    }
    assert.equal((await call(lab.host(1), "/", { host: "other.example.com" })).status, 404);
  });

  test("a host without a task sends requests to the others", async () => {
    await mustDocker(lab.host(1), ["service", "scale", "--detach", "web=1"]);
    await mesh.until("one task is left", patienceMs, async () => {
      return (await tasksOf(mesh, "web")).length === 1;
    });
    const [task] = await tasksOf(mesh, "web");
    for (const host of asked()) {
      await mesh.until("the one task answers", patienceMs, async () => {
        const answer = await call(host, "/");
        return answer.status === 200 && json(answer).server === task?.hostname;
      });
    }
  });

  test("paths, redirects, passwords and sticky sessions do what their labels say", async () => {
    const hash = (await must("caddy", ["hash-password", "--plaintext", "secret"])).trim();
    await made("api", { host: shop, path: "/api", redirect: "www.example.com" }, "gam/echo:1");
    await made("inner", { host: "in.example.com", auth: `ada:${hash}` }, "gam/echo:1");
    const sticky = { host: "cart.example.com", sticky: "cookie" };
    await made("cart", sticky, "--replicas", String(members), "gam/echo:1");
    for (const [name, count] of Object.entries({ api: 1, inner: 1, cart: members })) {
      await mesh.running(lab.host(1), name, count, [], patienceMs);
    }
    const [api] = await tasksOf(mesh, "api");
    const [host] = asked() as [Host];
    await mesh.until("the path leads to its service", patienceMs, async () => {
      const answer = await call(host, "/api/x");
      return answer.status === 200 && json(answer).server === api?.hostname;
    });
    assert.notEqual(json(await call(host, "/apis")).server, api?.hostname);
    const moved = await call(host, "/a?b=c", { host: "www.example.com" });
    assert.deepEqual([moved.status, moved.headers.location], [308, `http://${shop}/a?b=c`]);

    const secret = (word: string) => ({
      host: "in.example.com",
      headers: { authorization: `Basic ${Buffer.from(`ada:${word}`).toString("base64")}` },
    });
    await mesh.until("the password opens it", patienceMs, async () => {
      return (await call(host, "/", secret("secret"))).status === 200;
    });
    assert.equal((await call(host, "/", secret("wrong"))).status, 401);
    assert.equal((await call(host, "/", { host: "in.example.com" })).status, 401);

    const cart = { host: "cart.example.com" };
    let cookie = "";
    await mesh.until("there is a cookie", patienceMs, async () => {
      const [found = ""] = [(await call(host, "/", cart)).headers["set-cookie"] ?? []].flat();
      cookie = found.split(";")[0] ?? "";
      return cookie !== "";
    });
    const answers: HttpAnswer[] = [];
    for (const to of [...asked(), ...asked()]) {
      answers.push(await call(to, "/", { ...cart, headers: { cookie } }));
    }
    assert.equal(new Set(answers.map((answer) => json(answer).server)).size, 1);
  });

  test("a name that another service has is refused with that service's name", async () => {
    const { code, stderr } = await create("copy", { host: `x.example.com, ${shop}` }, "gam/echo:1");
    assert.notEqual(code, 0);
    assert.match(stderr, /shop\.example\.com is already served for service web/);
    const { stderr: mistyped } = await create("copy", { hots: "x.example.com" }, "gam/echo:1");
    assert.match(mistyped, /did you mean "gam.http.host"/);
  });

  test("names are answered while agents are away, also by a proxy that starts meanwhile", async () => {
    const [one, two] = asked() as [Host, Host];
    await Promise.all([one.killAgent("SIGKILL"), two.killAgent("SIGKILL")]);
    assert.equal((await call(one, "/")).status, 200);
    const [proxy] = await tasksIn(one, "gam-http");
    assert.ok(proxy !== undefined);
    await mustDocker(one, ["restart", "-t", "0", proxy], { engine: true });
    await mesh.until("the proxy answers again", patienceMs, async () => {
      return (await call(one, "/")).status === 200;
    });
    await Promise.all([one.startAgent(), two.startAgent()]);
    await mesh.ready(lab.host(3), members, patienceMs);
    await made("late", { host: "late.example.com" }, "gam/echo:1");
    for (const host of asked()) {
      await mesh.until("a new name is answered", patienceMs, async () => {
        return (await call(host, "/", { host: "late.example.com" })).status === 200;
      });
    }
  });

  const certificate = async (file: string, name: string, days = "30"): Promise<string> => {
    const folder = mkdtempSync(join(tmpdir(), "gam-http-"));
    const [keyFile, chain] = [join(folder, "key.pem"), join(folder, "chain.pem")];
    const words = [
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
    ];
    const about = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`];
    await must("openssl", [...words, "-keyout", keyFile, "-out", chain, "-days", days, ...about]);
    const ca = readFileSync(chain, "utf8");
    key = readFileSync(keyFile, "utf8");
    const input = `${ca}${key}`;
    rmSync(folder, { recursive: true });
    await mustDocker(lab.host(3), ["secret", "create", file, "-"], { input });
    return ca;
  };
  let ca = "";
  let key = "";

  test("a certificate in a secret serves HTTPS on each host, and port 80 leads there", async () => {
    const missing = await create("safe", { host: safe, tls: "safe_cert" }, "gam/echo:1");
    assert.match(missing.stderr, /names the secret "safe_cert", which does not exist/);
    ca = await certificate("safe_cert", safe);
    const health = healthFlags(lab.machine, replicas);
    const more = ["--replicas", String(replicas), ...health, "gam/echo:1"];
    await made("safe", { host: safe, tls: "safe_cert" }, ...more);
    await mesh.running(lab.host(1), "safe", replicas, [], patienceMs);
    for (const host of asked()) {
      await mesh.until("HTTPS answers", patienceMs, async () => {
        return (await call(host, "/", { host: safe, ca })).status === 200;
      });
      const { status, headers } = await call(host, "/x", { host: safe });
      assert.deepEqual([status, headers.location], [308, `https://${safe}/x`]);
    }
    assert.equal((await call(lab.host(1), "/")).status, 200, "plain names go on");
    const inUse = await lab.host(1).docker(["secret", "rm", "safe_cert"]);
    assert.match(inUse.stderr, /in use by the following service: safe/);
    assert.match(
      await gam("http", "status"),
      /safe\.example\.com +safe +safe_cert, (29|30) days left/,
    );
  });

  test("a certificate that cannot be used costs only its own name, and the status says why", async () => {
    await mustDocker(lab.host(1), ["secret", "create", "bad_cert", "-"], { input: "no PEM" });
    await made("bad", { host: "bad.example.com", tls: "bad_cert" }, "gam/echo:1");
    await mesh.running(lab.host(1), "bad", 1, [], patienceMs);
    await mesh.until("the status says it", patienceMs, async () => {
      return /bad_cert +it has no certificate/.test(await gam("http", "status"));
    });
    await mesh.until("it is not served in the clear", patienceMs, async () => {
      return (await call(lab.host(2), "/", { host: "bad.example.com" })).status === 503;
    });
    assert.equal((await call(lab.host(2), "/", { host: safe, ca })).status, 200);
    await mustDocker(lab.host(1), ["service", "rm", "bad"]);
  });

  const updates: readonly (readonly [string, { readonly kept?: number }])[] = [
    ["a new connection each", {}],
    ["on connections that are kept", { kept: 16 }],
  ];
  for (const [how, connections] of updates) {
    test(`a rolling update under TLS requests, ${how}, loses none`, async (t) => {
      const carried = loadPerSecond(lab.machine, perSecondMax);
      const perSecond = connections.kept === undefined ? carried : perSecondMax;
      const update = await rollingUpdate({
        ...{ mesh, service: "safe", replicas, order: "start-first", perSecond, ...connections },
        ...{ from: client, host: safe, ca, bareAt: lab.host(2) },
        urls: asked().map((host) => `https://${host.address}/`),
        withinMs: deadlineMs(lab.machine, 120_000, { containers: 2 * replicas }),
      });
      const { load, bare } = update;
      const failed = Object.values(load.failures).reduce((sum, count) => sum + count, 0);
      t.diagnostic(
        `${load.answered} answered and ${failed} failed, ${perSecond} a second, p50 ${load.p50Ms.toFixed(1)} ms, p99 ${load.p99Ms.toFixed(0)} ms; bare p99 ${bare.p99Ms.toFixed(0)} ms`,
      );
      const why = overloaded(update);
      if (why !== undefined) return t.skip(`the machine was too slow: ${why}`);
      assert.deepEqual(load.failures, {});
      assert.ok(load.answered > 5 * perSecond);
    });
  }

  test("the slowest requests take at most half longer than through Caddy alone", async (t) => {
    const host = lab.host(1);
    const own = (await tasksOf(mesh, "safe")).filter((task) => task.host === host);
    const upstreams = own.map(({ addresses }) => ({ dial: `${addresses["0.ingress"]}:80` }));
    assert.ok(upstreams.length > 0 && !upstreams.some(({ dial }) => dial.startsWith("undefined")));
    const file = join(host.folder, "home", "alone.json");
    writeFileSync(file, aloneConfig(upstreams));
    const caddy = await host.spawn("alone", ["caddy", "run", "--config", file]);
    const alone = `https://${host.address}:${alonePort}/`;
    await mesh.until("Caddy alone answers", patienceMs, async () => {
      return (await httpCall(client, { url: alone, host: safe, ca })).status === 200;
    });
    const perSecond = Math.min(loadPerSecond(lab.machine, perSecondMax) / 2, 50);
    const p99s: { alone: number[]; gam: number[] } = { alone: [], gam: [] };
    for (let round = 0; round < rounds; round += 1) {
      for (const [kind, url] of [
        ["alone", alone],
        ["gam", `https://${host.address}/`],
      ] as const) {
        const load = await Load.start(client, { urls: [url], host: safe, ca, perSecond });
        await load.underWay();
        await pause(roundMs);
        load.end();
        const { p50Ms, p99Ms, failures } = await load.result();
        assert.deepEqual(failures, {});
        t.diagnostic(`${kind}: p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms`);
        p99s[kind].push(p99Ms);
      }
    }
    caddy.kill("SIGKILL");
    const ratio = Math.min(...p99s.gam) / Math.min(...p99s.alone);
    t.diagnostic(`the best round of each: ${ratio.toFixed(2)} times`);
    assert.ok(ratio <= 1.5, `${ratio.toFixed(2)} times`);
  });

  /** Caddy as one would write it for these tasks, with the certificate of the secret. */
  function aloneConfig(upstreams: readonly object[]): string {
    const handle = [{ handler: "reverse_proxy", upstreams }];
    const server = {
      listen: [`:${alonePort}`],
      routes: [{ handle }],
      automatic_https: { disable: true },
      tls_connection_policies: [{}],
    };
    const load_pem = [{ certificate: ca, key }];
    const apps = { http: { servers: { alone: server } }, tls: { certificates: { load_pem } } };
    return JSON.stringify({ admin: { disabled: true }, apps });
  }

  test("the proxy is removed, and the services run on", async () => {
    await gam("http", "off");
    await mesh.until("nothing answers", patienceMs, async () => {
      const all = await Promise.all(asked().map((host) => call(host, "/").catch(String)));
      return all.every((answer) => /ECONNREFUSED/.test(String(answer)));
    });
    assert.match(await gam("http", "status"), /^The HTTP proxy is off/);
    assert.equal((await tasksOf(mesh, "safe")).length, replicas);
  });

  async function tasksIn(host: Host, service: string): Promise<string[]> {
    const filter = `label=com.docker.swarm.service.name=${service}`;
    return (await mustDocker(host, ["ps", "-q", "--filter", filter], { engine: true }))
      .split("\n")
      .filter(Boolean);
  }
});
