/**
 * An exceptional failure with a stable code. Each lib exports the closed union of its codes.
 * `details` must be safe to show to a client: never prompt text, keys or evidence bytes.
 */
export class DomainError<Code extends string = string> extends Error {
  constructor(
    readonly code: Code,
    message: string,
    readonly details: Readonly<Record<string, string | number | boolean>> = {},
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = 'DomainError';
  }
}
