import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { EventData, EventType } from '#libs/audit-events';
import type { AppendReceipt, EventAppender } from '#libs/audit-log';
import type { Principal } from '#libs/identity';
import { DomainError, mintGenerationId, SystemClock } from '#libs/kernel';
import { HotMetrics, Logger } from '#libs/platform';
import { openItem, type ItemsOf, type Kept, type SealedItem, type Subject } from '#libs/vault';
import type { Lane } from '../complete/lanes.js';
import { ContentVault, type ContentVaultOptions } from './content-vault.js';
import { readSubject } from './read-subject.js';

const principal = {
  organisation: { id: 'org', contentVault: { keepDays: 30 } },
  workspace: { id: 'ws' },
  key: { id: 'key' },
} as unknown as Principal;
const subject: Subject = { organisationId: 'org', kind: 'named', word: 'somebody' };
const DATA_KEY = Buffer.alloc(32, 7);

const unavailable = () => new DomainError('vault_unavailable', 'away');

/** A vault that does as it is told. */
class FakeStore {
  readonly stored: { of: ItemsOf; items: readonly SealedItem[] }[] = [];
  readonly marked: string[] = [];
  readonly forgotten: string[] = [];
  closed = false;
  keyId = 'vsk-1';
  answers: () => Promise<Kept> = async () => 'kept';
  isReady: () => Promise<void> = async () => undefined;

  ready(): Promise<void> {
    return this.isReady();
  }
  async keyOf() {
    return { id: this.keyId, dataKey: DATA_KEY };
  }
  forget(id: string): void {
    this.forgotten.push(id);
  }
  async keep(of: ItemsOf, items: readonly SealedItem[]): Promise<Kept> {
    const kept = await this.answers();
    if (kept === 'kept') this.stored.push({ of, items });
    return kept;
  }
  async markRecorded(records: readonly { generationId: string }[]): Promise<void> {
    this.marked.push(...records.map((r) => r.generationId));
  }
  async close(): Promise<void> {
    this.closed = true;
  }
}

class FakeAudit implements EventAppender {
  readonly writerId = 'w';
  accepting = true;
  readonly said: { type: EventType; data: Record<string, unknown> }[] = [];
  /** Called for each record; whoever waits for one is told here. */
  onSaid: () => void = () => undefined;

  async append<T extends EventType>(
    type: T,
    _subject: string,
    data: EventData[T],
  ): Promise<AppendReceipt> {
    this.said.push({ type, data: { ...data } });
    this.onSaid();
    return { topic: 'custos.audit.v1', partition: 0, offset: 5n, acknowledgedAtMs: 0 };
  }
  appendAll(): Promise<AppendReceipt> {
    throw new Error('not used here');
  }
  /** Resolves once so many records were said. */
  async until(count: number): Promise<void> {
    while (this.said.length < count) await new Promise<void>((r) => (this.onSaid = r));
  }
}

describe('the vault of an ingress', () => {
  let store: FakeStore;
  let audit: FakeAudit;
  let vault: ContentVault;
  let lines: string[];

  const make = (options: Partial<ContentVaultOptions> = {}): ContentVault =>
    new ContentVault({
      store,
      clock: new SystemClock(),
      logger: new Logger({ app: 't', level: 'debug', write: (line) => lines.push(line) }),
      hot: new HotMetrics(),
      partBytesMax: 1_000,
      ...options,
    });

  beforeEach(() => {
    store = new FakeStore();
    audit = new FakeAudit();
    lines = [];
    vault = make();
  });
  afterEach(() => vault.close(5_000));

  const capture = (request = 'canary question') => {
    const id = mintGenerationId(Date.now());
    const lane = { ledgerId: 'main', audit } as unknown as Lane;
    const of = { id, principal, lane, subject, receivedAtMs: 1_000, keepDays: 30 };
    return { id, capture: vault.capture(of, Buffer.from(request)) };
  };
  const outcomes = () => audit.said.map(({ type, data }) => data['why'] ?? type);

  it('stores what was asked and what was answered, sealed, and then says so', async () => {
    await vault.start();
    const { id, capture: c } = capture();
    c.sent('an Ã¤nswer', 'latin1');
    c.sent(' – and more', 'utf8');
    c.end(true);
    await audit.until(1);
    const [{ of, items }] = store.stored as [(typeof store.stored)[0]];
    expect(of).toMatchObject({
      generationId: id,
      organisationId: 'org',
      workspaceId: 'ws',
      keyId: 'key',
      ledgerId: 'main',
      receivedAt: '1970-01-01T00:00:01.000Z',
      expiresAt: '1970-01-31T00:00:01.000Z',
    });
    expect(
      items.map(({ part, sealed }) => openItem(DATA_KEY, { ...of, part }, sealed)?.toString()),
    ).toEqual(['canary question', 'an änswer – and more']);
    expect(audit.said).toEqual([
      {
        type: 'custos.content.kept.v1',
        data: expect.objectContaining({
          generationId: id,
          subjectKeyId: 'vsk-1',
          keepUntil: of.expiresAt,
          parts: items.map(({ part, bytes, digest }) => ({
            part,
            bytes,
            digest: `sha256:${digest.toString('hex')}`,
          })),
        }),
      },
    ]);
    await vault.close(5_000);
    expect(store.marked).toEqual([id]);
    expect(JSON.stringify([audit.said, lines])).not.toContain('canary');
  });

  it('keeps nothing of what never left for a provider', async () => {
    await vault.start();
    capture().capture.end(false);
    await vault.close(5_000);
    expect([store.stored, audit.said]).toEqual([[], []]);
  });

  it('leaves an answer out that is too large, and says that', async () => {
    await vault.start();
    const { capture: c } = capture();
    c.sent('x'.repeat(900), 'latin1');
    c.sent('x'.repeat(101), 'latin1');
    c.sent('x', 'latin1');
    c.end(true);
    await audit.until(1);
    expect(store.stored[0]!.items.map((i) => i.part)).toEqual(['request']);
    expect(audit.said[0]!.data['leftOut']).toEqual([{ part: 'response', why: 'too_large' }]);
  });

  it('holds no more in memory than its bound, gives up what comes beyond it, and has room again after', async () => {
    vault = make({ heldBytesMax: 40 });
    const first = capture('x'.repeat(30));
    const second = capture('x'.repeat(30));
    expect(vault.accepting).toBe(true);
    second.capture.end(true);
    expect(outcomes()).toEqual(['queue_full']);
    first.capture.sent('x'.repeat(10), 'latin1');
    expect(vault.accepting).toBe(false);
    first.capture.sent('x', 'latin1');
    expect(vault.accepting).toBe(true);
    first.capture.end(true);
    expect(outcomes()).toEqual(['queue_full', 'queue_full']);
    await vault.start();
    capture('x'.repeat(40)).capture.end(true);
    await audit.until(3);
    expect(outcomes().at(-1)).toBe('custos.content.kept.v1');
    await vault.close(5_000);
    expect(vault.accepting).toBe(true);
  });

  it('repeats the very same bytes to a vault whose answer got lost', async () => {
    const seen: string[] = [];
    const keep = store.keep.bind(store);
    store.keep = (of, items) => {
      seen.push(items.map((i) => i.digest.toString('hex')).join());
      return keep(of, items);
    };
    let lost = 2;
    store.answers = async () => {
      if (lost-- > 0) throw unavailable();
      return 'kept';
    };
    await vault.start();
    capture().capture.end(true);
    await audit.until(1);
    expect(seen).toHaveLength(3);
    expect(new Set(seen).size).toBe(1);
    expect(outcomes()).toEqual(['custos.content.kept.v1']);
    expect(vault.accepting).toBe(true);
  });

  it('gives content up after its patience, says so, and accepts again when the vault is back', async () => {
    vault = make({ patienceMs: 0 });
    let away = true;
    store.answers = async () => {
      if (away) throw unavailable();
      return 'kept';
    };
    store.isReady = async () => {
      if (away) throw unavailable();
    };
    await vault.start();
    expect(vault.accepting).toBe(false);
    capture().capture.end(true);
    await audit.until(1);
    expect(outcomes()).toEqual(['vault_unavailable']);
    expect(vault.accepting).toBe(false);
    away = false;
    while (!vault.accepting) await new Promise((resolve) => setTimeout(resolve, 20));
    capture().capture.end(true);
    await audit.until(2);
    expect(store.stored).toHaveLength(1);
  });

  it('drops what was on its way when its subject was erased, and asks for the key in use', async () => {
    store.answers = async () => 'erased';
    await vault.start();
    capture().capture.end(true);
    await audit.until(1);
    expect(outcomes()).toEqual(['erased']);
    expect(store.forgotten).toEqual(['vsk-1']);
    expect(store.stored).toEqual([]);
  });

  it('seals anew under the successor of a key that was destroyed before it came', async () => {
    const answers: Kept[] = ['outdated', 'kept'];
    store.answers = async () => {
      const answer = answers.shift()!;
      if (answer === 'outdated') store.keyId = 'vsk-2';
      return answer;
    };
    await vault.start();
    capture().capture.end(true);
    await audit.until(1);
    const [{ of, items }] = store.stored as [(typeof store.stored)[0]];
    expect(of.subjectKeyId).toBe('vsk-2');
    expect(openItem(DATA_KEY, { ...of, part: 'request' }, items[0]!.sealed)?.toString()).toBe(
      'canary question',
    );
  });

  it('at the end stores what it can and says of the rest that it could not', async () => {
    store.answers = async () => {
      throw unavailable();
    };
    await vault.start();
    for (let i = 0; i < 20; i++) capture().capture.end(true);
    await vault.close(50);
    expect(outcomes()).toEqual(Array.from({ length: 20 }, () => 'shutting_down'));
    capture().capture.end(true);
    expect(outcomes()).toHaveLength(21);
    expect(store.closed).toBe(true);
  });

  it('says nothing into a log that does not answer: what is stored is said by control', async () => {
    audit.accepting = false;
    await vault.start();
    capture().capture.end(true);
    await vault.close(5_000);
    expect(store.stored).toHaveLength(1);
    expect([audit.said, store.marked]).toEqual([[], []]);
  });

  it('does not start on a vault that another master key began', async () => {
    store.isReady = async () => {
      throw new DomainError('vault_key_changed', 'another');
    };
    await expect(vault.start()).rejects.toMatchObject({ code: 'vault_key_changed' });
  });
});

describe('whom content is about', () => {
  const read = (header: string | undefined, body: object = {}) =>
    readSubject(
      header === undefined ? {} : { 'x-custos-subject': header },
      { model: 'm', messages: [], ...body },
      principal,
    );
  const named = (word: string) => ({ ok: true, subject: { ...subject, word } });

  it('is who the header names, else the body, else the key', () => {
    const both = { safety_identifier: 'b', user: 'c' };
    expect(read('a', both)).toEqual(named('a'));
    expect(read(undefined, both)).toEqual(named('b'));
    expect(read(undefined, { user: 'c' })).toEqual(named('c'));
    const key = { ok: true, subject: { organisationId: 'org', kind: 'key', word: 'key' } };
    for (const body of [{}, { user: '' }, { user: 7 }, { user: null }])
      expect(read(undefined, body)).toEqual(key);
  });

  it.each(['', ' ', 'a b', 'a, b', 'é', 'x'.repeat(257), 'a\tb'])(
    'is refused where the header is %j',
    (header) => {
      expect(read(header)).toMatchObject({ ok: false, refusal: { code: 'invalid_header' } });
    },
  );

  it('is refused where the body’s word is too long, and not repeated', () => {
    const refused = read(undefined, { user: 'canary'.repeat(100) });
    expect(refused).toMatchObject({ ok: false, refusal: { code: 'invalid_request' } });
    expect(JSON.stringify(refused)).not.toContain('canary');
  });
});
