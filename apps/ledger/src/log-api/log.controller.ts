import { Controller, Get, Inject, Req, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { DomainError } from '#libs/kernel';
import {
  encodeEntryBundle,
  parseTilePath,
  TILE_WIDTH,
  type TileResource,
} from '#libs/transparency';
import type { LedgerAppErrorCode } from '../ledger.errors.js';
import { EntriesGuard } from '../ledger.guards.js';
import { Ledger } from '../ledger.js';
import { minimumIndex } from '../retention/minimum-index.js';

/** A tile never changes: whoever has it, partial ones too, has it for good. */
const FOR_EVER = 'max-age=31536000, immutable';
const OCTETS = 'application/octet-stream';
const TILE_LEVEL_MAX = 7;

/**
 * The C2SP tlog-tiles read API. Hashes are for everybody; entries are the records themselves, for whom the deployment says
 * (`CUSTOS_LOG_ENTRIES`).
 */
@Controller('log')
export class LogController {
  constructor(@Inject(Ledger) private readonly ledger: Ledger) {}

  /** The newest signed checkpoint, with the cosignatures that have come so far. */
  @Get('checkpoint')
  async checkpoint(@Res() reply: FastifyReply): Promise<void> {
    const latest = await this.ledger.tree.checkpoints.latest();
    if (latest === undefined) throw notInLog('There is no checkpoint yet.');
    await reply
      .header('content-type', 'text/plain; charset=utf-8')
      .header('cache-control', 'no-cache')
      .send(latest.note);
  }

  /** Of tlog-tiles: every entry from here on is there. 0 until something was removed under a retention policy. */
  @Get('minimum-index')
  async minimumIndex(@Res() reply: FastifyReply): Promise<void> {
    await reply
      .header('content-type', 'text/plain; charset=utf-8')
      .header('cache-control', 'no-cache')
      .send(`${minimumIndex(await this.ledger.kept.removed())}\n`);
  }

  @Get('tile/entries/*')
  @UseGuards(EntriesGuard)
  async entries(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const bundle = await this.#published(request);
    if (bundle.kind !== 'entries') throw notInLog();
    const entries = await this.ledger.tree.queries.bundle(bundle);
    if (entries === undefined) throw await this.#gone(bundle);
    await send(reply, encodeEntryBundle(entries), 'private');
  }

  @Get('tile/*')
  async tile(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const tile = await this.#published(request);
    if (tile.kind !== 'tile') throw notInLog();
    const hashes = await this.ledger.tree.queries.tile(tile);
    if (hashes === undefined) throw notInLog();
    await send(reply, hashes, 'public');
  }

  /** 410 for what was removed: below the minimum index of tlog-tiles, and the log says why. */
  async #gone({ index, width }: TileResource): Promise<DomainError> {
    const first = index * BigInt(TILE_WIDTH);
    const removed = (await this.ledger.kept.removed()).findLast(
      (range) => range.first < first + BigInt(width) && first < range.end,
    );
    return removed === undefined
      ? notInLog()
      : new DomainError<LedgerAppErrorCode>(
          'records_removed',
          'These entries were removed under the retention policy.',
          { first: removed.first.toString(), end: removed.end.toString() },
        );
  }

  /** What the path names, as far as the newest published checkpoint covers it. Throws `not_in_log`. */
  async #published(request: FastifyRequest): Promise<TileResource> {
    const path = new URL(request.url, 'http://log').pathname.replace(/^\/log\//, '');
    const asked = parseTilePath(path);
    if (asked === undefined || (asked.kind === 'tile' && asked.level > TILE_LEVEL_MAX))
      throw notInLog('The path is not one of tlog-tiles.');
    const level = asked.kind === 'tile' ? asked.level : 0;
    const end = (asked.index * BigInt(TILE_WIDTH) + BigInt(asked.width)) << BigInt(8 * level);
    if (end > (await this.ledger.tree.publishedSize())) throw notInLog();
    return asked;
  }
}

async function send(reply: FastifyReply, bytes: Buffer, who: 'public' | 'private'): Promise<void> {
  await reply
    .header('content-type', OCTETS)
    .header('cache-control', `${who}, ${FOR_EVER}`)
    .send(bytes);
}

const notInLog = (message = 'The published tree does not reach this far.'): DomainError =>
  new DomainError<LedgerAppErrorCode>('not_in_log', message);
