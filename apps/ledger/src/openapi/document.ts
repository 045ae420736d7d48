import { AUDIT_PATHS } from './paths.js';
import { SCHEMAS } from './schemas.js';

/** The auditor's API in OpenAPI 3.1. A test holds it to the routes there are and to what they answer. */
export const openApiDocument = {
  openapi: '3.1.0',
  info: {
    title: 'Custos: the auditor’s API',
    version: '1',
    license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    description:
      'Trails, receipts and exports of the audit ledger, and its transparency log after C2SP tlog-tiles. ' +
      'Amounts are decimal strings of integer pico-USD; times are RFC 3339 in UTC. An auditor’s key reads and exports, nothing else.',
  },
  security: [{ auditor: [] }],
  paths: AUDIT_PATHS,
  components: {
    securitySchemes: {
      auditor: { type: 'http', scheme: 'bearer', description: 'A key with the role auditor.' },
    },
    schemas: SCHEMAS,
  },
} as const;
