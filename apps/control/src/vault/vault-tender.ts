import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { DomainError } from '#libs/kernel';
import { describeError } from '#libs/platform';
import type { KeptItem, VaultKeeper } from '#libs/vault';
import { CONTROL_OPTIONS, type ControlOptions } from '../control-options.js';
import { ErasureEntity } from '../erasures/erasure.entity.js';
import { Outbox } from '../outbox.js';
import { ContentVault, holdsInForce } from './content-vault.js';

const LOOK_MS = 5_000;
const EXPIRE_EVERY_MS = 60 * 60_000;
/** A gateway says what it stored within a second, unless it ended in between. */
const UNSAID_AFTER_MS = 2 * 60_000;
const RECORD_DEADLINE_MS = 5_000;
/** Of items in one statement, and of erasures or records in one look. */
const STEP = 500;
const STEPS_MAX = 200;
const ACTOR = 'system:vault';

/**
 * What the vault needs done though nobody asks: erasures that are recorded and not done, records that a gateway's end kept
 * from being said, and what has passed its time. Any number of processes may do it at once.
 */
@Injectable()
export class VaultTender implements OnModuleInit, OnApplicationShutdown {
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #open = false;
  #nextExpiryMs = 0;

  constructor(
    @Inject(CONTROL_OPTIONS) private readonly options: ControlOptions,
    @Inject(DataSource) private readonly database: DataSource,
    @Inject(Outbox) private readonly outbox: Outbox,
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
  async eraseNow(): Promise<void> {
    try {
      await this.#erase(this.vault.keeper);
    } catch (error) {
      this.#warn(error);
    }
  }

  async #run(keeper: VaultKeeper): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      // Each by itself: a ledger out of reach must not let content outlive its time.
      for (const task of [
        () => this.#erase(keeper),
        () => this.#sayUnsaid(keeper),
        () => steps(signal, () => keeper.clearErased(STEP)),
        () => this.#expireWhenDue(keeper),
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
    if (Date.now() < this.#nextExpiryMs) return;
    await this.#expire(keeper);
    this.#nextExpiryMs = Date.now() + EXPIRE_EVERY_MS;
  }

  async #opened(keeper: VaultKeeper): Promise<void> {
    if (this.#open) return;
    await keeper.open();
    this.#open = true;
  }

  /**
   * Destroys the keys of erasures whose record is in the log. While nothing else is decided, so that a hold that came
   * meanwhile is seen: then it waits until that is lifted. Done twice it is done once.
   */
  async #erase(keeper: VaultKeeper): Promise<void> {
    const due = await this.database
      .getRepository(ErasureEntity)
      .find({ where: { status: 'approved' }, order: { decidedAt: 'ASC' }, take: STEP });
    for (const { id } of due)
      await this.outbox.decide(ACTOR, async (manager) => {
        const erasure = await manager.findOneBy(ErasureEntity, { id, status: 'approved' });
        if (erasure === null) return [];
        const { subjectKeyId, ledgerId } = erasure;
        const holds = (await holdsInForce(manager)).filter((h) => h.ledgerId === ledgerId);
        if ((await keeper.holdOver(subjectKeyId, holds)) !== undefined) return [];
        await keeper.eraseKey(subjectKeyId, id);
        await manager.update(
          ErasureEntity,
          { id, status: 'approved' },
          { status: 'executed', destroyedAt: new Date() },
        );
        return [];
      });
  }

  /** Says for a gateway that ended what it stored. Said twice it is the same record of the same bytes. */
  async #sayUnsaid(keeper: VaultKeeper): Promise<void> {
    const before = new Date(Date.now() - UNSAID_AFTER_MS).toISOString();
    const unsaid = Map.groupBy(await keeper.unrecorded(before, STEP), (item) => item.generationId);
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

  /** What has passed its time and is under no hold, each organisation's in steps; in its log before. */
  async #expire(keeper: VaultKeeper): Promise<void> {
    const { signal } = this.#stopping;
    const before = new Date(Date.now() - 1).toISOString();
    const holds = await this.database.transaction(holdsInForce);
    for (const { organisationId, ledgerId } of await keeper.expiring(before, holds, STEP)) {
      const at = new Date().toISOString();
      await this.vault
        .writerOf(ledgerId)
        .append(
          'custos.content.expired.v1',
          organisationId,
          { organisationId, at, before },
          { admission: false, deadlineMs: RECORD_DEADLINE_MS },
        );
      await steps(signal, () => this.#expireStep(keeper, organisationId, before));
    }
    await steps(signal, () => keeper.expireKeys(STEP));
  }

  async #expireStep(keeper: VaultKeeper, organisationId: string, before: string): Promise<number> {
    let gone = 0;
    await this.outbox.decide(ACTOR, async (manager) => {
      gone = await keeper.expireItems(organisationId, before, await holdsInForce(manager), STEP);
      return [];
    });
    return gone;
  }

  #warn(error: unknown): void {
    this.options.logger.warn('control.vault_not_tended', describeError(error));
  }
}

/** Until a step finds nothing; what is left after so many is for the next look. */
async function steps(signal: AbortSignal, step: () => Promise<number>): Promise<void> {
  for (let i = 0; i < STEPS_MAX && !signal.aborted; i++) if ((await step()) === 0) return;
}
