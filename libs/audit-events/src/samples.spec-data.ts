// One full sample of every event type, for specs.
import type { EventData } from './types.js';

const at = '2026-11-21T10:00:00.000Z';
const attempt = {
  number: 1,
  requestId: 'gen-1.1',
  endpoint: 'acme.large.eu',
  provider: 'acme',
  region: 'eu-west-1',
  simulated: true,
};
const facts = {
  dataClass: 'internal',
  dataTags: ['personal'],
  subjectRegions: ['EEA'],
  purpose: 'development',
  want: { confidential: true, regions: ['eu'] },
};
const principal = { organisationId: 'org-1', workspaceId: 'ws-1', keyId: 'key-1' };
const versions = { policy: 'p1', catalog: 'c1', priceBook: 'b1', principals: 'i1', health: 'h1' };
const change = { at, actor: 'user-1', change: 'created', subject: 'key-1', values: { limit: '5' } };

export const SAMPLES: EventData = {
  'custos.generation.opened.v1': {
    ...principal,
    generationId: 'gen-1',
    receivedAt: at,
    wire: 'openai-chat',
    requestedModel: 'custos/auto',
    model: 'acme/large',
    stream: true,
    requestBytes: 1_024,
    requestDigest: `hmac-sha256:${'a'.repeat(64)}`,
    facts,
    versions,
    decision: {
      at,
      digest: `sha256:${'b'.repeat(64)}`,
      decision: 'permit',
      reasons: [{ id: 'platform.default', reason: 'allowed', law: '', layer: 'platform' }],
      permitted: 12,
      excluded: 300,
    },
    plan: {
      at,
      strategy: 'balanced',
      seed: '7',
      acrossModels: true,
      requirements: { tools: true, contextTokens: 4_000, modalities: ['text'] },
      preferences: { sort: 'price' },
      candidates: [
        { endpoint: 'acme.large.eu', score: 0.5, expectedCostPicoUsd: '120', quality: 0.8 },
      ],
      excluded: [{ endpoint: 'acme.large.us', reason: 'region' }],
      cut: 0,
      excludedCut: 3,
    },
    hold: {
      at,
      amountPicoUsd: '123456789',
      leases: [{ leaseId: 'l-1', scope: 'key', id: 'key-1' }],
    },
    attempt,
  },
  'custos.generation.refused.v1': {
    ...principal,
    generationId: 'gen-2',
    receivedAt: at,
    requestedModel: 'acme/large',
    model: 'acme/large',
    at,
    httpStatus: 403,
    code: 'region_forbidden',
    facts,
    versions: { policy: 'p1', catalog: 'c1', principals: 'i1' },
  },
  'custos.attempt.dispatched.v1': {
    generationId: 'gen-1',
    at,
    attempt: { ...attempt, number: 2, requestId: 'gen-1.2' },
    previous: { number: 1, outcome: 'http_error', upstreamStatus: 503 },
  },
  'custos.generation.progress.v1': { generationId: 'gen-1', at, attempt: 1, outputTokens: 256 },
  'custos.generation.closed.v1': {
    generationId: 'gen-1',
    at,
    status: 'completed',
    finishReason: 'stop',
    attempts: [
      {
        ...attempt,
        outcome: 'completed',
        recordedAt: at,
        dispatchedAt: at,
        firstTokenAt: at,
        usageAt: at,
        endedAt: at,
        upstreamStatus: 200,
        upstreamId: 'chatcmpl-1',
        usage: {
          inputTokens: 10,
          outputTokens: 20,
          cacheReadTokens: 0,
          basis: 'reported',
          reportedCostPicoUsd: '99',
        },
      },
    ],
    lastByteAt: at,
  },
  'custos.decision.recorded.v1': {
    digest: `sha256:${'b'.repeat(64)}`,
    policyVersion: 'p1',
    catalogVersion: 'c1',
    profile: { organisation: 'org-1' },
    facts,
    scope: 'custos/auto',
    permittedBy: ['platform.default'],
    permitted: { ids: ['acme.large.eu'] },
    excluded: [
      { code: 'region', policies: ['eu.1'], endpoints: { count: 300, ordinalsBase64: 'AAAA' } },
    ],
  },
  'custos.health.recorded.v1': {
    digest: `sha256:${'c'.repeat(64)}`,
    version: 'h1',
    takenAt: at,
    scope: 'acme/large',
    endpoints: [{ endpoint: 'acme.large.eu', state: 'up', p50Ms: 120 }],
  },
  'custos.writer.started.v1': { app: 'ingress', at },
  'custos.writer.heartbeat.v1': { app: 'ingress', at, inFlight: 3, releasedLeases: ['l-1'] },
  'custos.writer.stopped.v1': { app: 'ingress', at, inFlight: 0 },
  'custos.writer.retired.v1': { retiredWriter: 'ingress-1', lastWseq: 7, reason: 'silent', at },
  'custos.control.changed.v1': change,
  'custos.pricebook.published.v1': change,
  'custos.policy.activated.v1': change,
};
