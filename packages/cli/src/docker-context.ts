/**
 * Docker context: lets people say `docker --context gam …` where there is a docker client.
 *
 * A convenience: whatever goes wrong with it is no failure of the command.
 */
import { execFile } from "node:child_process";

const contextName = "gam";
const dockerMsMax = 5_000;

/** What to tell about it; `undefined` where there is no docker client, or it would not. */
export function makeDockerContext(
  socket: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<string | undefined> {
  const args = ["context", "create", contextName, "--docker", `host=unix://${socket}`];
  const hint = `docker --context ${contextName} node ls`;
  return new Promise((resolve) => {
    execFile(
      "docker",
      args,
      { env: { ...environment }, timeout: dockerMsMax },
      (error, _, stderr) => {
        if (error === null) resolve(`The docker client now knows this mesh as a context: ${hint}`);
        else if (stderr.includes("already exists")) resolve(`The docker client knows it: ${hint}`);
        else resolve(undefined);
      },
    );
  });
}
