/**
 * Docker context: makes `docker --context gam …` work where there is a docker client.
 *
 * A convenience: the gam command succeeds even if this fails.
 */
import { execFile } from "node:child_process";

const contextName = "gam";
const dockerMsMax = 5_000;

/** Returns: a message for the user; `undefined` if there is no docker client or it fails. */
export async function makeDockerContext(
  socket: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<string | undefined> {
  const host = `unix://${socket}`;
  const hint = `docker --context ${contextName} node ls`;
  const made = await docker(["create", contextName, "--docker", `host=${host}`], environment);
  if (made.ok) return `Created docker context "${contextName}". Try: ${hint}`;
  if (!made.said.includes("already exists")) return undefined;
  const format = "{{.Endpoints.docker.Host}}";
  const known = await docker(["inspect", contextName, "--format", format], environment);
  if (known.said.trim() === host)
    return `Docker context "${contextName}" leads to this mesh. Try: ${hint}`;
  return `Docker context "${contextName}" leads to ${known.said.trim()}. For this host, run docker -H ${host}`;
}

function docker(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Promise<{ readonly ok: boolean; readonly said: string }> {
  const options = { env: { ...environment }, timeout: dockerMsMax };
  return new Promise((resolve) => {
    execFile("docker", ["context", ...args], options, (error, stdout, stderr) =>
      resolve({ ok: error === null, said: stdout + stderr }),
    );
  });
}
