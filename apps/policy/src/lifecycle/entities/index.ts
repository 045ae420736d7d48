import { ActivationEntity } from './activation.entity.js';
import { BundleStepEntity } from './bundle-step.entity.js';
import { BundleEntity } from './bundle.entity.js';
import { EvaluatorTrustEntity } from './evaluator-trust.entity.js';
import { ExceptionEntity } from './exception.entity.js';

export { ActivationEntity, BundleEntity, BundleStepEntity, EvaluatorTrustEntity, ExceptionEntity };

export const POLICY_ENTITIES = [
  ActivationEntity,
  BundleEntity,
  BundleStepEntity,
  EvaluatorTrustEntity,
  ExceptionEntity,
];
