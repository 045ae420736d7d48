import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { DomainError, SystemClock } from '#libs/kernel';
import { describeError } from '#libs/platform';
import type { KeptItem, VaultKeeper } from '#libs/vault';
import { CONTROL_OPTIONS, type ControlOptions } from '../control-options.js';
import { ApprovedErasures } from '../erasures/approved-erasures.js';
import { ContentVault } from './content-vault.js';
import { KeyRotator } from './key-rotator.js';

const LOOK_MS = 5_000;
const EXPIRE_EVERY_MS = 60 * 60_000;
/** A gateway says what it stored within a second, unless it ended in between. */
const UNSAID_AFTER_MS = 2 * 60_000;
const RECORD_DEADLINE_MS = 5_000;
/** Of items in one statement, and of erasures or records in one look. */
const STEP = 500;
const STEPS_MAX = 200;

/**
 * What the vault needs done though nobody asks: erasures that are recorded and not done, records that a gateway's end kept
 * from being said, and what has passed its time. Any number of processes may do it at once.
 */
@Injectable()
export class VaultTender implements OnModuleInit, OnApplicationShutdown {
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #open = false;
  readonly #clock = new SystemClock();
  /** Monotonic ms: a wall clock that is set back must not let content outlive its time. */
  #nextExpiryMs = -Infinity;
  #saidTo = '';

  constructor(
    @Inject(CONTROL_OPTIONS) private readonly options: ControlOptions,
    @Inject(DataSource) private readonly database: DataSource,
    @Inject(ContentVault) private readonly vault: ContentVault,
  ) {}

  /** A vault that does not answer keeps nobody from starting; one that another master key began does. */
  async onModuleInit(): Promise<void> {
    const { vault: keeper } = this.options;
    if (keeper === undefined) return;
    await this.#opened(keeper).catch((error: unknown) => {
      if (error instanceof DomainError && error.code === 'vault_key_changed') throw error;
      this.#warn(error);
    });
    this.#running = this.#run(keeper);
  }

  async onApplicationShutdown(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    await this.options.vault?.close();
  }

  /** After an approval: the caller need not wait for the next look. What fails now is done then. */
  async eraseNow(id: string): Promise<void> {
    try {
      await this.vault.settleHolds();
      await new ApprovedErasures(this.database, this.vault.keeper).one(id);
    } catch (error) {
      this.#warn(error);
    }
  }

  async #run(keeper: VaultKeeper): Promise<void> {
    const { signal } = this.#stopping;
    const { database, vault, options } = this;
    const erasures = new ApprovedErasures(database, keeper);
    const rotator = new KeyRotator(keeper, options.writer, options.logger);
    while (!signal.aborted) {
      // Each by itself: a ledger out of reach must not let content outlive its time.
      for (const task of [
        () => vault.settleHolds().then(() => erasures.round(signal)),
        () => this.#sayUnsaid(keeper),
        () => steps(signal, () => keeper.clearErased(STEP)),
        () => this.#expireWhenDue(keeper),
        () => rotator.round(signal),
      ])
        await this.#opened(keeper)
          .then(task)
          .catch((error: unknown) => {
            if (!signal.aborted) this.#warn(error);
          });
      await sleep(LOOK_MS, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  async #expireWhenDue(keeper: VaultKeeper): Promise<void> {
    if (this.#clock.monotonicMs() < this.#nextExpiryMs) return;
    await this.#expire(keeper);
    this.#nextExpiryMs = this.#clock.monotonicMs() + EXPIRE_EVERY_MS;
  }

  async #opened(keeper: VaultKeeper): Promise<void> {
    if (this.#open) return;
    await keeper.open();
    this.#open = true;
  }

  /** Says for a gateway that ended what it stored. Said twice it is the same record of the same bytes. */
  async #sayUnsaid(keeper: VaultKeeper): Promise<void> {
    const before = new Date(Date.now() - UNSAID_AFTER_MS).toISOString();
    const page = await keeper.unrecorded(before, STEP, this.#saidTo);
    const unsaid = Map.groupBy(page, (item) => item.generationId);
    // Those of a ledger out of reach stay, and must not hide those of another: the next look goes on behind them.
    this.#saidTo = unsaid.size === STEP ? page.at(-1)!.generationId : '';
    /** By ledger: one that is out of reach is asked once a look, and holds up no other. */
    const failed = new Map<string, unknown>();
    for (const [generationId, items] of unsaid) {
      if (this.#stopping.signal.aborted) return;
      const { ledgerId } = items[0]!;
      if (failed.has(ledgerId)) continue;
      try {
        const place = await this.#sayKept(generationId, items[0]!, items);
        await keeper.markRecorded(generationId, place);
      } catch (error) {
        failed.set(ledgerId, error);
      }
    }
    for (const error of failed.values()) this.#warn(error);
  }

  async #sayKept(
    generationId: string,
    { organisationId, ledgerId, subjectKeyId, keptAt, expiresAt }: KeptItem,
    items: readonly KeptItem[],
  ): Promise<string> {
    const { topic, partition, offset } = await this.vault.writerOf(ledgerId).append(
      'custos.content.kept.v1',
      generationId,
      {
        generationId,
        organisationId,
        at: keptAt,
        subjectKeyId,
        keepUntil: expiresAt,
        parts: items.map(({ part, bytes, digest }) => ({ part, bytes, digest })),
      },
      { admission: false, deadlineMs: RECORD_DEADLINE_MS },
    );
    return `${topic}/${partition}/${offset}`;
  }

  /**
   * What has passed its time and is under no hold, each organisation's in steps; in its log before. The time is the vault's,
   * asked anew for each: it deletes nothing before its own, and one that is away is noticed before anything is said.
   */
  async #expire(keeper: VaultKeeper): Promise<void> {
    const { signal } = this.#stopping;
    await this.vault.settleHolds();
    /** Content must not outlive its time because another organisation's ledger is out of reach. */
    const outOfReach = new Set<string>();
    let failure: Error | undefined;
    for (let after = '', isMore = true; isMore && !signal.aborted;) {
      const due = await keeper.expiring(await keeper.now(), STEP, after);
      for (const { organisationId, ledgerId } of due) {
        if (outOfReach.has(ledgerId)) continue;
        const before = await keeper.now();
        try {
          await this.#sayExpired(organisationId, ledgerId, before);
        } catch (error) {
          outOfReach.add(ledgerId);
          failure ??= error as Error;
          continue;
        }
        await steps(signal, () => keeper.expireItems(organisationId, before, STEP)).catch(
          (error: Error) => (failure ??= error),
        );
      }
      isMore = due.length === STEP;
      after = due.at(-1)?.organisationId ?? after;
    }
    await steps(signal, () => keeper.expireKeys(STEP));
    // Asked again at the next look, not in an hour.
    if (failure !== undefined) throw failure;
  }

  async #sayExpired(organisationId: string, ledgerId: string, before: string): Promise<void> {
    const said = { organisationId, at: new Date().toISOString(), before };
    await this.vault.writerOf(ledgerId).append('custos.content.expired.v1', organisationId, said, {
      admission: false,
      deadlineMs: RECORD_DEADLINE_MS,
    });
  }

  #warn(error: unknown): void {
    this.options.logger.warn('control.vault_not_tended', describeError(error));
  }
}

/** Until a step finds nothing; what is left after so many is for the next look. */
async function steps(signal: AbortSignal, step: () => Promise<number>): Promise<void> {
  for (let i = 0; i < STEPS_MAX && !signal.aborted; i++) if ((await step()) === 0) return;
}
