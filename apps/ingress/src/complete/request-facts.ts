import type { IncomingHttpHeaders } from 'node:http';
import type { FactDefaults } from '#libs/identity';
import { DATA_CLASSES, type DataClass, type RequestFacts, type RequestWants } from '#libs/policy';
import { STRATEGIES, type Strategy } from '#libs/routing';
import { refusal, type Refusal } from '../ingress.errors.js';

const LIST_ITEMS_MAX = 32; // a request with more tags or regions than this is a mistake, and each is hashed
const TOKEN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

const single = (v: string | string[] | undefined): string | undefined =>
  Array.isArray(v) ? v.join(',') : v;

function list(name: string, raw: string | undefined): readonly string[] | Refusal {
  if (raw === undefined) return [];
  const items = raw
    .split(',')
    .map((s) => s.trim())
    .filter((s) => s !== '');
  if (items.length > LIST_ITEMS_MAX)
    return refusal('invalid_header', `${name} has more than ${LIST_ITEMS_MAX} items`);
  for (const item of items)
    if (!TOKEN.test(item))
      return refusal('invalid_header', `${name} has an item that is not a token`);
  return items;
}

const union = (a: readonly string[], b: readonly string[]): readonly string[] =>
  b.length === 0 ? a : [...new Set([...a, ...b])].sort();

/**
 * Facts of one request: its headers over the defaults of its key. The class may only be raised, tags and subject
 * regions only added: a request cannot talk itself out of a rule.
 */
export function readFacts(
  headers: IncomingHttpHeaders,
  defaults: FactDefaults,
  wants: RequestWants,
):
  | { readonly ok: true; readonly facts: RequestFacts }
  | { readonly ok: false; readonly refusal: Refusal } {
  const rawClass = single(headers['x-custos-data-class']);
  let dataClass: DataClass = defaults.dataClass;
  if (rawClass !== undefined) {
    const asked = DATA_CLASSES.indexOf(rawClass as DataClass);
    if (asked < 0)
      return {
        ok: false,
        refusal: refusal(
          'invalid_header',
          `x-custos-data-class is none of ${DATA_CLASSES.join(', ')}`,
        ),
      };
    if (asked < DATA_CLASSES.indexOf(defaults.dataClass))
      return {
        ok: false,
        refusal: refusal(
          'invalid_header',
          'x-custos-data-class may only raise the class of the key',
        ),
      };
    dataClass = rawClass as DataClass;
  }
  const tags = list('x-custos-data-tags', single(headers['x-custos-data-tags']));
  if (!Array.isArray(tags)) return { ok: false, refusal: tags as Refusal };
  const subjects = list('x-custos-subject-regions', single(headers['x-custos-subject-regions']));
  if (!Array.isArray(subjects)) return { ok: false, refusal: subjects as Refusal };
  const purpose = single(headers['x-custos-purpose']) ?? defaults.purpose;
  if (!TOKEN.test(purpose))
    return { ok: false, refusal: refusal('invalid_header', 'x-custos-purpose is not a token') };
  return {
    ok: true,
    facts: {
      dataClass,
      dataTags: union(defaults.dataTags, tags),
      subjectRegions: union(defaults.subjectRegions, subjects),
      purpose,
      want: wants,
    },
  };
}

export function readStrategy(headers: IncomingHttpHeaders): Strategy | undefined | Refusal {
  const raw = single(headers['x-custos-strategy']);
  if (raw === undefined) return undefined;
  return STRATEGIES.includes(raw as Strategy)
    ? (raw as Strategy)
    : refusal('invalid_header', `x-custos-strategy is none of ${STRATEGIES.join(', ')}`);
}
