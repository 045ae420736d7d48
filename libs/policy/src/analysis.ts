import { DomainError } from '#libs/kernel';

import { policyJson } from './cedar.js';
import type { CedarValueJson, PolicyJson } from './cedar.js';
import { compilePolicies } from './compiled/compiled-set.js';
import type { CompiledSet } from './compiled/compiled-set.js';
import type { PolicyErrorCode } from './errors.js';
import { isInert } from './inert.js';
import { readsOf, unionOf } from './reads.js';
import type { Reads } from './reads.js';
import { toldInContext, type ToldInContext } from './told-words.js';
import type { PolicyBundle, PrincipalProfile } from './types.js';

/** Sets of live policies whose reads are kept. Tags, classes and wants make some dozens. */
const UNIONS_LIMIT = 256;

interface AnalysedPolicy {
  readonly id: string;
  readonly json: PolicyJson;
  readonly reads: Reads;
}

/** What one bundle's policies read, found once per bundle. */
export class BundleAnalysis {
  readonly #policies: readonly AnalysedPolicy[];
  readonly #unions = new Map<string, Reads>();
  /** Of all policies together, whoever asks. */
  readonly reads: Reads;
  /** Words of a request's context that the policies can tell from others. */
  readonly words: ToldInContext;
  /** Undefined where a policy uses what only cedar-wasm has. */
  readonly compiled: CompiledSet | undefined;

  constructor(bundle: PolicyBundle) {
    const jsons: Record<string, PolicyJson> = {};
    this.#policies = Object.entries(bundle.policies).map(([id, text]) => {
      const json = policyJson(text);
      if (!json.ok) {
        const message = `not a bundle: ${json.messages.join('; ')}`;
        throw new DomainError<PolicyErrorCode>('policy-bundle-unusable', message);
      }
      jsons[id] = json.value;
      return { id, json: json.value, reads: readsOf(json.value) };
    });
    const result = compilePolicies(jsons);
    this.compiled = result.ok ? result.set : undefined;
    this.words = toldInContext(Object.values(jsons));
    this.reads = unionOf(this.#policies.map((p) => p.reads));
  }

  /** Every policy in Cedar's JSON form: parsing once is enough. */
  get jsons(): readonly PolicyJson[] {
    return this.#policies.map((p) => p.json);
  }

  /** Of the policies that can match this request at all. */
  liveReads(profile: PrincipalProfile, context: Readonly<Record<string, CedarValueJson>>): Reads {
    const live = this.#policies.filter(({ json }) => !isInert(json, profile, context));
    return unionOf(live.map((p) => p.reads));
  }

  /** Of these policies; the same object for the same ids, as long as it is remembered. */
  readsOf(ids: readonly string[]): Reads {
    const key = ids.join(' ');
    let reads = this.#unions.get(key);
    if (reads === undefined) {
      const among = new Set(ids);
      reads = unionOf(this.#policies.filter((p) => among.has(p.id)).map((p) => p.reads));
      if (this.#unions.size >= UNIONS_LIMIT) this.#unions.clear();
      this.#unions.set(key, reads);
    }
    return reads;
  }
}

const analyses = new WeakMap<PolicyBundle, BundleAnalysis>();

/** Throws `policy-bundle-unusable` where a text is not one Cedar policy. */
export function analysisOf(bundle: PolicyBundle): BundleAnalysis {
  let analysis = analyses.get(bundle);
  if (!analysis) {
    analysis = new BundleAnalysis(bundle);
    analyses.set(bundle, analysis);
  }
  return analysis;
}
