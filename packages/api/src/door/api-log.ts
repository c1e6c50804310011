/** The part of a logger that the API uses. The agent's log has it. */
export interface ApiLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}
