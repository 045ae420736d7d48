/** What the witness says to one request; bodies are plain text as the protocol fixes them. */
export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

export const say = (status: number, message: string): Answer => ({
  status,
  contentType: 'text/plain; charset=utf-8',
  body: `${message}\n`,
});

/** 409: the size that the sender's proof must start from. */
export const sizeConflict = (size: bigint): Answer => ({
  status: 409,
  contentType: 'text/x.tlog.size',
  body: `${size}\n`,
});
