import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Outbox as RecordedOutbox } from '#libs/audit-log';
import type { PrincipalsSnapshot } from '#libs/identity';
import { describeError } from '#libs/platform';
import { applyChange } from './apply-change.js';
import { recordOf, type Change } from './changes.js';
import { CONTROL_OPTIONS, type ControlOptions } from './control-options.js';
import { readPrincipals } from './read-principals.js';

/** Control's changes on their way: into the log, then into the state tables, then into the snapshot. */
@Injectable()
export class Outbox
  extends RecordedOutbox<Change, PrincipalsSnapshot>
  implements OnModuleInit, OnApplicationShutdown
{
  constructor(
    @Inject(CONTROL_OPTIONS) private readonly control: ControlOptions,
    @Inject(DataSource) private readonly database: DataSource,
  ) {
    const { principals, writer, logger, effectDeadlineMs } = control;
    super({
      database,
      table: 'control.outbox',
      writer,
      recordOf,
      apply: (manager, { change }) => applyChange(manager, change),
      read: readPrincipals,
      publish: (snapshot) => {
        if (principals.current()?.version !== snapshot.version)
          principals.publish(snapshot.version, snapshot);
      },
      onFault: (error) => logger.error('control.relay_failed', describeError(error)),
      effectDeadlineMs,
    });
  }

  async onModuleInit(): Promise<void> {
    await this.start();
    this.control.health?.register('control outbox', () => this.fault);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.stop();
    await this.database.destroy();
  }
}
