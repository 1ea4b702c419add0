// What a client of userpool needs: a connection, the details of errors, retries that make no
// change twice, and a watch that misses and repeats no event. main.ts shows how to use it.

import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import * as grpc from "@grpc/grpc-js";

import { BadRequest, ErrorInfo, RetryInfo } from "./gen/google/rpc/error_details.js";
import { Status } from "./gen/google/rpc/status.js";
import {
  UserPoolHistoryServiceClient,
  type WatchUserPoolEventsResponse,
} from "./gen/userpool/v1/user_pool_history_service.js";
import { UserPoolServiceClient } from "./gen/userpool/v1/user_pool_service.js";

/** Connects with TLS if USERPOOL_CA names the authority, and with the token of USERPOOL_TOKEN_FILE. */
export function connect(endpoint: string) {
  const { USERPOOL_CA: ca, USERPOOL_TOKEN_FILE: tokenFile } = process.env;
  let credentials = grpc.credentials.createInsecure();
  // With a client certificate: createSsl(ca, key, certificate).
  if (ca) credentials = grpc.credentials.createSsl(readFileSync(ca));
  if (ca && tokenFile) {
    const token = grpc.credentials.createFromMetadataGenerator((_, callback) => {
      const metadata = new grpc.Metadata();
      // Read for each call, because a token expires, and the file gets a new one.
      metadata.set("authorization", `Bearer ${readFileSync(tokenFile, "utf8").trim()}`);
      callback(null, metadata);
    });
    credentials = grpc.credentials.combineChannelCredentials(credentials, token);
  }
  // Notices within 20 seconds that the server is gone, also during a watch.
  const options = { "grpc.keepalive_time_ms": 15_000, "grpc.keepalive_timeout_ms": 5_000 };
  return {
    pools: new UserPoolServiceClient(endpoint, credentials, options),
    history: new UserPoolHistoryServiceClient(endpoint, credentials, options),
  };
}

/** The details of an error. Decide by its code and reason, never by its message. */
export function details(error: grpc.ServiceError) {
  const [encoded] = error.metadata.get("grpc-status-details-bin");
  const all = encoded ? (Status.decode(encoded as Buffer).details ?? []) : [];
  const find = (type: string) =>
    all.find((any) => any.typeUrl === `type.googleapis.com/google.rpc.${type}`)?.value ?? new Uint8Array();
  return {
    info: ErrorInfo.decode(find("ErrorInfo")),
    violations: BadRequest.decode(find("BadRequest")).fieldViolations ?? [],
    retryDelay: RetryInfo.decode(find("RetryInfo")).retryDelay,
  };
}

/** Half to all of the pause, so that clients that lost a server do not return together. */
const jitter = (milliseconds: number) => milliseconds * (0.5 + Math.random() / 2);

/** The method of a client that has one answer. */
type Method<Q, A> = (
  request: Q,
  metadata: grpc.Metadata,
  options: Partial<grpc.CallOptions>,
  callback: (error: grpc.ServiceError | null, answer: A) => void,
) => grpc.ClientUnaryCall;

/**
 * Calls until there is an answer, at most 6 times. All attempts have the same request ID: if one
 * was carried out and only its answer was lost, the server answers the next one with the same
 * event. Never retry a change without a request ID.
 */
export async function retry<Q, A>(client: grpc.Client, method: Method<Q, A>, request: Q): Promise<A> {
  for (let attempt = 1, pause = 100; ; attempt++, pause = Math.min(2 * pause, 5_000)) {
    try {
      return await new Promise((resolve, reject) => {
        const options = { deadline: Date.now() + 10_000 };
        method.call(client, request, new grpc.Metadata(), options, (error, answer) =>
          error ? reject(error) : resolve(answer),
        );
      });
    } catch (caught) {
      const error = caught as grpc.ServiceError;
      const noAnswer = [grpc.status.UNAVAILABLE, grpc.status.DEADLINE_EXCEEDED].includes(error.code);
      // RESOURCE_EXHAUSTED with a delay is an overload. Without one, a limit is reached.
      const { retryDelay } = details(error);
      if (attempt === 6 || !(noAnswer || retryDelay)) throw error;
      const { seconds = 0, nanos = 0 } = retryDelay ?? {};
      await sleep(1_000 * seconds + nanos / 1e6 + jitter(pause));
    }
  }
}

/** Where to resume a watch. A program stores it together with the results of the events. */
export type Bookmark = { position: number; hash?: Buffer | undefined; logId?: string | undefined };

/**
 * The events of a user pool after the bookmark, old and new, and checkpoints. Moves the bookmark.
 * The watch ends when the caller leaves its loop.
 */
export async function* watch(history: UserPoolHistoryServiceClient, userPoolId: string, bookmark: Bookmark) {
  for (let pause = 100; ; pause = Math.min(2 * pause, 5_000)) {
    // A watch has no deadline. With the hash and the log ID, the server refuses it (WRONG_LOG) if
    // its history is now another one, such as that of a backup.
    const { position: afterPosition, hash: afterHash, logId } = bookmark;
    const call = history.watchUserPoolEvents({ filter: { userPoolId }, afterPosition, afterHash, logId });
    let started = false;
    try {
      for await (const sent of call as AsyncIterable<WatchUserPoolEventsResponse>) {
        [started, pause] = [true, 100];
        const { position = 0, hash } = sent.event ?? sent.checkpoint ?? {};
        Object.assign(bookmark, { position, hash, logId: sent.checkpoint?.logId || bookmark.logId });
        yield sent;
      }
    } catch (error) {
      const { code } = error as grpc.ServiceError;
      // The server restarts, or the connection was lost or is too old. Or the token, which was
      // accepted, has expired: the next call sends the new one. Any other status is final.
      const expired = started && code === grpc.status.UNAUTHENTICATED;
      if (code !== grpc.status.UNAVAILABLE && !expired) throw error;
    } finally {
      // Without this, the call would go on after the loop. Its end is reported as an error.
      call.on("error", () => {}).cancel();
    }
    await sleep(jitter(pause));
  }
}
