import { describe, expect, it } from '@jest/globals';
import { keyId, organisationId, workspaceId } from '#libs/kernel';
import { PrincipalDirectory } from './principal-directory.js';
import { decodePrincipals, encodePrincipals, principalsSnapshot } from './principals-codec.js';
import { hashSecret, mintSecret, SECRET_PREFIX } from './secret.js';
import type { ApiKey, PrincipalsSnapshot } from './types.js';

const secret = mintSecret();
const key = (over: Partial<ApiKey> = {}): ApiKey => ({
  id: keyId('key-1'),
  workspaceId: workspaceId('ws-1'),
  label: 'one',
  secretSha256: hashSecret(secret),
  roles: ['inference'],
  defaults: {
    dataClass: 'internal',
    dataTags: [],
    subjectRegions: ['EEA'],
    purpose: 'development',
  },
  limitPicoUsd: 12_345_678_901_234_567_890n,
  disabled: false,
  createdAt: '2026-11-21T10:00:00.000Z',
  ...over,
});
const snapshot = (...keys: ApiKey[]): PrincipalsSnapshot =>
  principalsSnapshot({
    organisations: [
      { id: organisationId('org-1'), name: 'One', sector: 'bank', jurisdiction: 'DE' },
    ],
    workspaces: [
      {
        id: workspaceId('ws-1'),
        organisationId: organisationId('org-1'),
        name: 'One',
        environment: 'test',
        strategy: 'balanced',
      },
    ],
    keys,
  });
const asJson = (s: PrincipalsSnapshot): Record<string, unknown> =>
  JSON.parse(encodePrincipals(s)) as Record<string, unknown>;

describe('secrets', () => {
  it('have 256 random bits behind the prefix and differ', () => {
    expect(secret.startsWith(SECRET_PREFIX)).toBe(true);
    expect(Buffer.from(secret.slice(SECRET_PREFIX.length), 'base64url')).toHaveLength(32);
    expect(mintSecret()).not.toBe(secret);
  });
});

describe('PrincipalDirectory', () => {
  it('finds the principal by its secret, with its workspace and organisation', () => {
    const found = new PrincipalDirectory(snapshot(key())).lookup(secret);
    expect(found).toMatchObject({
      known: true,
      principal: { organisation: { id: 'org-1' }, workspace: { id: 'ws-1' }, budgeted: true },
    });
  });

  it('tells unknown from disabled', () => {
    const directory = new PrincipalDirectory(snapshot(key({ disabled: true })));
    expect(directory.lookup(secret)).toEqual({ known: false, reason: 'disabled' });
    expect(directory.lookup(`${secret}x`)).toEqual({ known: false, reason: 'unknown' });
    expect(directory.lookup('x'.repeat(1_000_000))).toEqual({ known: false, reason: 'unknown' });
  });

  it('does not take the hash for the secret', () => {
    expect(new PrincipalDirectory(snapshot(key())).lookup(hashSecret(secret)).known).toBe(false);
  });

  it.each([
    ['two keys with one hash', [key(), key({ id: keyId('key-2') })]],
    ['two keys with one id', [key(), key({ secretSha256: hashSecret('other') })]],
    ['a key without workspace', [key({ workspaceId: workspaceId('ws-2') })]],
  ])('refuses %s', (_what, keys) => {
    expect(() => new PrincipalDirectory(snapshot(...keys))).toThrow(
      expect.objectContaining({ code: 'principals_invalid' }),
    );
  });
});

describe('the snapshot on the wire', () => {
  it('survives the way, amounts beyond 2^53 included', () => {
    const sent = snapshot(key());
    expect(decodePrincipals(asJson(sent))).toEqual(sent);
  });

  it('has a version that depends on content and not on order', () => {
    const other = key({ id: keyId('key-2'), secretSha256: hashSecret('other') });
    expect(snapshot(key(), other).version).toBe(snapshot(other, key()).version);
    expect(snapshot(key()).version).not.toBe(snapshot(key({ disabled: true })).version);
  });

  it.each([
    ['null', () => null],
    ['an unknown member', () => ({ ...asJson(snapshot(key())), extra: 1 })],
    ['a changed content under the old version', () => ({ ...asJson(snapshot(key())), keys: [] })],
    [
      'an amount as a number',
      () => {
        const json = asJson(snapshot(key()));
        (json['keys'] as { limitPicoUsd: unknown }[])[0]!.limitPicoUsd = 5;
        return json;
      },
    ],
    [
      'an id with a space',
      () => {
        const json = asJson(snapshot(key()));
        (json['keys'] as { id: string }[])[0]!.id = 'key 1';
        return json;
      },
    ],
  ])('refuses %s', (_what, make) => {
    expect(() => decodePrincipals(make())).toThrow(
      expect.objectContaining({ code: 'principals_invalid' }),
    );
  });
});
