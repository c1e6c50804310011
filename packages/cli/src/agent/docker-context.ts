/**
 * Docker context: lets people say `docker --context gam …` where there is a docker client.
 *
 * A convenience: whatever goes wrong with it is no failure of the command.
 */
import { execFile } from "node:child_process";

const contextName = "gam";
const dockerMsMax = 5_000;

/** What to tell about it; `undefined` where there is no docker client, or it would not. */
export async function makeDockerContext(
  socket: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<string | undefined> {
  const host = `unix://${socket}`;
  const hint = `docker --context ${contextName} node ls`;
  const made = await docker(["create", contextName, "--docker", `host=${host}`], environment);
  if (made.ok) return `The docker client now knows this mesh as a context: ${hint}`;
  if (!made.said.includes("already exists")) return undefined;
  const format = "{{.Endpoints.docker.Host}}";
  const known = await docker(["inspect", contextName, "--format", format], environment);
  if (known.said.trim() === host) return `The docker client knows this mesh as a context: ${hint}`;
  return `The docker context "${contextName}" is of ${known.said.trim()}; for this host use docker -H ${host}`;
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
