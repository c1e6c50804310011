/** The part of the agent's log that its shells use. */
export type ShellLog = Readonly<
  Record<"debug" | "info" | "warn", (fields: object, text: string) => void>
>;
