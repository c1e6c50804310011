/**
 * Service manager: tells systemd that the agent is ready, that it still works, and that it stops.
 *
 * Only where systemd started the agent and asks for it (NOTIFY_SOCKET, WATCHDOG_USEC). Node cannot send datagrams
 * to a Unix socket, so the program systemd-notify does it. Protocol: sd_notify(3), sd_watchdog_enabled(3).
 */
import { execFile } from "node:child_process";

export interface ServiceManager {
  /** The agent serves its API. From now on it says regularly that it works, as long as its event loop turns. */
  ready(): void;
  stopping(): void;
}

const silent: ServiceManager = { ready: () => undefined, stopping: () => undefined };

export interface ManagerOptions {
  readonly environment: NodeJS.ProcessEnv;
  readonly log: { warn(fields: object, text: string): void };
}

export function serviceManager({ environment, log }: ManagerOptions): ServiceManager {
  if (!environment.NOTIFY_SOCKET) return silent;
  let toldProblem = false;
  let watchdog: NodeJS.Timeout | undefined;
  const say = (state: string): void => {
    execFile("systemd-notify", [state], { env: environment, timeout: 10_000 }, (error) => {
      if (error === null || toldProblem) return;
      toldProblem = true;
      log.warn({ reason: error.message }, "Cannot tell systemd how the agent is");
    });
  };
  return {
    ready: () => {
      say("READY=1");
      const watchdogMs = Number(environment.WATCHDOG_USEC) / 1000;
      // Three times in the time that systemd waits: one may be late.
      if (watchdogMs > 0) watchdog = setInterval(() => say("WATCHDOG=1"), watchdogMs / 3).unref();
    },
    stopping: () => {
      clearInterval(watchdog);
      say("STOPPING=1");
    },
  };
}
