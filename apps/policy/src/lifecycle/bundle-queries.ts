import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { DomainError } from '#libs/kernel';
import { parseRequest } from '#libs/platform';
import { cursorOf, pageQuery } from '../request-bodies.js';
import { standingOf } from './read-policy.js';
import type { BundleStep } from './steps.js';

export interface BundleRow {
  readonly version: string;
  readonly author: string;
  readonly comment: string;
  readonly createdAt: Date;
  readonly policies: number;
  /** Where it stands, since when, by whom. */
  readonly step: BundleStep;
  readonly at: Date;
  readonly actor: string;
}

export interface Page<T> {
  readonly data: readonly T[];
  readonly nextCursor: string | null;
}

/** Reads the stored bundles: what there is, what happened to it, what was in force when. */
@Injectable()
export class BundleQueries {
  constructor(@Inject(DataSource) private readonly database: DataSource) {}

  /** Newest first. */
  async page(query: unknown): Promise<Page<BundleRow>> {
    const { limit, before } = positionOf(query);
    const rows = await this.database.query<(BundleRow & { first: string })[]>(
      `select b.version, b.author, b.comment, b.created_at as "createdAt",
              (select count(*)::int from jsonb_object_keys(b.policies)) as policies,
              last.step, last.at, last.actor, first.seq as first
         from policy.bundle b
         cross join lateral (select min(seq) as seq from policy.bundle_step s
                              where s.version = b.version) first
         cross join lateral (select step, at, actor from policy.bundle_step s
                              where s.version = b.version order by seq desc limit 1) last
        where first.seq < $1
        order by first.seq desc limit $2`,
      [before, limit + 1],
    );
    return pageOf(
      rows,
      limit,
      (row) => row.first,
      (row) => ({ ...row, first: undefined }),
    );
  }

  async activations(query: unknown): Promise<Page<object>> {
    const { limit, before } = positionOf(query);
    const rows = await this.database.query<{ seq: string }[]>(
      `select seq, version, previous, cause, at, actor from policy.activation
        where seq < $1 order by seq desc limit $2`,
      [before, limit + 1],
    );
    return pageOf(
      rows,
      limit,
      (row) => row.seq,
      (row) => ({ ...row, seq: undefined }),
    );
  }

  /** With its texts and its whole history. Throws `unknown_bundle`. */
  async one(version: string) {
    const { bundle, steps, step } = await standingOf(this.database.manager, version);
    const { policies, schema, signature, author, comment, createdAt } = bundle;
    return {
      version,
      policies,
      schema,
      signature,
      author,
      comment,
      createdAt,
      step,
      steps: steps.map(({ step: name, at, actor, details }) => ({
        step: name,
        at,
        actor,
        details,
      })),
    };
  }
}

const FIRST_PAGE = '9223372036854775807';

/** Throws `invalid_request`. */
export function positionOf(query: unknown): { readonly limit: number; readonly before: string } {
  const { limit, cursor } = parseRequest(pageQuery, query);
  if (cursor !== '' && !/^\d{1,18}$/.test(cursor))
    throw new DomainError('invalid_request', 'cursor: expected a cursor of an earlier answer');
  return { limit, before: cursor === '' ? FIRST_PAGE : cursor };
}

/** `rows` holds one more than the page where there is a next one. */
export function pageOf<Row, T>(
  rows: readonly Row[],
  limit: number,
  keyOf: (row: Row) => string,
  show: (row: Row) => T,
): Page<T> {
  const shown = rows.slice(0, limit);
  const last = rows.length > limit ? shown.at(-1) : undefined;
  return {
    data: shown.map(show),
    nextCursor: cursorOf(last === undefined ? undefined : keyOf(last)),
  };
}
