import type { EventAppender } from '#libs/audit-log';
import { SystemClock } from '#libs/kernel';
import type { Logger } from '#libs/platform';
import type { Rotation, VaultKeeper } from '#libs/vault';

/** Wrapped anew in one statement, some tens of milliseconds; and in one look. */
const STEP = 500;
const STEPS_MAX = 200;
/** Where something is left that no key at hand opens, all is looked through again after this time only. */
const AGAIN_MS = 60_000;
const RECORD_DEADLINE_MS = 5_000;
const AUTHOR = 'system:vault';

/**
 * Brings what the vault has wrapped under the master key that wraps now, in the background and in steps: said in the log
 * before the first is wrapped anew, and again once nothing is left. An end between any two of these costs nothing.
 */
export class KeyRotator {
  readonly #clock = new SystemClock();
  /** Monotonic ms. */
  #againMs = -Infinity;
  #isToldRetired = false;

  constructor(
    private readonly keeper: VaultKeeper,
    private readonly writer: EventAppender,
    private readonly logger: Logger,
  ) {}

  async round(signal: AbortSignal): Promise<void> {
    if (this.#clock.monotonicMs() < this.#againMs) return;
    const rotation = await this.#atWork();
    if (rotation === undefined) return;
    if (!rotation.beganRecorded) {
      await this.#say(rotation, 'began', rotation.beganAt);
      await this.keeper.rotation.note('began_recorded');
    }
    for (let step = 0; await this.keeper.rotation.step(STEP); step++)
      if (signal.aborted || step >= STEPS_MAX) return;
    const left = await this.keeper.rotation.left();
    if (left === 0) return this.#end();
    this.#againMs = this.#clock.monotonicMs() + AGAIN_MS;
    this.logger.warn('control.vault_keys_left', { left, toKey: rotation.toKey });
  }

  async #atWork(): Promise<Rotation | undefined> {
    const { rotation, masterKeyId } = this.keeper;
    if (!(await rotation.isDue())) {
      const newest = await rotation.newest();
      const isUnsaid = newest?.toKey === masterKeyId && !newest.endedRecorded;
      return isUnsaid ? newest : undefined;
    }
    const begun = await rotation.begin();
    if (begun === undefined && !this.#isToldRetired) {
      this.#isToldRetired = true;
      this.logger.error('control.vault_key_retired', { keyId: masterKeyId });
    }
    return begun;
  }

  async #end(): Promise<void> {
    const { rotation } = this.keeper;
    await rotation.note('ended');
    const ended = await rotation.newest();
    if (ended?.endedAt === undefined || ended.endedRecorded) return;
    await this.#say(ended, 'ended', ended.endedAt);
    await rotation.note('ended_recorded');
  }

  /** Said twice it is the same: the same id, the same time. */
  async #say(
    { id: rotationId, toKey, fromKeys }: Rotation,
    phase: 'began' | 'ended',
    at: string,
  ): Promise<void> {
    await this.writer.append(
      'custos.vault.rotation.v1',
      rotationId,
      { rotationId, at, author: AUTHOR, phase, toKey, fromKeys },
      { admission: false, deadlineMs: RECORD_DEADLINE_MS },
    );
  }
}
