import { ActivationEntity } from './activation.entity.js';
import { BundleStepEntity } from './bundle-step.entity.js';
import { BundleEntity } from './bundle.entity.js';
import { ExceptionEntity } from './exception.entity.js';

export { ActivationEntity, BundleEntity, BundleStepEntity, ExceptionEntity };

export const POLICY_ENTITIES = [ActivationEntity, BundleEntity, BundleStepEntity, ExceptionEntity];
