/** Ids as providers make them: printable ASCII without blanks; the longest seen has some 90 characters. */
const UPSTREAM_ID = /^[\x21-\x7e]{1,200}$/;
/** `stop`, `tool_calls`, `MAX_TOKENS`: a word. */
const FINISH_REASON = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;

/**
 * Of what a provider says in its own words the record keeps a word that looks like one, and nothing else. A longer text
 * could carry an answer's content into the log, and would make the closing record unreadable: then nothing is billed.
 */
export const upstreamIdOf = (said: string | undefined): string | undefined =>
  said !== undefined && UPSTREAM_ID.test(said) ? said : undefined;

export const finishReasonOf = (said: string | undefined): string | undefined =>
  said !== undefined && FINISH_REASON.test(said) ? said : undefined;
