// What may be kept as a time stamp: asked of, and answered by, stock `openssl ts`.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { hasOpenssl, TimeStampAuthority } from '../../../../test/support/time-stamp-authority.js';
import {
  checkTimeStamp,
  timeStampRequest,
  type TimeStampFault,
  type TimeStampRequest,
} from './time-stamp-token.js';

const BYTES = Buffer.from('log.example/audit/1\n7\nroot\n\n— signature\n');

(hasOpenssl() ? describe : describe.skip)('an answer to a request', () => {
  let folder: string;
  let authority: TimeStampAuthority;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'custos-time-stamp-'));
    authority = await TimeStampAuthority.make(join(folder, 'ec'));
  });

  afterAll(() => rm(folder, { recursive: true }));

  const check = (response: Uint8Array, request: TimeStampRequest, nowMs = Date.now()) =>
    checkTimeStamp(response, request, nowMs);

  test.each(['ec', 'rsa'] as const)(
    'is kept when an %s key has stamped what was asked',
    async (key) => {
      const other = await TimeStampAuthority.make(join(folder, `kept-${key}`), key);
      const request = timeStampRequest(BYTES);
      const response = await other.stamp(request.der);
      const verdict = await check(response, request);
      expect(verdict).toMatchObject({ ok: true });
      await other.verify(response, BYTES);
      await expect(other.verify(response, `${BYTES.toString()} `)).rejects.toThrow();
    },
  );

  test.each<readonly [string, TimeStampFault, (request: TimeStampRequest) => Promise<Buffer>]>([
    [
      'stamps other bytes',
      'wrong_imprint',
      async () =>
        authority.stamp(await authority.query(timeStampRequest(Buffer.from('x')).imprint)),
    ],
    [
      'stamps the bytes for another nonce',
      'wrong_nonce',
      async ({ imprint }) => authority.stamp(await authority.query(imprint)),
    ],
    [
      'stamps the bytes for no nonce',
      'wrong_nonce',
      async ({ imprint }) => authority.stamp(await authority.query(imprint, '-no_nonce')),
    ],
    ['is a refusal', 'not_granted', () => authority.stamp(Buffer.from('3003020101', 'hex'))],
    ['is empty', 'malformed', async () => Buffer.alloc(0)],
    ['is a page', 'malformed', async () => Buffer.from('<html>busy</html>')],
    ['is cut', 'malformed', async ({ der }) => (await authority.stamp(der)).subarray(0, -1)],
    [
      'has something behind it',
      'malformed',
      async ({ der }) => Buffer.concat([await authority.stamp(der), Buffer.alloc(1)]),
    ],
    [
      'has another signature',
      'bad_signature',
      async ({ der }) => {
        const reply = await authority.stamp(der);
        reply[reply.length - 5]! ^= 1;
        return reply;
      },
    ],
    [
      'carries another certificate of the same key',
      'bad_signature',
      async ({ der }) => {
        const reply = await authority.stamp(der);
        const right = await authority.certificate();
        let wrong = right;
        // ECDSA signatures differ in length by chance; exchanged in place they must not.
        while (wrong.equals(right) || wrong.length !== right.length) {
          await authority.certify('other.pem');
          wrong = await authority.certificate('other.pem');
        }
        // The token names its signer by issuer and serial number: those of the other one then.
        const serial = (certificate: Buffer): Buffer => certificate.subarray(15, 35);
        const exchanged = reply
          .toString('latin1')
          .replace(right.toString('latin1'), wrong.toString('latin1'));
        return Buffer.from(
          exchanged.replace(serial(right).toString('latin1'), serial(wrong).toString('latin1')),
          'latin1',
        );
      },
    ],
  ])('that %s is refused: %s', async (_, fault, answer) => {
    const request = timeStampRequest(BYTES);
    expect(await check(await answer(request), request)).toEqual({ ok: false, fault });
  });

  test('is refused when it says another time than ours', async () => {
    const request = timeStampRequest(BYTES);
    const response = await authority.stamp(request.der);
    for (const differenceMs of [-11 * 60_000, 11 * 60_000])
      expect(await check(response, request, Date.now() + differenceMs)).toEqual({
        ok: false,
        fault: 'wrong_time',
      });
    expect(await check(response, request)).toMatchObject({ ok: true });
  });

  test('with one changed byte in what is stamped, when, for which nonce or by whom is refused', async () => {
    const request = timeStampRequest(BYTES);
    const response = await authority.stamp(request.der);
    const certificate = await authority.certificate();
    const parts = [request.imprint, request.nonce, certificate.subarray(100)];
    for (const part of parts) {
      const at = response.indexOf(part);
      expect(at).toBeGreaterThan(0);
      for (let offset = 0; offset < part.length; offset += 7) {
        const changed = Buffer.from(response);
        changed[at + offset]! ^= 1;
        expect(await check(changed, request)).toMatchObject({ ok: false });
      }
    }
  });
});
