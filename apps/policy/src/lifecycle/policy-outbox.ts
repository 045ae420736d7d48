import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Outbox, type Decided } from '#libs/audit-log';
import { describeError } from '#libs/platform';
import {
  exceptionsEpochOf,
  PolicyReader,
  verifyException,
  type EvaluatorFinding,
  type PolicyException,
} from '#libs/policy';
import { PolicyFolder } from '../policy-folder.js';
import { PolicyService } from '../policy.service.js';
import { applyChange } from './apply-change.js';
import { recordOf, type Change } from './changes.js';
import { firstStart } from './first-start.js';
import { keepCatalog } from './keep-catalog.js';
import { LIFECYCLE_OPTIONS, type LifecycleOptions } from './lifecycle-options.js';
import { isDistrusted, readPolicy, standingOf, type StoredPolicy } from './read-policy.js';
import { softwareVersion } from '../software-version.js';

interface SignedException {
  readonly jws: string;
  readonly exception: PolicyException;
}

/** The policy engine's changes on their way: into the log, then into the tables, then into force. */
@Injectable()
export class PolicyOutbox
  extends Outbox<Change, StoredPolicy>
  implements OnModuleInit, OnApplicationShutdown
{
  readonly #reader: PolicyReader;
  #expiry: NodeJS.Timeout | undefined;

  constructor(
    @Inject(LIFECYCLE_OPTIONS) private readonly lifecycle: LifecycleOptions,
    @Inject(DataSource) private readonly database: DataSource,
    @Inject(PolicyService) private readonly policy: PolicyService,
    @Inject(PolicyFolder) private readonly folder: PolicyFolder,
  ) {
    const { writer, logger, signer, effectDeadlineMs } = lifecycle;
    super({
      database,
      table: 'policy.outbox',
      writerFor: () => writer,
      recordOf,
      apply: applyChange,
      read: (manager) => readPolicy(manager, lifecycle.software ?? softwareVersion()),
      publish: (stored) => this.#bringIntoForce(stored),
      onFault: (error) => logger.error('policy.relay_failed', describeError(error)),
      effectDeadlineMs,
    });
    this.#reader = new PolicyReader(signer.publicKeys);
    // A failure is told by `distrust` itself; the finder goes on distrusting.
    policy.onMismatch(
      (found, foundBy) => void this.distrust(found, foundBy).catch(() => undefined),
    );
  }

  /**
   * Remembers a finding against the compiled evaluator, over restarts and for every process, until somebody clears it.
   * Found twice is one finding. Until the record is in the log the finder alone distrusts, and readiness says so.
   */
  async distrust(
    { policyVersion: version, catalogVersion, endpointId }: EvaluatorFinding,
    foundBy: string,
  ): Promise<Decided> {
    const software = this.lifecycle.software ?? softwareVersion();
    this.lifecycle.logger.error('policy.evaluators_disagreed', { version, endpointId, foundBy });
    try {
      return await this.decide(foundBy, async (manager) => {
        await standingOf(manager, version);
        if (await isDistrusted(manager, version, software)) return [];
        const details = { catalogVersion, endpoint: endpointId };
        return [{ kind: 'evaluator.distrusted', version, software, details }];
      });
    } catch (error) {
      this.lifecycle.logger.error('policy.distrust_failed', describeError(error));
      throw error;
    }
  }

  async onModuleInit(): Promise<void> {
    try {
      // First: from the moment a bundle is published, decisions may cite this catalog.
      await keepCatalog(this.database, this.policy.catalog, this.lifecycle.readCatalogFile);
      await this.start();
      await firstStart(this, this.folder, this.lifecycle.signer);
    } catch (error) {
      await this.onApplicationShutdown();
      throw error;
    }
    this.lifecycle.health?.register('policy outbox', () => this.fault);
    const { version } = this.policy.bundle;
    this.lifecycle.logger.info('policy.active', { version });
    if (this.folder.differsFrom(version))
      this.lifecycle.logger.warn('policy.folder_differs', { version });
  }

  async onApplicationShutdown(): Promise<void> {
    clearTimeout(this.#expiry);
    await this.stop();
    await this.database.destroy();
  }

  /**
   * What the tables say is read as a stranger would: built again, of the version it claims, signed. A row that was
   * changed behind our back throws, and what was in force stays.
   */
  async #bringIntoForce(stored: StoredPolicy): Promise<void> {
    const { active, exceptions: rows, compiledDistrusted } = stored;
    if (active === undefined) return;
    const { version, policies, schema, signature } = active.bundle;
    const exceptions = await this.#signed(rows.map((row) => row.signature ?? ''));
    const inForce = await this.#reader.decode({
      version,
      policies,
      schema,
      signature: signature ?? '',
      exceptions: exceptions.map(({ jws }) => jws),
      exceptionsEpoch: exceptionsEpochOf(exceptions.map(({ exception }) => exception)),
      ...(compiledDistrusted && { compiledDistrusted }),
      keys: this.lifecycle.signer.publicKeys,
    });
    const { at, actor, cause } = active.activation;
    this.policy.adopt(inForce, { atMs: at.getTime(), actor, cause });
    this.#republishAtExpiry(stored, exceptions);
  }

  /** Those whose signature holds and whose time is not over; a bad one lifts nothing. */
  async #signed(signatures: readonly string[]): Promise<readonly SignedException[]> {
    const found: SignedException[] = [];
    for (const jws of signatures) {
      try {
        const exception = await verifyException(jws, this.lifecycle.signer.publicKeys);
        if (Date.parse(exception.expiresAt) > this.policy.nowMs()) found.push({ jws, exception });
      } catch (error) {
        this.lifecycle.logger.error('policy.exception_refused', describeError(error));
      }
    }
    return found;
  }

  /** Readers look at the end themselves; this only takes an ended one out of the snapshot. */
  #republishAtExpiry(stored: StoredPolicy, live: readonly SignedException[]): void {
    clearTimeout(this.#expiry);
    if (live.length === 0) return;
    const firstMs = Math.min(...live.map(({ exception }) => Date.parse(exception.expiresAt)));
    this.#expiry = setTimeout(
      () => {
        this.#bringIntoForce(stored).catch((error: unknown) =>
          this.lifecycle.logger.error('policy.expiry_failed', describeError(error)),
        );
      },
      Math.max(firstMs - this.policy.nowMs(), 0) + 1,
    );
    this.#expiry.unref();
  }
}
