import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { MAIN_LEDGER, Outbox as RecordedOutbox, type Decide, type Decided } from '#libs/audit-log';
import type { FactsSnapshot } from '#libs/catalog';
import type { PrincipalsSnapshot } from '#libs/identity';
import { DomainError } from '#libs/kernel';
import { describeError, type InProcessSnapshotSource } from '#libs/platform';
import { applyChange } from './apply-change.js';
import { recordOf, type Change } from './changes.js';
import { CONTROL_OPTIONS, type ControlOptions } from './control-options.js';
import { keepEarlierVersions } from './facts/fact-versions.js';
import { readFacts } from './facts/read-facts.js';
import { readPrincipals } from './read-principals.js';

interface State {
  readonly principals: PrincipalsSnapshot;
  readonly facts: FactsSnapshot;
}

/** Control's changes on their way: into the log, then into the state tables, then into the snapshots. */
@Injectable()
export class Outbox
  extends RecordedOutbox<Change, State>
  implements OnModuleInit, OnApplicationShutdown
{
  constructor(
    @Inject(CONTROL_OPTIONS) private readonly control: ControlOptions,
    @Inject(DataSource) private readonly database: DataSource,
  ) {
    const { principals, facts, writer, writersOf, logger, effectDeadlineMs } = control;
    super({
      database,
      table: 'control.outbox',
      writerFor: ({ change }) => {
        const ledgerId = ledgerOf(change);
        const itsOwn = ledgerId === MAIN_LEDGER ? writer : writersOf?.get(ledgerId);
        if (itsOwn === undefined) throw new Error(`ledger ${ledgerId} is not within reach`);
        return itsOwn;
      },
      recordOf,
      apply: (manager, { change }) => applyChange(manager, change),
      read: async (manager) => ({
        principals: await readPrincipals(manager),
        facts: await readFacts(manager),
      }),
      publish: (state) => {
        publishNew(principals, state.principals);
        publishNew(facts, state.facts);
      },
      onFault: (error) => logger.error('control.relay_failed', describeError(error)),
      effectDeadlineMs,
    });
  }

  /** True where this process writes to that ledger's log. */
  reaches(ledgerId: string): boolean {
    return ledgerId === MAIN_LEDGER || this.control.writersOf?.has(ledgerId) === true;
  }

  /**
   * As of every outbox. Throws `unknown_ledger` before anything is kept: a change that can be recorded nowhere would hold up
   * all that come after it.
   */
  override decide(actor: string, decide: Decide<Change>): Promise<Decided> {
    return super.decide(actor, async (manager) => {
      const changes = await decide(manager);
      if (!changes.every((change) => this.reaches(ledgerOf(change))))
        throw new DomainError('unknown_ledger', 'There is no such ledger.');
      return changes;
    });
  }

  async onModuleInit(): Promise<void> {
    await this.database.transaction(keepEarlierVersions);
    await this.start();
    this.control.health?.register('control outbox', () => this.fault);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.stop();
    await this.database.destroy();
  }
}

const ledgerOf = (change: Change): string =>
  ('ledgerId' in change ? change.ledgerId : undefined) ?? MAIN_LEDGER;

function publishNew<T extends { readonly version: string }>(
  source: InProcessSnapshotSource<T>,
  snapshot: T,
): void {
  if (source.current()?.version !== snapshot.version) source.publish(snapshot.version, snapshot);
}
