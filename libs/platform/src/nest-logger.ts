import type { LoggerService } from '@nestjs/common';
import { describeError, type Logger } from './logger.js';

/** Nest's own words go through our log; its start-up chatter (`log`) is debug for us. */
export function nestLogger(logger: Logger): LoggerService {
  const text = (message: unknown): string =>
    typeof message === 'string'
      ? message
      : message instanceof Error
        ? message.name
        : typeof message;
  const context = (rest: readonly unknown[]): string | undefined => {
    const last = rest.at(-1);
    return typeof last === 'string' ? last : undefined;
  };
  return {
    log: (message, ...rest) =>
      logger.debug('nest', { message: text(message), context: context(rest) }),
    debug: (message, ...rest) =>
      logger.debug('nest', { message: text(message), context: context(rest) }),
    verbose: () => undefined,
    warn: (message, ...rest) =>
      logger.warn('nest', { message: text(message), context: context(rest) }),
    error: (message, ...rest) =>
      logger.error('nest', {
        message: text(message),
        context: context(rest),
        ...(message instanceof Error ? describeError(message) : {}),
      }),
    fatal: (message, ...rest) =>
      logger.error('nest', { message: text(message), context: context(rest) }),
  };
}
