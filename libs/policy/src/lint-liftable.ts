// What may be lifted by a break-glass exception says so, and why. The law is not ours to lift.
import type { PolicyJson } from './cedar.js';
import { isLiftable } from './exceptions.js';
import type { PolicyCitation } from './types.js';

export interface LiftableFault {
  readonly code: 'annotation' | 'layering';
  readonly message: string;
}

export function lintLiftable(
  id: string,
  json: PolicyJson,
  { layer }: PolicyCitation,
): LiftableFault[] {
  const why = json.annotations?.['liftable'];
  const asks = isLiftable(id, json);
  if (asks && layer === 'jurisdiction')
    return [{ code: 'layering', message: 'a rule of law may not be lifted by an exception' }];
  if (asks && (why ?? '').trim() === '')
    return [
      { code: 'annotation', message: '@liftable is missing: say why an exception may lift it' },
    ];
  if (!asks && why !== undefined)
    return [
      {
        code: 'annotation',
        message: `@liftable without asking context.breakGlass.policies.contains("${id}")`,
      },
    ];
  return [];
}
