const text = { type: 'string' } as const;
const time = { type: 'string', format: 'date-time' } as const;
const integer = { type: 'string', pattern: '^-?(0|[1-9][0-9]*)$' } as const;
const count = { type: 'integer', minimum: 0 } as const;

const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const listOf = (items: object) => ({ type: 'array', items });

/** More fields may come: nothing is closed but what is fixed by the contract. */
export const SCHEMAS = {
  Error: {
    type: 'object',
    required: ['error'],
    properties: {
      error: {
        type: 'object',
        required: ['code', 'message', 'metadata'],
        properties: {
          code: { type: 'integer' },
          message: text,
          metadata: {
            type: 'object',
            required: ['error_type'],
            properties: { error_type: { type: 'string', description: 'Stable; see errors.md.' } },
          },
        },
      },
    },
  },
  Leaf: {
    type: 'object',
    required: ['topic', 'partition', 'offset', 'index'],
    properties: { topic: text, partition: count, offset: integer, index: integer },
  },
  Posting: {
    type: 'object',
    required: ['account', 'amountPicoUsd', 'kind', 'leaf'],
    properties: { account: text, amountPicoUsd: integer, kind: text, leaf: ref('Leaf') },
  },
  Reason: {
    type: 'object',
    required: ['id', 'reason', 'law'],
    properties: { id: text, reason: text, law: text, layer: text },
  },
  Attempt: {
    type: 'object',
    required: ['number', 'requestId', 'endpoint', 'provider', 'region', 'outcome', 'simulated'],
    properties: {
      number: { type: 'integer', minimum: 1 },
      requestId: text,
      endpoint: text,
      provider: text,
      region: text,
      outcome: text,
      simulated: { type: 'boolean' },
    },
  },
  Step: {
    type: 'object',
    required: ['step', 'at'],
    properties: {
      step: {
        enum: [
          'received',
          'decided',
          'planned',
          'held',
          'recorded',
          'dispatched',
          'first_token',
          'usage',
          'closed',
          'rated',
          'posted',
        ],
      },
      at: time,
      attempt: { type: 'integer', minimum: 1 },
    },
  },
  Trail: {
    type: 'object',
    required: ['id', 'status', 'attempts', 'steps', 'postings'],
    properties: {
      id: { type: 'string', pattern: '^gen-' },
      status: {
        enum: ['open', 'refused', 'completed', 'failed', 'cancelled', 'timed_out', 'recovered'],
      },
      organisationId: text,
      workspaceId: text,
      keyId: text,
      model: text,
      requestedModel: text,
      receivedAt: time,
      policy: {
        type: 'object',
        required: ['version', 'decision', 'reasons'],
        properties: {
          version: text,
          decision: { enum: ['permit', 'forbid'] },
          reasons: listOf(ref('Reason')),
        },
      },
      plan: {
        type: 'object',
        required: ['strategy', 'candidates', 'excluded', 'seed'],
        properties: {
          strategy: text,
          seed: text,
          candidates: listOf({ type: 'object' }),
          excluded: listOf({ type: 'object' }),
        },
      },
      refusal: {
        type: 'object',
        required: ['at', 'httpStatus', 'code'],
        properties: { at: time, httpStatus: { type: 'integer' }, code: text },
      },
      attempts: listOf(ref('Attempt')),
      steps: listOf(ref('Step')),
      usage: {
        type: 'object',
        required: ['inputTokens', 'outputTokens', 'basis'],
        properties: {
          inputTokens: count,
          outputTokens: count,
          basis: { enum: ['reported', 'counted', 'progress'] },
        },
      },
      cost: {
        type: 'object',
        required: ['amountPicoUsd', 'usd', 'priceBook'],
        properties: { amountPicoUsd: integer, usd: text, priceBook: text },
      },
      flags: listOf(text),
      removed: {
        type: 'object',
        description: 'There where its documents were removed under the retention policy.',
        required: ['at', 'leafIndex', 'policyDigest'],
        properties: { at: time, leafIndex: integer, policyDigest: text },
      },
      postings: listOf(ref('Posting')),
    },
  },
  TrailPage: {
    type: 'object',
    required: ['data', 'nextCursor'],
    properties: { data: listOf(ref('Trail')), nextCursor: { type: ['string', 'null'] } },
  },
  Forks: {
    type: 'object',
    required: ['forks'],
    properties: {
      publicationHalted: { type: 'string', description: 'There while nothing is signed: why.' },
      forks: listOf({
        type: 'object',
        required: ['size', 'root', 'note', 'heldBy', 'foundAt', 'givenUp', 'givenUpBy'],
        properties: {
          size: integer,
          root: text,
          note: { ...text, description: 'The signed note: the proof.' },
          heldBy: text,
          foundAt: time,
          givenUp: { type: 'boolean', description: 'By an administrator and an approver.' },
          givenUpBy: listOf({
            type: 'object',
            required: ['author', 'role', 'reason', 'at', 'recordLeaf'],
            properties: { author: text, role: text, reason: text, at: time, recordLeaf: integer },
          }),
        },
      }),
    },
  },
  Retention: {
    type: 'object',
    required: ['policy', 'plan', 'minimumIndex', 'removed', 'log', 'holds'],
    properties: {
      policy: { type: ['object', 'null'], description: 'Null: nothing is ever removed.' },
      plan: { type: ['object', 'null'], description: 'Null without a policy in effect.' },
      minimumIndex: {
        ...integer,
        description: 'Of tlog-tiles: all entries from here on are there.',
      },
      removed: listOf({
        type: 'object',
        required: ['firstLeaf', 'endLeaf', 'recordLeaf', 'policyDigest', 'before', 'removedAt'],
        properties: {
          firstLeaf: integer,
          endLeaf: integer,
          recordLeaf: integer,
          policyDigest: text,
          before: time,
          removedAt: time,
        },
      }),
      log: {
        type: ['object', 'null'],
        description:
          'What the log itself has let go: from where on each partition begins, and records whose bytes are still to be deleted. Null where it is not in the ledger’s database.',
      },
      holds: listOf({ type: 'object' }),
    },
  },
  Receipt: {
    type: 'object',
    required: ['format', 'generationId', 'ledgerId', 'origin', 'checkpoint', 'policy', 'events'],
    properties: {
      format: { const: 'custos-receipt-v1' },
      generationId: text,
      ledgerId: text,
      origin: text,
      checkpoint: { type: 'string', description: 'C2SP signed note.' },
      policy: { type: 'string', description: 'C2SP tlog-policy; empty where no witness is asked.' },
      events: listOf({
        type: 'object',
        required: ['leafIndex', 'topic', 'partition', 'offset', 'bytes', 'proof'],
        properties: {
          leafIndex: integer,
          topic: text,
          partition: count,
          offset: integer,
          bytes: { type: 'string', contentEncoding: 'base64' },
          proof: { type: 'string', description: 'C2SP tlog-proof.' },
        },
      }),
      journals: listOf(ref('Journal')),
      priceBooks: listOf({
        type: 'object',
        required: ['version', 'sha256'],
        properties: { version: text, sha256: text },
      }),
    },
  },
  InvoicePage: {
    type: 'object',
    required: ['data', 'next'],
    properties: {
      data: listOf({
        type: 'object',
        required: ['number', 'organisationId', 'period', 'issuedAt', 'payablePicoUsd', 'digest'],
        properties: {
          number: text,
          organisationId: text,
          period: text,
          issuedAt: time,
          exactPicoUsd: integer,
          payablePicoUsd: integer,
          digest: text,
          size: integer,
          root: text,
          leafIndex: integer,
        },
      }),
      next: { type: ['string', 'null'] },
    },
  },
  Refund: {
    type: 'object',
    required: ['refundId', 'organisationId', 'status', 'of', 'author', 'approver', 'reason'],
    properties: {
      refundId: text,
      organisationId: text,
      status: {
        enum: ['approved', 'granted', 'declined'],
        description: 'approved: the ledger has not said yet what becomes of it.',
      },
      of: {
        type: 'object',
        description: 'An amount of the credit at hand, or a whole purchase.',
        properties: { amountPicoUsd: integer, creditId: text },
      },
      author: text,
      approver: text,
      reason: text,
      askedAt: time,
      askedLeaf: integer,
      decidedAt: time,
      decidedLeaf: { ...integer, description: 'A granted one: of its journal, too.' },
      amountPicoUsd: integer,
      feePicoUsd: integer,
      why: {
        enum: [
          'not_enough_credit',
          'credit_in_use',
          'purchase_unknown',
          'purchase_used',
          'purchase_refunded',
        ],
      },
      creditPicoUsd: {
        ...integer,
        description: 'Of a declined one: what was bought less used and refunded.',
      },
      inUsePicoUsd: { ...integer, description: 'Of that held or leased.' },
    },
  },
  RefundPage: {
    type: 'object',
    required: ['data', 'next'],
    properties: { data: listOf(ref('Refund')), next: { type: ['string', 'null'] } },
  },
  Invoice: {
    type: 'object',
    required: ['format', 'status', 'issuer', 'organisation', 'statement', 'digest', 'evidence'],
    properties: {
      format: { const: 'custos-invoice-v1' },
      status: { enum: ['issued', 'closed', 'running'] },
      number: text,
      issuedAt: time,
      issuer: text,
      organisation: { type: 'object', required: ['id'], properties: { id: text, name: text } },
      statement: {
        type: 'object',
        required: [
          'organisationId',
          'period',
          'currency',
          'lines',
          'corrections',
          'credits',
          'prepaid',
          'totals',
        ],
        properties: {
          lines: listOf({
            type: 'object',
            required: ['line', 'class', 'payer', 'quantity', 'amountPicoUsd', 'amountUsd'],
            properties: { quantity: integer, amountPicoUsd: integer, amountUsd: text },
          }),
          refunds: listOf({
            type: 'object',
            description: 'There where credit was given back in the month.',
            required: ['leafIndex', 'refundedAt', 'amountPicoUsd', 'feePicoUsd', 'author'],
            properties: {
              leafIndex: integer,
              refundedAt: time,
              amountPicoUsd: integer,
              feePicoUsd: integer,
              author: text,
              approver: text,
              reason: text,
            },
          }),
          totals: {
            type: 'object',
            required: ['exactPicoUsd', 'payablePicoUsd', 'payableUsd', 'roundingPicoUsd'],
            properties: {
              exactPicoUsd: integer,
              payablePicoUsd: integer,
              payableUsd: text,
              roundingPicoUsd: integer,
            },
          },
        },
      },
      remade: {
        type: 'object',
        description: 'In books made again in another order: what the record of the invoice cites.',
        required: ['digest', 'size', 'root'],
        properties: { digest: text, size: integer, root: text },
      },
      digest: { type: 'string', pattern: '^sha256:' },
      evidence: {
        type: 'object',
        required: ['ledgerId', 'origin', 'verifierKey', 'size', 'root'],
        properties: { ledgerId: text, origin: text, verifierKey: text, size: integer, root: text },
      },
    },
  },
  Journal: {
    type: 'object',
    required: ['id', 'kind', 'leafIndex', 'effectiveAt', 'recordedAt', 'postings'],
    properties: {
      id: integer,
      kind: text,
      leafIndex: integer,
      effectiveAt: time,
      recordedAt: time,
      author: text,
      approver: text,
      reason: text,
      postings: listOf({
        type: 'object',
        required: ['account', 'amountPicoUsd'],
        properties: { account: text, amountPicoUsd: integer },
      }),
    },
  },
} as const;
