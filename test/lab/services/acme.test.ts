/**
 * Certificates by ACME on real hosts: got by the leader, served by all, renewed, and renewed by the next leader.
 *
 * Host 4 is the authority (pebble) with its name server, and the client. It is no member.
 */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Host, Lab, labUnavailable } from "../clusters/lab.ts";
import { LabMesh } from "../clusters/lab-mesh.ts";
import { mustDocker } from "../clusters/must-docker.ts";
import { LabError } from "../hosts/lab-error.ts";
import { must } from "../hosts/run.ts";
import { type HttpAnswer, httpCall } from "../load/http-call.ts";

const skip = labUnavailable({ caddy: "caddy", pebble: "pebble", openssl: "openssl" }) ?? false;
const number = 71;
/** Only ends a test that would never end. */
const patienceMs = 180_000;
const members = 3;
const name = "shop.example.com";
const blocked = "blocked.example.com";
/** Renewed after two thirds of it. */
const validSeconds = 60;
const port = 14_000;

describe("certificates by ACME, on three hosts", { skip }, () => {
  let lab: Lab;
  let mesh: LabMesh;
  let authority: Host;
  let asked: Host;

  before(async () => {
    lab = await Lab.up({ hosts: members + 1, number, agents: true, echo: true, caddy: true });
    mesh = await LabMesh.form(lab, members);
    authority = lab.host(members + 1);
    asked = lab.host(1);
    await startAuthority();
  });
  after(async () => {
    await Lab.down(number);
  });

  const folder = (): string => join(authority.folder, "home");
  const gam = async (host: Host, ...words: string[]): Promise<string> => {
    const { code, stdout, stderr } = await host.gam(words);
    if (code !== 0) throw new LabError(stderr);
    return stdout;
  };
  /** The authority's root, which it makes anew at each start. */
  let ca = "";

  async function startAuthority(): Promise<void> {
    mkdirSync(folder(), { recursive: true });
    const [key, chain] = [join(folder(), "key.pem"), join(folder(), "chain.pem")];
    const words = [
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
    ];
    const about = ["-subj", "/CN=pebble", "-addext", `subjectAltName=IP:${authority.address}`];
    await must("openssl", [...words, "-keyout", key, "-out", chain, "-days", "30", ...about]);
    const pebble = {
      listenAddress: `0.0.0.0:${port}`,
      managementListenAddress: "0.0.0.0:15000",
      certificate: chain,
      privateKey: key,
      httpPort: 80,
      tlsPort: 443,
      ocspResponderURL: "",
      externalAccountBindingRequired: false,
      domainBlocklist: [blocked],
      certificateValidityPeriod: validSeconds,
    };
    writeFileSync(join(folder(), "pebble.json"), JSON.stringify({ pebble }));
    const none = ["-http01", "", "-https01", "", "-tlsalpn01", ""];
    // All names lead to host 2, whoever leads.
    const where = ["-defaultIPv4", lab.host(2).address, "-defaultIPv6", ""];
    const names = ["-dns01", "127.0.0.1:8053", "-management", "127.0.0.1:8055"];
    await authority.spawn("names", ["pebble-challtestsrv", ...none, ...where, ...names]);
    const config = ["-config", join(folder(), "pebble.json"), "-dnsserver", "127.0.0.1:8053"];
    await authority.spawn("pebble", ["pebble", ...config], { PEBBLE_VA_NOSLEEP: "1" });
    const own = readFileSync(chain, "utf8");
    await mesh.until("the authority answers", patienceMs, async () => {
      const question = {
        url: "https://127.0.0.1:15000/roots/0",
        host: "pebble",
        isUnchecked: true,
      };
      const { status, body } = await httpCall(authority, question);
      ca = body;
      return status === 200;
    });
    for (const host of lab.hosts) writeFileSync(join(host.folder, "home", "ca.pem"), own);
  }

  const call = (host: Host): Promise<HttpAnswer> =>
    httpCall(authority, { url: `https://${host.address}/`, host: name, ca });
  const endAt = async (host: Host): Promise<number> => Date.parse((await call(host)).validTo ?? "");

  async function create(service: string, host: string): Promise<void> {
    const labels = ["--label", `gam.http.host=${host}`, "--label", "gam.http.tls=acme"];
    const words = ["service", "create", "--detach", "--name", service, ...labels];
    await mustDocker(asked, [...words, "--replicas", "2", "gam/echo:1"]);
  }

  test("a certificate comes by itself, and every host serves it", async () => {
    await create("shop", name);
    await gam(asked, "http", "on", "--image", "gam/caddy:2");
    assert.match(await gam(asked, "http", "status"), /run "gam http on --email ADDRESS"/);
    const file = join(asked.folder, "home", "ca.pem");
    const server = ["--acme-server", `https://${authority.address}:${port}/dir`, "--acme-ca", file];
    await gam(asked, "http", "on", "--email", "ops@example.com", ...server);
    for (const host of lab.hosts.slice(0, members)) {
      await mesh.until("HTTPS answers", patienceMs, async () => (await call(host)).status === 200);
    }
    const secrets = await mustDocker(asked, ["secret", "ls", "--format", "{{.Name}}"]);
    assert.match(secrets, /gam-http-acme-account/);
    const configs = await mustDocker(asked, ["config", "ls", "--format", "{{.Name}}"]);
    assert.doesNotMatch(configs, /challenge|failed/);
  });

  test("a name that the authority refuses is said, with the reason and the next try", async () => {
    await create("blocked", blocked);
    await mesh.until("the status says it", patienceMs, async () => {
      const said = await gam(asked, "http", "status");
      return /blocked\.example\.com .*The ACME server refused: .*\(failed 1 times, next try 20/.test(
        said,
      );
    });
    assert.equal((await call(asked)).status, 200);
    await mustDocker(asked, ["service", "rm", "blocked"]);
    await mesh.until("the failure is removed", patienceMs, async () => {
      const configs = await mustDocker(asked, ["config", "ls", "--format", "{{.Name}}"]);
      return !configs.includes("gam-http-failed");
    });
  });

  test("the certificate is renewed by itself, also after the leader's host was lost", async (t) => {
    const first = await endAt(lab.host(2));
    await mesh.until("it is renewed", patienceMs, async () => (await endAt(lab.host(2))) > first);
    const leader = await mesh.leader(asked);
    await lab.host(leader).kill();
    const rest = lab.hosts.slice(0, members).filter((host) => host.number !== leader);
    const second = await Promise.all(rest.map(endAt));
    for (const [at, host] of rest.entries()) {
      await mesh.until("the next leader renews it", patienceMs, async () => {
        return (await endAt(host)) > (second[at] ?? 0);
      });
    }
    t.diagnostic(`valid for ${validSeconds} s each; leader ${leader} was lost`);
  });
});
