/**
 * Exits with code 1 and one line if this Node is older than `engines` in package.json requires. `npm run`
 * ignores `engines`, and a Node that cannot run TypeScript would only complain about a file extension.
 * Old-style JavaScript, because old Nodes must be able to run it.
 */
"use strict";

/** Returns the message to print; undefined if `found` is `wanted` or newer. Both are versions: "22.18.0". */
function refusalOf(found, wanted) {
  var have = found.split(".").map(Number);
  var want = wanted.split(".").map(Number);
  for (var at = 0; at < want.length; at += 1) {
    if (have[at] > want[at]) return undefined;
    if (have[at] < want[at]) {
      return (
        "Node " + found + " is too old: gam needs " + wanted + " or newer. " +
        'Run ". scripts/env && gam_use_node" in this shell (bash) and try again, or install a newer Node'
      );
    }
  }
  return undefined;
}

module.exports = refusalOf;

if (require.main === module) {
  var refusal = refusalOf(process.versions.node, require("../package.json").engines.node.replace(">=", ""));
  if (refusal !== undefined) {
    console.error(refusal);
    process.exit(1);
  }
}
