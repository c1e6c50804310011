/** As much of a logger as is needed here; the agent's is one. */
export interface ApiLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}
