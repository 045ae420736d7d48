import { timingSafeEqual } from 'node:crypto';
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { DomainError } from '#libs/kernel';

const BEARER = /^Bearer +([\x21-\x7e]+)$/i;

/** The token of an Authorization header, or undefined. */
export function bearerToken(header: string | undefined): string | undefined {
  return header === undefined ? undefined : BEARER.exec(header)?.[1];
}

/** Between our own processes: a shared token, compared in constant time. Use with `@UseGuards(new …)` or a factory. */
export class InternalTokenGuard implements CanActivate {
  readonly #token: Buffer;

  constructor(token: string) {
    this.#token = Buffer.from(token, 'utf8');
  }

  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<{ headers: { authorization?: string } }>();
    const given = Buffer.from(bearerToken(request.headers.authorization) ?? '', 'utf8');
    if (given.length === this.#token.length && timingSafeEqual(given, this.#token)) return true;
    throw new DomainError('unauthenticated', 'This route needs the internal token.');
  }
}
