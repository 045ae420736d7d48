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

  it('keeps its place from the next while it may still be read', async () => {
    const exporter = new Exporter(stage.database.appUrl, stage.ledger.tree, stage.clock);
    const taken = [await exporter.export({}), await exporter.export({})];
    await expect(exporter.export({})).rejects.toMatchObject({ code: 'export_busy' });
    for (const stream of taken) {
      stream.destroy();
      if (!stream.closed) await once(stream, 'close');
    }
  });

  it('gives its place to the next, whether it was begun or not', async () => {
    const exporter = new Exporter(stage.database.appUrl, stage.ledger.tree, stage.clock, 300);
    const never = await exporter.export({});
    const begun = await exporter.export({});
    begun.once('readable', () => void begun.read(1));
    for (const stream of [never, begun]) if (!stream.closed) await once(stream, 'close');
    const patient = new Exporter(stage.database.appUrl, stage.ledger.tree, stage.clock);
    for (const next of [exporter, patient]) {
      const stream = await next.export({});
      if (next === exporter) stream.destroy();
      else {
        const whole = await buffer(stream);
        expect(whole.length).toBeGreaterThan(100_000);
        expect(whole.length % 512).toBe(0);
      }
    }
  });
});
