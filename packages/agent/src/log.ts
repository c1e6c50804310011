import { pino } from "pino";

/** The part of a pino logger that the agent uses. */
export interface AgentLog {
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

/** Returns: a log that writes JSON lines to standard output. Never log a secret. */
export function openLog(level: string): AgentLog {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime });
}
