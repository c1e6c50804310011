import { pino } from "pino";

/** The part of a pino logger that the agent uses. */
export interface AgentLog {
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

/** JSON lines on standard output, one for each thing worth telling. Secrets are never given to it. */
export function openLog(level: string): AgentLog {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime });
}
