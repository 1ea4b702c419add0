// A short program that uses a client: ../README.md says how to run it, and shows what it prints.

import { randomUUID } from "node:crypto";

import { status, type ServiceError } from "@grpc/grpc-js";

import { type Bookmark, connect, details, retry, watch } from "./client.js";

const { pools, history } = connect(process.argv[2] ?? "localhost:50051");

// A retry sends the same request again, as this does, and gets the same event.
const create = { poolName: "example", requestId: randomUUID() };
const created = await retry(pools, pools.createUserPool, create);
const { id: userPoolId = "", arn: resourceArn } = created.userPool ?? {};
console.log(`created: ${userPoolId}, revision ${created.revision}, position ${created.position}`);
const again = await retry(pools, pools.createUserPool, create);
console.log(`sent again: ${again.userPool?.id}, revision ${again.revision}, position ${again.position}`);

// All violations are reported at once, with the paths of their fields.
try {
  const policies = { passwordPolicy: { minimumLength: 5 } };
  await retry(pools, pools.createUserPool, { poolName: "a/b", policies, requestId: randomUUID() });
} catch (error) {
  const { info, violations } = details(error as ServiceError);
  console.log(`refused: ${info.reason}`);
  for (const [key, value] of Object.entries(info.metadata ?? {}).sort()) {
    console.log(`  ${key}: ${value}`);
  }
  for (const { field, description } of violations) console.log(`  ${field} ${description}`);
}

// Changes the tags that it read, although another client changes them meanwhile.
const describe = () => retry(pools, pools.describeUserPool, { userPoolId });
const tag = (tags: { [key: string]: string }) =>
  retry(pools, pools.tagResource, { resourceArn, tags, requestId: randomUUID() });
let read = await describe();
await tag({ team: "payments" });
for (let updated = false; !updated; ) {
  const tags = { ...read.userPool?.userPoolTags, stage: "test" };
  const change = { userPoolId, userPoolTags: tags, updateMask: ["user_pool_tags"] };
  // Without expectedRevision, this would remove the tag of the other client.
  const condition = { expectedRevision: read.revision, requestId: randomUUID() };
  try {
    const { revision } = await retry(pools, pools.updateUserPool, { ...change, ...condition });
    console.log(`updated: revision ${revision}, tags ${Object.keys(tags).sort().join(", ")}`);
    updated = true;
  } catch (error) {
    if ((error as ServiceError).code !== status.ABORTED) throw error;
    console.log(`${details(error as ServiceError).info.reason}: reading again`);
    read = await describe();
  }
}

/** Prints the events after the bookmark, until it has seen them all. */
async function show(bookmark: Bookmark) {
  for await (const { event, checkpoint } of watch(history, userPoolId, bookmark)) {
    if (event) console.log(`event ${event.revision}: ${event.type}`);
    if (checkpoint?.caughtUp) {
      console.log(`caught up at position ${checkpoint.position}`);
      break;
    }
  }
}

// What was recorded until now, and then what was recorded since.
const bookmark = { position: 0 };
await show(bookmark);
await tag({ team: "identity" });
await show(bookmark);

pools.close();
history.close();
