import type { CustomerStatement } from '#libs/catalog';

/** How customers' facts change. Each step says in the log who did it, and on which document. */
export type FactChange =
  | {
      readonly kind: 'fact.proposed';
      readonly id: string;
      readonly organisationId: string;
      readonly statement: CustomerStatement;
      readonly by: string;
      readonly at: string;
    }
  | {
      readonly kind: 'fact.approved' | 'fact.suspended' | 'fact.revoked';
      readonly id: string;
      readonly organisationId: string;
      readonly documentSha256: string;
      readonly by: string;
      readonly at: string;
    };
