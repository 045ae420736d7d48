import { describe, expect, it } from '@jest/globals';
import { TOPICS, type EventType, type Topic } from './types.js';
import { appOf, isStranger, topicOf } from './who-may-say.js';

const CREDIT = 'custos.ledger.credit.v1';
const by = (writer: string, type: EventType = CREDIT) => ({ type, writer });
const CONTROL = 'control-01930000-0000-7000-8000-000000000000';
const INGRESS = 'ingress-01930000-0000-7000-8000-000000000000';

describe('who may say what', () => {
  it.each<[string, EventType, string, Topic]>([
    ['credit by control', CREDIT, CONTROL, TOPICS.control],
    ['a month by the ledger', 'custos.ledger.period_closed.v1', 'ledger-1', TOPICS.ledger],
    ['a refund that is asked by control', 'custos.ledger.refund.v1', CONTROL, TOPICS.control],
    ['a granted one by the ledger', 'custos.ledger.refund_granted.v1', 'ledger-1', TOPICS.ledger],
    ['traffic by the ingress', 'custos.generation.opened.v1', INGRESS, TOPICS.audit],
    ['the sweeper’s close', 'custos.generation.closed.v1', 'ledger-1', TOPICS.audit],
    ['a retirement by the sweeper', 'custos.writer.retired.v1', 'ledger-1', TOPICS.audit],
    ['a heartbeat at home', 'custos.writer.heartbeat.v1', CONTROL, TOPICS.control],
    ['an app that is not ours', 'custos.writer.heartbeat.v1', 'constructor-1', TOPICS.ledger],
  ])('%s is heard', (_, type, writer, topic) => {
    expect(isStranger(by(writer, type), topic)).toBe(false);
    expect(isStranger(by(writer, type))).toBe(false);
  });

  it.each<[string, EventType, string, Topic]>([
    ['credit in the data plane’s topic', CREDIT, CONTROL, TOPICS.audit],
    ['a heartbeat in another’s topic', 'custos.writer.heartbeat.v1', CONTROL, TOPICS.audit],
    ['credit by an ingress in control’s topic', CREDIT, INGRESS, TOPICS.control],
    ['a refund granted by control', 'custos.ledger.refund_granted.v1', CONTROL, TOPICS.ledger],
    ['a refund asked by the ledger', 'custos.ledger.refund.v1', 'ledger-1', TOPICS.control],
    ['a refund asked by an ingress', 'custos.ledger.refund.v1', INGRESS, TOPICS.audit],
    ['an invoice by control', 'custos.ledger.invoice_issued.v1', CONTROL, TOPICS.ledger],
    ['a month in control’s topic', 'custos.ledger.period_closed.v1', 'ledger-1', TOPICS.control],
    ['usage in control’s topic', 'custos.generation.closed.v1', CONTROL, TOPICS.control],
    ['a retirement of one ingress by another', 'custos.writer.retired.v1', INGRESS, TOPICS.audit],
    ['a hold by an ingress', 'custos.legal_hold.lifted.v1', INGRESS, TOPICS.audit],
  ])('%s is not', (_, type, writer, topic) => {
    expect(isStranger(by(writer, type), topic)).toBe(true);
  });

  it('by the bytes alone only the writer is known', () => {
    expect(isStranger(by(INGRESS))).toBe(true);
    expect(isStranger(by(CONTROL))).toBe(false);
    expect([CONTROL, 'ledger-1', 'x'].map(appOf)).toEqual(['control', 'ledger', 'x']);
    expect(topicOf(CREDIT)).toBe(TOPICS.control);
  });
});
