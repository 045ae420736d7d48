import { CorrectionEntity } from '../corrections/correction.entity.js';
import { CreditEntity } from '../credits/credit.entity.js';
import { CustomerFactEntity } from '../facts/customer-fact.entity.js';
import { ErasureEntity } from '../erasures/erasure.entity.js';
import { LegalHoldEntity } from '../holds/legal-hold.entity.js';
import { RefundEntity } from '../refunds/refund.entity.js';
import { ContentReadingEntity } from '../vault/content-reading.entity.js';
import { ApiKeyEntity } from './api-key.entity.js';
import { OrganisationEntity } from './organisation.entity.js';
import { PriceBookEntity } from './price-book.entity.js';
import { WorkspaceEntity } from './workspace.entity.js';

export { ApiKeyEntity, OrganisationEntity, PriceBookEntity, WorkspaceEntity };

export const CONTROL_ENTITIES = [
  ApiKeyEntity,
  ContentReadingEntity,
  CorrectionEntity,
  CreditEntity,
  CustomerFactEntity,
  ErasureEntity,
  LegalHoldEntity,
  OrganisationEntity,
  PriceBookEntity,
  RefundEntity,
  WorkspaceEntity,
];
