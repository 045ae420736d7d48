// Answers that come late, or never: no room is lost and none is granted twice.
import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  encodeLeaseAnswer,
  HttpAllowance,
  leaseRequestSchema,
  type LeaseQuestion,
} from '#libs/identity';
import { SystemClock } from '#libs/kernel';
import { BudgetStage, newGenerationId, SCOPE_IDS, worth } from '../support/budget-stage.js';

const LIMIT = worth(1_000);
const NEEDED = worth(10);
const SCOPE = { scope: 'key', id: SCOPE_IDS.key, limitPicoUsd: LIMIT } as const;
const ROUNDS = 25;

let stage: BudgetStage;
let proxy: Server | undefined;

beforeEach(async () => {
  stage = await BudgetStage.open({ key: { limitPicoUsd: LIMIT } });
});
afterEach(async () => {
  proxy?.closeAllConnections();
  await new Promise((resolve) => (proxy ? proxy.close(resolve) : resolve(undefined)));
  proxy = undefined;
  await stage.close();
});

const question = (writer: string, changes: Partial<LeaseQuestion> = {}): LeaseQuestion => ({
  leaseId: `lease-${randomUUID()}`,
  writer,
  scope: { scope: 'key', id: SCOPE_IDS.key },
  neededPicoUsd: NEEDED,
  wantedPicoUsd: 4n * NEEDED,
  ...changes,
});

const usage = () => stage.balances.usageOf('key', SCOPE_IDS.key);

/** Something that can be opened once. */
function gate(): { readonly passed: Promise<void>; open(): void } {
  let open = (): void => undefined;
  const passed = new Promise<void>((resolve) => (open = resolve));
  return { passed, open: () => open() };
}

/** The ledger behind a wire on which questions, or answers, wait for the test. */
async function overTheWire(wire: {
  question?: Promise<void>;
  answer?: Promise<void>;
}): Promise<{ allowance: HttpAllowance; handled: Promise<void> }> {
  const ledger = stage.allowance();
  const { passed: handled, open } = gate();
  proxy = createServer((request, response) => {
    void (async () => {
      let body = '';
      for await (const chunk of request) body += String(chunk);
      await wire.question;
      const answer = await ledger
        .lease(leaseRequestSchema.parse(JSON.parse(body)))
        .then(encodeLeaseAnswer, () => undefined);
      open();
      await wire.answer;
      if (answer === undefined) response.writeHead(409).end('{}');
      else response.end(JSON.stringify(answer));
    })().catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => proxy!.listen(0, '127.0.0.1', resolve));
  const { port } = proxy.address() as AddressInfo;
  const allowance = new HttpAllowance({
    ledgerUrl: `http://127.0.0.1:${port}`,
    token: 'internal-token-of-16',
    deadlineMs: 150,
  });
  return { allowance, handled };
}

describe('a lease whose answer was late', () => {
  it('a lease granted after the deadline stayed leased until its writer ended', async () => {
    const { passed, open } = gate();
    const { allowance, handled } = await overTheWire({ answer: passed });
    const { writer, book } = stage.ingress('ingress-1', allowance, new SystemClock());
    await expect(book.hold([SCOPE], NEEDED)).rejects.toMatchObject({
      code: 'allowance_unavailable',
    });
    await handled;
    expect((await usage()).leasedPicoUsd).toBeGreaterThan(0n);
    const released = book.giveBackIdle();
    expect(released).toHaveLength(1);
    writer.heartbeat(released);
    await stage.fold();
    expect((await usage()).leasedPicoUsd).toBe(0n);
    open();
  });

  it('a question that arrived after its lease was given back was granted to nobody', async () => {
    const { passed, open } = gate();
    const { allowance, handled } = await overTheWire({ question: passed });
    const { writer, book } = stage.ingress('ingress-1', allowance, new SystemClock());
    await expect(book.hold([SCOPE], NEEDED)).rejects.toMatchObject({
      code: 'allowance_unavailable',
    });
    writer.heartbeat(book.giveBackIdle());
    await stage.fold();
    open();
    await handled;
    expect(await usage()).toEqual({ postedPicoUsd: 0n, heldPicoUsd: 0n, leasedPicoUsd: 0n });
    expect(await stage.rows('select lease_id from ledger.lease')).toEqual([]);
  });

  it('is asked for again under the same id and used, not leased twice', async () => {
    const ledger = stage.allowance();
    let lose = true;
    const { book } = stage.ingress('ingress-1', {
      lease: async (q) => {
        const answer = await ledger.lease(q);
        if (!lose) return answer;
        lose = false;
        throw new Error('lost');
      },
    });
    await expect(book.hold([SCOPE], NEEDED)).rejects.toThrow('lost');
    const { leasedPicoUsd } = await usage();
    expect((await book.hold([SCOPE], NEEDED)).ok).toBe(true);
    expect((await usage()).leasedPicoUsd).toBe(leasedPicoUsd);
    expect(book.giveBackIdle()).toEqual([]);
  });

  it('refused at the second asking, its first question may still come: its id is given back', async () => {
    const ledger = stage.allowance();
    const late: LeaseQuestion[] = [];
    const { writer, book } = stage.ingress('ingress-1', {
      lease: async (q) => {
        late.push(q);
        if (late.length === 1) throw new Error('lost on the way');
        return ledger.lease(q);
      },
    });
    await expect(book.hold([SCOPE], NEEDED)).rejects.toThrow('lost');
    const others = await ledger.lease(question('ingress-2', { wantedPicoUsd: LIMIT }));
    expect((await book.hold([SCOPE], NEEDED)).ok).toBe(false);
    writer.heartbeat(book.giveBackIdle());
    if (!others.granted) throw new Error('no lease');
    stage.writer('ingress-2').heartbeat([others.lease.leaseId]);
    await stage.fold();
    await expect(ledger.lease(late[0]!)).rejects.toMatchObject({ code: 'lease_refused' });
    expect((await usage()).leasedPicoUsd).toBe(0n);
  });
});

describe('one id', () => {
  it('has one answer for the same terms, and none for others', async () => {
    const ledger = stage.allowance();
    const asked = question('ingress-1');
    const answers = await Promise.all(Array.from({ length: 12 }, () => ledger.lease(asked)));
    expect(new Set(answers.map((a) => JSON.stringify(encodeLeaseAnswer(a)))).size).toBe(1);
    expect((await usage()).leasedPicoUsd).toBe(4n * NEEDED);
    for (const other of [
      { ...asked, writer: 'ingress-2' },
      { ...asked, neededPicoUsd: 2n * NEEDED },
      { ...asked, scope: { scope: 'workspace', id: SCOPE_IDS.workspace } as const },
    ])
      await expect(ledger.lease(other)).rejects.toMatchObject({
        code: 'lease_refused',
        details: { why: 'other_terms' },
      });
  });

  it('cannot be given back by another writer', async () => {
    const ledger = stage.allowance();
    const asked = question('ingress-1');
    await ledger.lease(asked);
    stage.writer('ingress-2').heartbeat([asked.leaseId]);
    await stage.fold();
    expect((await usage()).leasedPicoUsd).toBe(4n * NEEDED);
  });
});

describe('a grant and the record that ends it, at the same moment', () => {
  it('whichever comes first, nothing stays leased: given back', async () => {
    const ledger = stage.allowance();
    const writer = stage.writer('ingress-1');
    for (let round = 0; round < ROUNDS; round += 1) {
      const asked = question('ingress-1');
      writer.heartbeat([asked.leaseId]);
      // Other records make the transaction longer, so that both ways of crossing happen.
      const id = newGenerationId();
      writer.open(id, 0n, []);
      writer.close(id, 5);
      const [, fold] = await Promise.allSettled([ledger.lease(asked), stage.fold()]);
      if (fold.status === 'rejected') throw fold.reason;
      expect((await usage()).leasedPicoUsd).toBe(0n);
      await expect(ledger.lease(asked)).rejects.toMatchObject({ code: 'lease_refused' });
    }
  });

  it('whichever comes first, nothing stays leased: the writer’s end', async () => {
    const ledger = stage.allowance();
    for (let round = 0; round < ROUNDS; round += 1) {
      const writer = stage.writer(`ingress-${round}`);
      writer.heartbeat([]);
      writer.stop();
      const [fold] = await Promise.allSettled([
        stage.fold(),
        ledger.lease(question(writer.id)),
        ledger.lease(question(writer.id)),
      ]);
      if (fold.status === 'rejected') throw fold.reason;
      expect((await usage()).leasedPicoUsd).toBe(0n);
    }
  });

  it('stones of a writer that has ended are cleared away, and its questions stay refused', async () => {
    const asked = question('ingress-1');
    const writer = stage.writer('ingress-1');
    writer.heartbeat([asked.leaseId]);
    await stage.fold();
    expect(await stage.rows('select 1 from ledger.lease_given_back')).toHaveLength(1);
    writer.stop();
    await stage.fold();
    expect(await stage.rows('select 1 from ledger.lease_given_back')).toHaveLength(0);
    await expect(stage.allowance().lease(asked)).rejects.toMatchObject({
      details: { why: 'writer_ended' },
    });
  });
});
