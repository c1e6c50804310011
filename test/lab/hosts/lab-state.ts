/**
 * LabState: the record of a lab on disk, so that any command finds it and `down` removes only its parts.
 *
 * Decides where the parts of a lab are, and how its record changes: read, change and write in one step,
 * so that two commands never undo each other. Does not start or end anything.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Cgroup, cgroupTree } from "./cgroup.ts";
import { LabError } from "./lab-error.ts";
import type { Machine } from "./machine.ts";
import { isRunning, type ProcessRef } from "./process-ref.ts";
import { type Faults, noFaults, Switch } from "./switch.ts";

export interface LabRecord {
  readonly hosts: number;
  readonly madeAt: string;
  readonly keeper?: ProcessRef;
  readonly faults: Faults;
  readonly frozen: readonly number[];
  /** The machine's figures, if the lab was started with measuring. */
  readonly machine?: Machine;
  /** Per host: the first process, the engine, the agent. Some may have ended. */
  readonly inits: Readonly<Record<number, ProcessRef>>;
  readonly engines: Readonly<Record<number, ProcessRef>>;
  readonly agents: Readonly<Record<number, ProcessRef>>;
}

export const numberMax = 250;
export const hostsMax = 50;

export class LabState {
  readonly number: number;
  readonly folder: string;
  readonly network: Switch;
  readonly cgroup: Cgroup;
  #applied: Promise<void> = Promise.resolve();

  /** Errors: LabError when the number cannot be part of an address. */
  constructor(number: number) {
    if (!Number.isInteger(number) || number < 1 || number > numberMax) {
      throw new LabError(`Cannot name lab "${number}": wanted a number from 1 to ${numberMax}`);
    }
    const tree = cgroupTree();
    if (tree.kind === "none") throw new LabError(`Cannot freeze a lab's processes: ${tree.reason}`);
    this.number = number;
    this.folder = `/tmp/gam-lab-${number}`;
    this.network = new Switch(join(this.folder, "switch.net"), number);
    this.cgroup = new Cgroup(tree, `/gam-lab-${number}`);
  }

  get exists(): boolean {
    return existsSync(this.folder);
  }

  /** Takes the number. Errors: LabError when a lab has it, even an incomplete one. */
  make(hosts: number): void {
    try {
      mkdirSync(this.folder);
    } catch (cause) {
      if (!(cause instanceof Error && "code" in cause && cause.code === "EEXIST")) throw cause;
      const found = existsSync(this.#file)
        ? `it has been up since ${this.read().madeAt}`
        : "an earlier lab was not taken down completely";
      throw new LabError(
        `Cannot start lab ${this.number}: ${found}; run "scripts/lab down --lab ${this.number}"`,
      );
    }
    this.#write({
      hosts,
      madeAt: new Date().toISOString(),
      faults: noFaults,
      frozen: [],
      inits: {},
      engines: {},
      agents: {},
    });
  }

  /** Errors: LabError when the lab is not up. */
  read(): LabRecord {
    if (!existsSync(this.#file)) {
      const remedy = `scripts/lab up --lab ${this.number}`;
      throw new LabError(`Cannot find lab ${this.number}: it is not up; run "${remedy}"`);
    }
    return JSON.parse(readFileSync(this.#file, "utf8")) as LabRecord;
  }

  change(edit: (record: LabRecord) => LabRecord): void {
    this.#write(edit(this.read()));
  }

  /** Hosts that have power now. */
  powered(): number[] {
    const { inits } = this.read();
    return Object.keys(inits)
      .map(Number)
      .filter((host) => inits[host] !== undefined && isRunning(inits[host]));
  }

  /** Records the faults, then applies them to the switch. Changes are applied one after the other. */
  changeFaults(edit: (faults: Faults) => Faults): Promise<void> {
    this.change((record) => ({ ...record, faults: edit(record.faults) }));
    const apply = (): Promise<void> => this.network.apply(this.read().faults, this.powered());
    const applied = this.#applied.then(apply);
    this.#applied = applied.catch(() => undefined); // The caller gets the error; the next change may still work.
    return applied;
  }

  get #file(): string {
    return join(this.folder, "lab.json");
  }

  #write(record: LabRecord): void {
    const draft = `${this.#file}.${process.pid}.tmp`;
    writeFileSync(draft, `${JSON.stringify(record, undefined, 2)}\n`);
    renameSync(draft, this.#file);
  }
}
