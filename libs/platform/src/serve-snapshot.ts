import { DomainError } from '#libs/kernel';
import type { Snapshot, SnapshotSource } from './snapshot-source.js';

interface Request {
  readonly headers: { readonly 'if-none-match'?: string | undefined };
}
interface Reply {
  status(code: number): Reply;
  header(name: string, value: string): Reply;
  send(body?: string): unknown;
}

const encodedOf = new WeakMap<Snapshot<unknown>, string>();

/**
 * Answers the poll of an HttpSnapshotSource: 304 while the version is the same, else the JSON with its ETag.
 * Encoded once per snapshot. Throws `snapshot_unavailable` before the first one.
 */
export function serveSnapshot<T>(
  request: Request,
  reply: Reply,
  source: SnapshotSource<T>,
  encode: (value: T) => string,
): void {
  const snapshot = source.current();
  if (snapshot === undefined)
    throw new DomainError('snapshot_unavailable', 'There is no snapshot yet.');
  const etag = `"${snapshot.version}"`;
  reply.header('etag', etag).header('cache-control', 'no-cache');
  if (request.headers['if-none-match'] === etag) {
    reply.status(304).send();
    return;
  }
  let body = encodedOf.get(snapshot);
  if (body === undefined) {
    body = encode(snapshot.value);
    encodedOf.set(snapshot, body);
  }
  reply.status(200).header('content-type', 'application/json; charset=utf-8').send(body);
}
