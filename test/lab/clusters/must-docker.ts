/** Runs the docker client at a host's agent or engine. A failure ends the test. */
import { type Host, LabError } from "./lab.ts";

const clientMsMax = 120_000;

/** Its output, without the line end. Errors: LabError with the command and its output. */
export async function mustDocker(
  host: Host,
  args: readonly string[],
  options: { readonly engine?: boolean; readonly input?: string } = {},
): Promise<string> {
  const { code, stdout, stderr } = await host.docker(args, { ...options, timeoutMs: clientMsMax });
  if (code === 0) return stdout.trim();
  const said = (stderr.trim() || stdout.trim()).slice(-800);
  throw new LabError(
    `Cannot run "docker ${args.join(" ")}" at ${host.name}: code ${code}, output: ${said}`,
  );
}
