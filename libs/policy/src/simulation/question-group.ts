import type { Catalog, Endpoint } from '#libs/catalog';

import type { Decision } from '../types.js';

/** What the router would try first. */
export interface FirstChoice {
  readonly endpoint: Endpoint;
  readonly costPicoUsd?: bigint;
  readonly quality?: number;
}

/** All requests that neither bundle can tell apart, and what each says of them. */
export interface Group {
  readonly before: Decision;
  readonly after: Decision;
  /** That both were asked over. */
  readonly catalog: Catalog;
  readonly samePermitted: boolean;
  /** First choices planned so far, and their means. */
  readonly planned: ChoiceMeans;
}

export interface ChoiceMeans {
  count: number;
  beforePicoUsd: bigint;
  afterPicoUsd: bigint;
  last: Choices | undefined;
}

export interface Choices {
  readonly before: FirstChoice | undefined;
  readonly after: FirstChoice | undefined;
}
