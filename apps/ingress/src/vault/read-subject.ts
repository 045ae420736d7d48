import type { IncomingHttpHeaders } from 'node:http';
import type { Principal } from '#libs/identity';
import type { ChatBody } from '#libs/providers';
import type { Subject } from '#libs/vault';
import { refusal, type Refusal } from '../ingress.errors.js';

/** Visible ASCII but the comma, by which a header that is sent twice is joined. */
const SUBJECT = /^[\x21-\x2b\x2d-\x7e]{1,256}$/;
const WORD_CHARACTERS_MAX = 512;
/** In OpenAI's order: `user` is what `safety_identifier` was called before. */
const MEMBERS = ['safety_identifier', 'user'] as const;

/**
 * Whom the content is about, so that it can be erased by that name: `x-custos-subject`, else the body's word for its end
 * user, else the key that calls. What cannot be taken for a name is refused: under another subject it would not be found.
 */
export function readSubject(
  headers: IncomingHttpHeaders,
  body: ChatBody,
  principal: Principal,
):
  | { readonly ok: true; readonly subject: Subject }
  | { readonly ok: false; readonly refusal: Refusal } {
  const organisationId = principal.organisation.id;
  const named = (word: string) =>
    ({ ok: true, subject: { organisationId, kind: 'named', word } }) as const;
  const header = headers['x-custos-subject'];
  if (header !== undefined)
    return typeof header === 'string' && SUBJECT.test(header)
      ? named(header)
      : {
          ok: false,
          refusal: refusal(
            'invalid_header',
            'x-custos-subject is not 1 to 256 visible ASCII characters without a comma',
          ),
        };
  for (const member of MEMBERS) {
    const word = body[member];
    if (typeof word !== 'string' || word === '') continue;
    if (word.length <= WORD_CHARACTERS_MAX) return named(word);
    const message = `${member} is longer than ${WORD_CHARACTERS_MAX} characters.`;
    return {
      ok: false,
      refusal: refusal('invalid_request', message, { metadata: { param: member } }),
    };
  }
  return { ok: true, subject: { organisationId, kind: 'key', word: principal.key.id } };
}
