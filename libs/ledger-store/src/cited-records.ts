import { ENVELOPE_BYTES } from '#libs/audit-events';

// Records that others cite by digest name it as their subject. Its place in the bytes of an event is fixed by the event
// contract: `{"specversion":"1.0","id":…,"source":…,"type":…,"subject":"sha256:…","time":…`.

/** What stands before the subject, and how much of it is a quotation mark and a name. */
const BEFORE_SUBJECT = `'","subject":"sha256:'::bytea`;
const NAME_BYTES = `","subject":"`.length;
const DIGEST_BYTES = 'sha256:'.length + 64;
/** Writer's id (twice) and type fit before it; what comes after is data and is not searched. */
const PLACE = `position(${BEFORE_SUBJECT} in substring(bytes from 1 for ${ENVELOPE_BYTES}))`;

/** SQL, word for word as in the index: true of an entry whose subject is a digest. */
export const CITES_DIGEST = `${PLACE} > 0`;

/** SQL, word for word as in the index: that digest as bytes of ASCII. */
export const CITED_DIGEST = `substring(bytes from ${PLACE} + ${NAME_BYTES} for ${DIGEST_BYTES})`;
