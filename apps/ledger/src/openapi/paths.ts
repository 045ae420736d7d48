import { z } from 'zod';
import { trailQuery } from '../audit-api/trail-filter.js';
import { refundListQuery } from '../refunds/refunds.controller.js';
import {
  focusQuery,
  invoiceListQuery,
  invoiceQuery,
  reconcileQuery,
} from '../statements/statement-question.js';

const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const json = (schema: object) => ({ 'application/json': { schema } });
const binary = (type: string) => ({ [type]: { schema: { type: 'string', format: 'binary' } } });

const refusals = (...statuses: readonly string[]) =>
  Object.fromEntries(
    ['401', '403', ...statuses].map((status) => [
      status,
      { description: 'See errors.md for the code.', content: json(ref('Error')) },
    ]),
  );

const inPath = (name: string, description: string) => ({
  name,
  in: 'path',
  required: true,
  description,
  schema: { type: 'string' },
});

/** Every query parameter of a route, from the schema that reads them. */
const inQuery = (query: z.ZodType) => {
  const { properties = {}, required = [] } = z.toJSONSchema(query, { io: 'input' });
  const must = new Set(required);
  return Object.entries(properties).map(([name, schema]) => {
    const { description, ...rest } = schema as { readonly description?: string };
    return { name, in: 'query', required: must.has(name), description, schema: rest };
  });
};

const open = { security: [] };

export const AUDIT_PATHS = {
  '/audit/v1/trails': {
    get: {
      operationId: 'listTrails',
      summary: 'Trails, newest first: a page, or everything streamed.',
      parameters: inQuery(trailQuery),
      responses: {
        '200': {
          description: 'A page of trails, or with format=jsonl or csv all of them.',
          content: {
            ...json(ref('TrailPage')),
            'application/jsonl': { schema: { type: 'string' } },
            'text/csv': { schema: { type: 'string' } },
          },
        },
        ...refusals('400'),
      },
    },
  },
  '/audit/v1/trails/{generationId}': {
    get: {
      operationId: 'getTrail',
      summary: 'One trail.',
      parameters: [inPath('generationId', 'gen-…')],
      responses: {
        '200': { description: 'The trail as the books hold it now.', content: json(ref('Trail')) },
        ...refusals('404'),
      },
    },
  },
  '/audit/v1/receipts/{generationId}': {
    get: {
      operationId: 'getReceipt',
      summary: 'The events of one generation with their proofs, verifiable offline.',
      parameters: [inPath('generationId', 'gen-…')],
      responses: {
        '200': { description: 'The receipt.', content: json(ref('Receipt')) },
        ...refusals('404', '410', '503'),
      },
    },
  },
  '/audit/v1/export': {
    get: {
      operationId: 'exportRange',
      summary: 'A self-contained directory for `custos verify`, as a tar stream.',
      parameters: ['from', 'to'].map((name) => ({
        name,
        in: 'query',
        required: false,
        schema: { type: 'string', format: 'date-time' },
      })),
      responses: {
        '200': { description: 'The directory.', content: binary('application/x-tar') },
        ...refusals('400', '503'),
      },
    },
  },
  '/audit/v1/invoices': {
    get: {
      operationId: 'listInvoices',
      summary: 'Invoices that were issued, newest month first.',
      parameters: inQuery(invoiceListQuery),
      responses: {
        '200': { description: 'A page.', content: json(ref('InvoicePage')) },
        ...refusals('400'),
      },
    },
  },
  '/audit/v1/invoices/{organisationId}/{month}': {
    get: {
      operationId: 'getInvoice',
      summary: 'The invoice of an organisation for a month, or its running statement.',
      parameters: [
        inPath('organisationId', 'Id of an organisation.'),
        inPath('month', '2026-11, a calendar month in UTC.'),
        ...inQuery(invoiceQuery),
      ],
      responses: {
        '200': {
          description: 'The document.',
          content: {
            ...json(ref('Invoice')),
            'text/csv': { schema: { type: 'string' } },
            ...binary('application/pdf'),
          },
        },
        ...refusals('400', '503'),
      },
    },
  },
  '/audit/v1/focus': {
    get: {
      operationId: 'exportFocus',
      summary:
        'Cost and usage after FOCUS 1.3, streamed; x_ columns name leaf, journal and request.',
      parameters: inQuery(focusQuery),
      responses: {
        '200': { description: 'CSV.', content: { 'text/csv': { schema: { type: 'string' } } } },
        ...refusals('400', '503'),
      },
    },
  },
  '/audit/v1/refunds': {
    get: {
      operationId: 'listRefunds',
      summary: 'Refunds of prepaid credit that two persons asked for, newest first.',
      parameters: inQuery(refundListQuery),
      responses: {
        '200': { description: 'A page.', content: json(ref('RefundPage')) },
        ...refusals('400'),
      },
    },
  },
  '/audit/v1/refunds/{refundId}': {
    get: {
      operationId: 'getRefund',
      summary: 'What became of one refund, and the leaves that say so.',
      parameters: [inPath('refundId', 'refund-…')],
      responses: {
        '200': { description: 'The refund.', content: json(ref('Refund')) },
        ...refusals('404'),
      },
    },
  },
  '/audit/v1/retention': {
    get: {
      operationId: 'getRetention',
      summary: 'What is kept how long and why, what a run would remove now, what is gone.',
      responses: {
        '200': { description: 'Policy, plan, holds.', content: json(ref('Retention')) },
        ...refusals(),
      },
    },
    post: {
      operationId: 'applyRetention',
      summary: 'For administrators: removes what the plan says, if it still is the plan.',
      requestBody: {
        required: true,
        content: json({
          type: 'object',
          required: ['plan'],
          properties: { plan: { type: 'string', description: 'Digest of the plan.' } },
        }),
      },
      responses: {
        '200': { description: 'What went and what stayed.', content: json({ type: 'object' }) },
        ...refusals('400', '409', '503'),
      },
    },
  },
  '/audit/v1/forks': {
    get: {
      operationId: 'listForks',
      summary:
        'Checkpoints under this log’s own signature that it did not contain when they turned up; who let them go.',
      responses: {
        '200': { description: 'All there ever were.', content: json(ref('Forks')) },
        ...refusals(),
      },
    },
  },
  '/audit/v1/forks/{size}': {
    post: {
      operationId: 'giveUpHead',
      summary:
        'For administrators and approvers: says on record that the log goes on without this head.',
      parameters: [inPath('size', 'Of the head, as listed.')],
      requestBody: {
        required: true,
        content: json({
          type: 'object',
          required: ['root', 'reason'],
          properties: {
            root: { type: 'string', description: 'Of the head, as listed.' },
            reason: { type: 'string' },
          },
        }),
      },
      responses: {
        '202': {
          description: 'On record. It takes effect with the record of the other role.',
          content: json({ type: 'object' }),
        },
        ...refusals('400', '404', '503'),
      },
    },
  },
  '/audit/v1/reconciliations': {
    post: {
      operationId: 'reconcile',
      summary:
        'For administrators: a provider’s usage export beside the books, request by request.',
      parameters: inQuery(reconcileQuery),
      requestBody: {
        required: true,
        description: 'The export in the format of docs/billing.md; may be gzip.',
        content: {
          'text/csv': { schema: { type: 'string' } },
          'application/jsonl': { schema: { type: 'string' } },
        },
      },
      responses: {
        '200': {
          description: 'JSON lines: differences, and last the summary, which is recorded.',
          content: { 'application/jsonl': { schema: { type: 'string' } } },
        },
        ...refusals('400', '413', '503'),
      },
    },
  },
  '/log/checkpoint': {
    get: {
      operationId: 'getCheckpoint',
      summary: 'The newest published checkpoint with its cosignatures (C2SP tlog-checkpoint).',
      ...open,
      responses: {
        '200': {
          description: 'A signed note.',
          content: { 'text/plain': { schema: { type: 'string' } } },
        },
        '404': { description: 'No checkpoint yet.', content: json(ref('Error')) },
      },
    },
  },
  '/log/minimum-index': {
    get: {
      operationId: 'getMinimumIndex',
      summary: 'Every entry from here on is there; 0 until something was removed.',
      ...open,
      responses: {
        '200': {
          description: 'A decimal number.',
          content: { 'text/plain': { schema: { type: 'string' } } },
        },
      },
    },
  },
  '/log/tile/{tilePath}': {
    get: {
      operationId: 'getTile',
      summary: 'A tile of hashes (C2SP tlog-tiles): <L>/<N>[.p/<W>], with slashes.',
      ...open,
      parameters: [inPath('tilePath', 'For example 0/x001/067 or 0/x001/067.p/12.')],
      responses: {
        '200': { description: '32 bytes a hash.', content: binary('application/octet-stream') },
        '404': { description: 'Beyond the newest checkpoint.', content: json(ref('Error')) },
      },
    },
  },
  '/log/tile/entries/{bundlePath}': {
    get: {
      operationId: 'getEntryBundle',
      summary: 'A bundle of entries (C2SP tlog-tiles): <N>[.p/<W>], with slashes.',
      parameters: [inPath('bundlePath', 'For example x001/067.')],
      responses: {
        '200': {
          description: 'Entries, each behind its length in two bytes.',
          content: binary('application/octet-stream'),
        },
        ...refusals('404', '410'),
      },
    },
  },
  '/log/time-stamps/{size}': {
    get: {
      operationId: 'getTimeStamp',
      summary: 'The RFC 3161 time stamp of the checkpoint of that size.',
      ...open,
      parameters: [inPath('size', 'Leaves under the checkpoint.')],
      responses: {
        '200': { description: 'A token.', content: binary('application/timestamp-reply') },
        '404': { description: 'That checkpoint was not stamped.', content: json(ref('Error')) },
      },
    },
  },
  '/log/time-stamps/{size}/note': {
    get: {
      operationId: 'getStampedNote',
      summary: 'What the time stamp of that size is over: the note with the log’s signature alone.',
      ...open,
      parameters: [inPath('size', 'Leaves under the checkpoint.')],
      responses: {
        '200': {
          description: 'A signed note.',
          content: { 'text/plain': { schema: { type: 'string' } } },
        },
        '404': { description: 'That checkpoint was not stamped.', content: json(ref('Error')) },
      },
    },
  },
  '/audit/v1/openapi.json': {
    get: {
      operationId: 'getOpenApi',
      summary: 'This document.',
      ...open,
      responses: { '200': { description: 'OpenAPI 3.1.', content: json({ type: 'object' }) } },
    },
  },
} as const;
