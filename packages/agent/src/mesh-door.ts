/**
 * Mesh door: opens the mesh of a member, and answers its questions from that member.
 *
 * The mesh asks for tokens, members and root keys before the member exists, because the member is made with the
 * mesh. Until then the answers are those of a host without a state.
 */
import { type Clock, fromBase64, GamError } from "@gam/core";
import { type Credentials, type Identity, Mesh, type MeshDoor } from "@gam/mesh";
import { certificateLifeMs, spokenDialect, type View } from "@gam/state";
import type { AgentConfig } from "./config.ts";
import type { HostKey } from "./disk/host-key.ts";
import type { MeshAddresses } from "./disk/place-file.ts";
import type { Driver } from "./driver.ts";
import { Keeper } from "./keeper.ts";
import type { AgentLog } from "./log.ts";
import type { ClusterKeys } from "./trust/cluster-keys.ts";
import { type Admitting, admit } from "./trust/join-request.ts";

export interface MeshDoorParts {
  readonly config: AgentConfig;
  readonly identity: Identity;
  /** Unlocked. */
  readonly hostKey: HostKey;
  readonly log: AgentLog;
  /** Ends the agent. */
  readonly fail: (thrown: unknown) => void;
}

/** The part of a member that the mesh and the keeper of its credentials need. */
interface Around extends Admitting {
  readonly view: View;
  readonly keys: Pick<ClusterKeys, "roots">;
  readonly driver: Pick<Driver, "describeAnew">;
  turnTunnelKey(): Promise<void>;
  followLock(): void;
}

export interface MemberMesh {
  readonly keeper: Keeper;
  /**
   * Opens the mesh and makes the member with it. Closes the mesh again when that fails.
   *
   * Errors: those of Mesh.open() and of `around`.
   */
  open<Member extends Around>(
    credentials: Credentials | undefined,
    around: (mesh: Mesh) => Member | Promise<Member>,
  ): Promise<Member>;
}

const clock: Clock = { monotonicMs: () => performance.now(), wallMs: () => Date.now() };

/** `written`: the credentials that the disk has already. */
export function meshOf(
  parts: MeshDoorParts,
  addresses: MeshAddresses,
  written?: Credentials,
): MemberMesh {
  let member: Around | undefined;
  const keeper = new Keeper({
    dataDir: parts.config.dataDir,
    cipher: parts.hostKey.cipher,
    written,
    onTurn: async () => await member?.turnTunnelKey(),
    onRoot: () => member?.driver.describeAnew(),
    fail: parts.fail,
  });
  const door: MeshDoor = {
    tokenKeys: () => {
      const tokens = member?.view.cluster?.Tokens;
      if (tokens === undefined) return undefined;
      const { Manager, Worker } = tokens;
      return { manager: fromBase64(Manager.PublicKey), worker: fromBase64(Worker.PublicKey) };
    },
    certificateLifeMs: () => certificateLifeMs(member?.view.cluster?.Spec),
    index: () => member?.view.index ?? 0,
    members: () =>
      (member?.view.nodes() ?? []).map(({ ID, Spec, Gam }) => ({
        nodeId: ID,
        role: Spec.Role,
        addresses: Gam.addresses,
      })),
    isRemoved: (nodeId) => member?.view.isRemoved(nodeId) ?? false,
    onJoinRequest: async (request) => {
      if (member === undefined) {
        throw new GamError("NO_LEADER", "this member is still starting. Run the join again");
      }
      await admit(member, request);
    },
    roots: () => member?.keys.roots(),
    onRenewed: async (credentials) => {
      await keeper.keep(credentials);
      // The root key may have arrived that opens the unlock key.
      member?.followLock();
    },
  };
  return {
    keeper,
    open: async (credentials, around) => {
      const { identity, log } = parts;
      const dialect = spokenDialect.newest;
      const options = { identity, credentials, ...addresses, dialect, log, door, clock };
      const mesh = await Mesh.open(options);
      try {
        const made = await around(mesh);
        member = made;
        return made;
      } catch (thrown) {
        await mesh.close();
        throw thrown;
      }
    },
  };
}
