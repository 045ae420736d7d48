import 'reflect-metadata';
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { LedgerStage } from '../ledger-stage.spec-support.js';
import { Exporter } from './exporter.js';

describe('an export that nobody reads on', () => {
  let stage: LedgerStage;
  beforeEach(async () => {
    stage = await LedgerStage.open();
    await stage.startLedger();
    const writer = await stage.writer('ingress');
    await Promise.all(Array.from({ length: 150 }, () => stage.complete(writer)));
    await stage.settled();
  });
  afterEach(() => stage.close());

  it('gives its place to the next, whether it was begun or not', async () => {
    const exporter = new Exporter(stage.database.appUrl, stage.ledger.tree, stage.clock, 300);
    const [never, begun] = [await exporter.export({}), await exporter.export({})];
    await expect(exporter.export({})).rejects.toMatchObject({ code: 'export_busy' });
    await once(begun, 'readable');
    begun.read(1);
    for (const stream of [never, begun]) if (!stream.closed) await once(stream, 'close');
    const whole = await buffer(await exporter.export({}));
    expect(whole.length).toBeGreaterThan(100_000);
    expect(whole.length % 512).toBe(0);
  });
});
