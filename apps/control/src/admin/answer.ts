import type { FastifyReply } from 'fastify';
import type { Principal } from '#libs/identity';
import type { Decided } from '#libs/audit-log';

/** Who is written into the log as the author of a change. */
export const actorOf = (admin: Principal): string => `key:${admin.key.id}`;

/** 202 and `pending` where the change is durable but its record not yet in the log: it has no effect until then. */
export function answer<T extends Decided>(
  reply: FastifyReply,
  decided: T,
  status: 200 | 201,
): Omit<T, 'effective'> & { status: 'effective' | 'pending' } {
  const { effective, ...rest } = decided;
  reply.status(effective ? status : 202);
  return { ...rest, status: effective ? 'effective' : 'pending' };
}
