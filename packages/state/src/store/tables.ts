/**
 * Tables: one row for each kind of object.
 *
 * Readers, dump, restore, events and the checks of the log follow from it. A kind of object that is missing
 * here, or lacks a part, does not compile.
 */

import { clusterAfter, clusterRefusal } from "../changes/cluster-change.ts";
import {
  configAfter,
  configRefusal,
  secretAfter,
  secretRefusal,
} from "../changes/content-change.ts";
import { rolledByConfig, rolledBySecret } from "../changes/content-roll.ts";
import { networkAfter } from "../changes/network-change.ts";
import { networkRefusal } from "../changes/network-refusal.ts";
import { movedByNode, nodeAfter, nodeRefusal } from "../changes/node-change.ts";
import { movedByService, serviceAfter } from "../changes/service-change.ts";
import { serviceRefusal } from "../changes/service-refusal.ts";
import { boundByChange, taskAfter } from "../changes/task-change.ts";
import { volumeAfter, volumeRefusal } from "../changes/volumes/volume-change.ts";
import { checkCluster, clusterFields, clusterParts } from "../checks/check-cluster.ts";
import {
  checkConfig,
  checkSecret,
  configFields,
  configParts,
  secretFields,
  secretParts,
} from "../checks/check-content.ts";
import { checkNetwork, networkFields, networkParts } from "../checks/check-network.ts";
import { checkNode, nodeFields, nodeParts } from "../checks/check-node.ts";
import { checkService, serviceFields, serviceParts } from "../checks/check-service.ts";
import { checkTask, taskFields, taskParts } from "../checks/check-task.ts";
import { checkVolume, volumeFields, volumeParts } from "../checks/check-volume.ts";
import type { TableName } from "../log/change.ts";
import type { TableRule } from "../log/table-rule.ts";
import type { Node } from "../objects/node.ts";

/** Key of the only cluster in its table, whatever its own id is. */
export const onlyOne = "cluster";

/** Snapshots and events use this order. */
export const tables: { readonly [Name in TableName]: TableRule<Name> } = {
  cluster: {
    idOf: () => onlyOne,
    idIn: () => onlyOne,
    refusal: clusterRefusal,
    after: clusterAfter,
    fields: clusterFields,
    check: checkCluster,
    parts: clusterParts,
    keysOf: () => [onlyOne],
  },
  node: {
    idOf: ({ ID }) => ID,
    idIn: (change) => (change.kind === "joinNode" ? change.node.ID : change.id),
    refusal: nodeRefusal,
    after: nodeAfter,
    others: movedByNode,
    fields: nodeFields,
    check: checkNode,
    parts: nodeParts,
    keysOf: keysOfNode,
  },
  service: {
    idOf: ({ ID }) => ID,
    idIn: ({ id }) => id,
    refusal: serviceRefusal,
    after: serviceAfter,
    others: movedByService,
    fields: serviceFields,
    check: checkService,
    parts: serviceParts,
    keysOf: ({ ID, Spec }) => [ID, ` ${Spec.Name}`],
  },
  task: {
    idOf: ({ ID }) => ID,
    idIn: (change) => (change.kind === "createTask" ? change.task.ID : change.id),
    refusal: () => undefined,
    after: taskAfter,
    others: boundByChange,
    fields: taskFields,
    check: checkTask,
    parts: taskParts,
    keysOf: ({ ID }) => [ID],
  },
  network: {
    idOf: ({ Id }) => Id,
    idIn: (change) => {
      if (change.kind === "createNetwork") return change.network.Id;
      return "id" in change ? change.id : change.network;
    },
    refusal: networkRefusal,
    after: networkAfter,
    fields: networkFields,
    check: checkNetwork,
    parts: networkParts,
    keysOf: ({ Id, Name }) => [Id, ` ${Name}`],
  },
  secret: {
    idOf: ({ ID }) => ID,
    idIn: ({ id }) => id,
    refusal: secretRefusal,
    after: secretAfter,
    others: rolledBySecret,
    fields: secretFields,
    check: checkSecret,
    parts: secretParts,
    keysOf: ({ ID, Spec }) => [ID, ` ${Spec.Name}`],
  },
  config: {
    idOf: ({ ID }) => ID,
    idIn: ({ id }) => id,
    refusal: configRefusal,
    after: configAfter,
    others: rolledByConfig,
    fields: configFields,
    check: checkConfig,
    parts: configParts,
    keysOf: ({ ID, Spec }) => [ID, ` ${Spec.Name}`],
  },
  volume: {
    idOf: ({ ID }) => ID,
    idIn: ({ id }) => id,
    refusal: volumeRefusal,
    after: volumeAfter,
    fields: volumeFields,
    check: checkVolume,
    parts: volumeParts,
    keysOf: ({ ID }) => [ID],
  },
};

export const tableNames = Object.keys(tables) as readonly TableName[];

/** All tables except the cluster's. */
export type ListName = Exclude<TableName, "cluster">;
export const listNames = tableNames.filter((name): name is ListName => name !== "cluster");

function keysOfNode({ ID, Gam }: Node): readonly string[] {
  const { addresses, tunnel, network } = Gam;
  const keys = [tunnel, network?.publicKey].filter((one) => one !== undefined && one !== "");
  return [ID, ...new Set(addresses), ...(keys as string[])];
}
