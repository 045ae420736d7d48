import type { IncomingHttpHeaders } from 'node:http';
import type { FactsData } from '#libs/audit-events';
import type { Catalog } from '#libs/catalog';
import type { Principal } from '#libs/identity';
import type { RequestFacts } from '#libs/policy';
import { parseChatRequest, type ChatRequest } from '#libs/providers';
import {
  AUTO_MODEL,
  parseModelRequest,
  parsePreferences,
  type Preferences,
  type Strategy,
} from '#libs/routing';
import type { Scope } from '../decide/decision.service.js';
import { factsData } from '../decide/verdict.js';
import { refusal, type Refusal } from '../ingress.errors.js';
import { readFacts, readStrategy } from './request-facts.js';

/** Everything a request asks for, parsed once; after this only our own types exist. */
export interface Ask {
  readonly request: ChatRequest;
  readonly stream: boolean;
  readonly requestedModel: string;
  /** Undefined: the catalog knows no such model. */
  readonly scope: Scope | undefined;
  /** Model id, `custos/auto`, or what was asked for where that is unknown. */
  readonly scopeKey: string;
  readonly strategy: Strategy | undefined;
  readonly preferences: Preferences;
  readonly requireParameters: boolean;
  readonly facts: RequestFacts;
  readonly factsData: FactsData;
}

/** OpenRouter's members that change where or how a request runs and that this gateway does not carry out yet. */
const REFUSED_MEMBERS = ['models', 'plugins', 'route', 'transforms'] as const;

export function readAsk(
  headers: IncomingHttpHeaders,
  bytes: Buffer,
  principal: Principal,
  catalog: Catalog,
  jsonDepthMax: number,
): { readonly ok: true; readonly ask: Ask } | { readonly ok: false; readonly refusal: Refusal } {
  const parsed = parseChatRequest(bytes, { depthMax: jsonDepthMax });
  if (!parsed.ok) {
    const metadata = parsed.param === undefined ? {} : { param: parsed.param };
    return { ok: false, refusal: refusal(parsed.code, `${parsed.message}.`, { metadata }) };
  }
  const { request } = parsed;
  for (const name of REFUSED_MEMBERS)
    if (request.body[name] !== undefined && request.body[name] !== null)
      return {
        ok: false,
        refusal: refusal('unsupported_parameter', `${name} is not supported yet.`, {
          metadata: { param: name },
        }),
      };
  const preferred = parsePreferences(request.body['provider']);
  if (!preferred.ok) {
    const code =
      preferred.code === 'unsupported_parameter' ? 'unsupported_parameter' : 'invalid_request';
    const message = `${preferred.param} ${preferred.message}.`;
    return { ok: false, refusal: refusal(code, message, { metadata: { param: preferred.param } }) };
  }
  const facts = readFacts(headers, principal.key.defaults, preferred.wants);
  if (!facts.ok) return facts;
  const strategy = readStrategy(headers);
  if (typeof strategy === 'object') return { ok: false, refusal: strategy };
  const asked = parseModelRequest(request.body.model);
  const model = asked.acrossModels ? undefined : catalog.resolveModel(asked.model);
  return {
    ok: true,
    ask: {
      request,
      stream: request.body.stream === true,
      requestedModel: request.body.model,
      scope: asked.acrossModels ? 'all' : model,
      scopeKey: asked.acrossModels ? AUTO_MODEL : (model?.id ?? asked.model),
      strategy: strategy ?? asked.strategy ?? preferred.strategy,
      preferences:
        asked.sort === undefined || preferred.preferences.sort !== undefined
          ? preferred.preferences
          : { ...preferred.preferences, sort: asked.sort },
      requireParameters: preferred.requireParameters,
      facts: facts.facts,
      factsData: factsData(facts.facts),
    },
  };
}
